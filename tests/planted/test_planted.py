"""The list of planted bugs does not rot: each still applies to the source, exactly once.

    python3 -m unittest discover -s tests/planted -t tests
"""

import unittest
from pathlib import Path

from planted import core, log
from planted.apply import apply

BUGS = log.BUGS + core.BUGS
ROOT = Path(__file__).resolve().parent.parent.parent


class Planted(unittest.TestCase):
    def test_each_bug_still_applies_exactly_once(self):
        for bug in BUGS:
            with self.subTest(bug["name"]):
                apply(bug, (ROOT / bug["file"]).read_text())

    def test_a_bug_that_does_not_apply_once_is_refused(self):
        bug = {"name": "n", "file": "f", "old": "old", "new": "new"}
        self.assertEqual(apply(bug, "an old text"), "an new text")
        for text in ["", "old and old"]:
            with self.assertRaisesRegex(ValueError, "n: its text stands in f . times, not once"):
                apply(bug, text)
        with self.assertRaisesRegex(ValueError, "changes nothing"):
            apply(dict(bug, new="old"), "an old text")

    def test_names_are_told_apart_and_reasons_given(self):
        names = [bug["name"] for bug in BUGS]
        self.assertEqual(len(names), len(set(names)))
        self.assertTrue(all(bug["why"] and bug["tests"].startswith("-p ") for bug in BUGS))


if __name__ == "__main__":
    unittest.main()
