"""Text in a cell of a CSV file that a spreadsheet must not run as a formula."""

from __future__ import annotations

# What a spreadsheet begins a formula with, the full-width forms that some convert, and the
# characters that push the next one to the start of a cell of its own.
FORMULA = "=+-@＝＋－＠"
BREAKS = "\t\r\n"
# Skipped when looking for the first character that counts: a spreadsheet drops them, too.
QUOTES = "\"'`“”‘’«»"


def safe_text(text: str) -> str:
    """The text, with an apostrophe before it when a spreadsheet could take it for a formula.

    What comes from people or from the machine is text for ever; numbers of ours never pass here.
    """
    if text[:1] in tuple(BREAKS) or _first(text) in tuple(FORMULA):
        return "'" + text
    return text


def _first(text: str) -> str:
    for character in text:
        if not (character.isspace() or character in QUOTES or not character.isprintable()):
            return character
    return ""
