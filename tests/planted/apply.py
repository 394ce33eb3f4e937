"""Puts a bug into the text of a file."""


def apply(bug, text):
    """The text with the bug. The old text must stand there exactly once."""
    count = text.count(bug["old"])
    if count != 1:
        raise ValueError(f"{bug['name']}: its text stands in {bug['file']} {count} times, not once")
    changed = text.replace(bug["old"], bug["new"])
    if changed == text:
        raise ValueError(f"{bug['name']}: it changes nothing")
    return changed
