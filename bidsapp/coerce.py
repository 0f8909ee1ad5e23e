"""Bring a value from a command line or a TOML file into the type of a dataclass field."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any

from bidsapp.errors import UsageError

_LARGEST_WHOLE = 2**1000
"""Whole numbers beyond it have no floating-point number."""
_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def coerce(kind: Any, value: Any, option: str) -> Any:
    """Return `value` as `kind`; only what loses nothing is converted.

    Parameters
    ----------
    kind
        ``int``, ``float``, ``str``, ``bool``, ``Path``, ``Literal``, ``tuple[kind, ...]``,
        ``Mapping[str, kind]``, or one of these or None.
    value
        As TOML gives it. A whole number may stand for a ``float``, text for a ``Path`` and for
        a tuple of one text.
    option
        Where the value was given, for the message.

    Raises
    ------
    UsageError
        The value is not of this kind; the message says which option it is, what was given and
        what is allowed.
    """
    try:
        return _coerce(kind, value)
    except TypeError:
        msg = f"{option} = {value!r}: should be {describe(kind)}"
        raise UsageError(msg) from None


def _coerce(kind: Any, value: Any) -> Any:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if NoneType in inner:
        return value if value is None else _coerce(_known(inner), value)
    if origin is typing.Literal and value in inner:
        return value
    if origin is tuple:
        items = [value] if inner[0] is str and isinstance(value, str) else value
        if isinstance(items, list | tuple):
            return tuple(_coerce(inner[0], item) for item in items)
    if origin is Mapping and isinstance(value, Mapping):
        return {str(key): _coerce(inner[1], item) for key, item in value.items()}
    if kind is Path and isinstance(value, str | Path) and "\0" not in str(value):
        return Path(value)
    if (
        kind is float
        and type(value) is int
        and (abs(value) > _LARGEST_WHOLE or int(float(value)) != value)
    ):
        raise TypeError
    if type(value) is kind or (kind is float and type(value) is int):
        return kind(value)
    raise TypeError


def describe(kind: Any) -> str:
    """Say in words which values a kind allows."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if NoneType in inner:
        return describe(_known(inner))
    if origin is typing.Literal:
        return " or ".join(map(repr, inner))
    if origin is tuple:
        return f"a list, each {describe(inner[0])}"
    if origin is Mapping:
        return f"a table of names, each {describe(inner[1])}"
    return _WORDS.get(kind, "a path")


def _known(kinds: tuple[Any, ...]) -> Any:
    return next(kind for kind in kinds if kind is not NoneType)
