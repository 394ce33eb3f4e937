"""AIFlow's own interface, thin over `aiflow`: files that were written for it run unchanged.

Must never hold behaviour that `aiflow` does not have: what is said here is said in its words. The
names are AIFlow's; where behaviour differs and why stands in docs/aiflow.md.
"""
