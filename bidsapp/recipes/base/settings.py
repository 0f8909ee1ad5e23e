"""How recipes declare their settings: a default, what the paper did, and why they differ."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from bidsapp.errors import UsageError

S = TypeVar("S")


def setting(default: Any, *, paper: str, source: str, why: str = "") -> Any:
    """Declare a field of a recipe's settings.

    Parameters
    ----------
    default
        Value of the robust variant.
    paper
        What the paper did, in words, or ``not stated``.
    source
        Where the paper says so.
    why
        Why the robust variant differs, or how the value was chosen where the paper is silent.
    """
    return dataclasses.field(
        default=default, metadata={"paper": paper, "source": source, "why": why}
    )


def override(settings: S, recipe: str, changes: Mapping[str, Any]) -> S:
    """Return `settings` with some values replaced, checked against the fields' types.

    Raises
    ------
    UsageError
        If a setting does not exist or a value has the wrong type.
    """
    hints = typing.get_type_hints(type(settings))
    replaced: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in hints:
            msg = f"{recipe}.{name}: there is no such setting; {recipe} knows {', '.join(hints)}"
            raise UsageError(msg)
        replaced[name] = _coerce(hints[name], value, f"{recipe}.{name}")
    return dataclasses.replace(settings, **replaced)  # type: ignore[type-var]


def _coerce(kind: Any, value: Any, where: str) -> Any:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_coerce(inner[0], item, where) for item in value)
    if origin is typing.Literal and value in inner:
        return value
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind in (int, str, bool) and type(value) is kind:
        return value
    wanted = ", ".join(map(repr, inner)) if origin is typing.Literal else str(kind)
    msg = f"{where} = {value!r}: should be {wanted.replace('typing.', '')}"
    raise UsageError(msg)


def fidelity(settings: Any, variant: str) -> list[dict[str, str]]:
    """Tabulate each setting: the paper's value, the value used, and why they differ.

    Returns
    -------
    list of dict
        One row per setting with ``option, paper, used, source, why``.
    """
    rows = []
    for item in dataclasses.fields(settings):
        used = getattr(settings, item.name)
        rows.append(
            {
                "option": item.name,
                "paper": item.metadata["paper"],
                "used": " ".join(map(str, used)) if isinstance(used, tuple) else str(used),
                "variant": variant,
                "source": item.metadata["source"],
                "why": item.metadata["why"],
            }
        )
    return rows
