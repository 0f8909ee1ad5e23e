"""What is nearly there when nothing matches: other case, Unicode form, leading zeros, spelling."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

_N_LISTED = 3
_ALIKE = 0.75
_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_FRACTION = re.compile(r"(?<=\d)\.0+(?!\d)")


def plain_form(text: str) -> str:
    """Return a text without what two spellings of one label may differ in.

    Case, the Unicode form, quotes, blanks, leading zeros of numbers, ``.0`` behind them, and the
    key of an entity (``run-1`` is ``01`` is ``1.0``) are dropped.

    Parameters
    ----------
    text
        A label, a file name or a path.
    """
    text = unicodedata.normalize("NFKC", text).casefold().strip(" \t\"'[]")
    text = re.sub(r"^(?:sub|ses|task|run)-", "", text)
    return _ZEROS.sub("", _FRACTION.sub("", text))


def nearly(wanted: str, present: Iterable[str]) -> list[str]:
    """Return up to three of `present` that resemble `wanted`; only those of equal form if any.

    Parameters
    ----------
    wanted
        What was asked for and does not exist.
    present
        What exists.
    """
    known = list(dict.fromkeys(present))
    form = plain_form(wanted)
    same = [text for text in known if plain_form(text) == form and text != wanted]
    if same:
        return same[:_N_LISTED]
    by_form = {plain_form(text): text for text in known}
    alike = difflib.get_close_matches(form, by_form, _N_LISTED, _ALIKE)
    return [by_form[key] for key in alike]


def near_text(wanted: str, present: Iterable[str]) -> str:
    """Return `` (nearly: 'a', 'b')``, or nothing if nothing resembles `wanted`."""
    listed = ", ".join(repr(text) for text in nearly(wanted, present))
    return f" (nearly: {listed})" if listed else ""
