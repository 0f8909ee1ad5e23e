"""How recipes declare their settings: a default, what the paper did, and why they differ."""

from __future__ import annotations

import csv
import dataclasses
import typing
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, Literal, TypeVar

from bidsapp.coerce import coerce
from bidsapp.errors import UsageError

S = TypeVar("S")
_LARGEST = 1e12
"""No number of a setting is as large."""


def setting(
    default: Any,
    *,
    paper: str,
    source: str = "-",
    why: str = "",
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
) -> Any:
    """Declare a field of a recipe's settings.

    Parameters
    ----------
    default
        Value of the robust variant.
    paper
        What the paper did, in words, or ``not stated``.
    source
        Where the paper says so; ``-`` for nowhere.
    why
        Why the robust variant differs, or how the value was chosen where the paper is silent.
    least, above, most
        Smallest value, value that must be exceeded, and largest value of a number, or of each
        number in a list. Without any, a number whose default is not negative is at least 0. All
        numbers are finite.
    """
    told = {"paper": paper, "source": source, "why": why}
    bounds = {"least": least, "above": above, "most": most}
    if bounds == dict.fromkeys(bounds) and isinstance(default, int | float) and default >= 0:
        bounds["least"] = 0
    return dataclasses.field(default=default, metadata={**told, **bounds})


def input_layers(paper: str, source: str) -> Any:
    """Declare the setting ``input_layers``: ``apart`` or ``compete``.

    Parameters
    ----------
    paper, source
        What the paper did, and where it says so.
    """
    return setting(
        "apart",
        paper=paper,
        source=source,
        why="a network's input is no layer of it: scored and shown, but never the best layer",
    )


def override(settings: S, recipe: str, changes: Mapping[str, Any]) -> S:
    """Return `settings` with some values replaced, checked against the fields' types.

    Parameters
    ----------
    settings
        A dataclass; its fields may be dataclasses again.
    recipe
        Name of the table of settings, for messages.
    changes
        Setting → value, or → the changes of nested settings.

    Raises
    ------
    UsageError
        If a setting does not exist, or a value has the wrong type or lies out of range.
    """
    hints = typing.get_type_hints(type(settings))
    declared = {item.name: item.metadata for item in dataclasses.fields(settings)}  # type: ignore[arg-type]
    replaced: dict[str, Any] = {}
    for name, value in changes.items():
        option = f"{recipe}.{name}"
        if name not in hints:
            msg = f"{option}: there is no such setting; {recipe} knows {', '.join(hints)}"
            raise UsageError(msg)
        nested = dataclasses.is_dataclass(hints[name])
        if nested and not isinstance(value, Mapping):
            names = ", ".join(typing.get_type_hints(hints[name]))
            msg = f"{option} = {value!r}: is a table; name one of its settings: {names}"
            raise UsageError(msg)
        if nested:
            replaced[name] = override(getattr(settings, name), option, value)
        else:
            replaced[name] = coerce(hints[name], value, option)
            _refuse_out_of_range(option, replaced[name], declared[name])
    return dataclasses.replace(settings, **replaced)  # type: ignore[type-var]


def _refuse_out_of_range(option: str, value: Any, declared: Mapping[str, Any]) -> None:
    """Refuse numbers that are infinite, NaN or outside what the setting declares."""
    least, above, most = (declared.get(name) for name in ("least", "above", "most"))
    numbers = value if isinstance(value, tuple) else (value,)
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float):
            continue
        inside = (
            abs(number) < _LARGEST
            and (least is None or number >= least)
            and (above is None or number > above)
            and (most is None or number <= most)
        )
        if not inside:
            msg = f"{option} = {value!r}: should be {_range(least, above, most)}"
            raise UsageError(msg)


def _range(least: float | None, above: float | None, most: float | None) -> str:
    parts = []
    if least is not None:
        parts.append(f"at least {least:g}")
    if above is not None:
        parts.append(f"above {above:g}")
    if most is not None:
        parts.append(f"at most {most:g}")
    return " and ".join(parts) or "a finite number"


def fields_of(settings: Any, prefix: str = "") -> Iterator[tuple[str, Mapping[str, str], Any]]:
    """Yield the name, what `setting` was told, and the value of each setting.

    Nested settings have dotted names, ``training.epochs``.
    """
    for item in dataclasses.fields(settings):
        value = getattr(settings, item.name)
        if dataclasses.is_dataclass(value):
            yield from fields_of(value, f"{prefix}{item.name}.")
        else:
            yield f"{prefix}{item.name}", item.metadata, value


def fidelity(settings: Any, variant: str) -> list[dict[str, str]]:
    """Tabulate each setting: the paper's value, the value used, and why they differ.

    Returns
    -------
    list of dict
        One row per setting with ``option, paper, used, source, why``.
    """
    return [
        {
            "option": name,
            "paper": declared["paper"],
            "used": spelled(used),
            "variant": variant,
            "source": declared["source"],
            "why": declared["why"],
        }
        for name, declared, used in fields_of(settings)
    ]


def read_remarks(package: str) -> tuple[dict[str, str], ...]:
    """Return the rows of ``logs/fidelity.tsv`` of a recipe that are no settings.

    Parameters
    ----------
    package
        The recipe's: ``remarks.tsv`` in it has the columns of `fidelity`.
    """
    lines = files(package).joinpath("remarks.tsv").read_text("utf-8").splitlines()
    return tuple(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def spelled(value: Any) -> str:
    """Return the value of a setting as text."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


class RowSettings:
    """Settings that decide which rows are used; see those of `gradients`.

    Attributes
    ----------
    lags_s
        Lags in seconds.
    max_outer_folds, max_inner_folds
        Largest number of outer and of inner folds.
    min_block_s
        Shortest block in seconds.
    purge_s
        Gap between parts of a piece in seconds.
    begin_s
        Seconds after the onset of a sound that are left out.
    response
        What a row hears: the canonical response, or the lags.
    """

    lags_s: tuple[float, ...]
    max_outer_folds: int
    max_inner_folds: int
    min_block_s: float
    purge_s: float
    begin_s: float
    response: Literal["canonical", "lags"]


class EncodingSettings(RowSettings):
    """Settings that recipes with encoding models have; see those of `gradients`.

    Attributes
    ----------
    hop_s
        Time between frames in seconds.
    n_components
        Principal components of each layer.
    pca_fit
        Frames that components are fitted on.
    centre
        Centre inside blocks, or by the mean of all training rows.
    log10_alpha
        Grid of ridge penalties.
    alpha_metric
        What chooses the penalty.
    filter_features
        Project the nuisance of the runs out of the features as well.
    input_layers
        Whether a network's input may be the best layer.
    n_shifts, min_shift_s
        Circular shifts of the null, and the shortest in seconds.
    """

    hop_s: float
    n_components: int
    pca_fit: Literal["train", "all"]
    centre: Literal["block", "train"]
    log10_alpha: tuple[float, ...]
    alpha_metric: Literal["correlation", "mse"]
    filter_features: bool
    input_layers: Literal["apart", "compete"]
    n_shifts: int
    min_shift_s: float
