"""Bugs that tests must find, and what puts them in. See `scripts/planted-bugs`."""
