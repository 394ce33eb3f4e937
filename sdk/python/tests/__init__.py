"""Tests of the package: of its parts, and end to end against the real daemon."""
