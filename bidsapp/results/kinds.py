"""The kinds of result that a recipe declares, as data.

``Maps``
    continuous values at voxels or vertices, one map per layer or a single one: ``_statmap``.
``Labels``
    one label of a list at each voxel or vertex, 0 where there is none: ``_dseg``.
``Mask``
    voxels or vertices that pass: ``_mask``.
``Table``
    rows with declared columns: ``_stats.tsv``.
``Facts``
    a JSON object of settings, counts and cautions: ``_stats.json``.

A declaration says everything once; file names, sidecars, ``descriptions.tsv``, completeness,
report tables and figures follow. This module imports nothing that is slow to import.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal, TypeVar

Level = Literal["participant", "group", "both"]
Colours = Literal["score", "signed", "layers", "share", "sequential"]
R = TypeVar("R", bound="Result")
_FILLED = ("desc", "title", "says")


@dataclass(frozen=True)
class Scale:
    """How values of a map are shown.

    Attributes
    ----------
    quantity
        Symbol on the colour bar: ``r``, ``ρ``, ``−log10 p``, ``layer``.
    unit
        Of the quantity: ``mm``; empty for pure numbers.
    colours
        ``score`` from 0 up; ``signed`` around 0; ``layers`` from the first to the last layer;
        ``share`` from 0 to 1; ``sequential`` over the range of the values.
    least
        Smallest upper end of a ``score`` or ``signed`` scale, so that noise does not fill it.
    log10
        Show −log10 of the values: for p-values.
    """

    quantity: str
    unit: str = ""
    colours: Colours = "score"
    least: float = 0.0
    log10: bool = False


CORRELATION = Scale("r", least=0.005)
LAYER = Scale("layer", colours="layers")
P_VALUE = Scale("\u2212log10 p", least=2.0, log10=True)


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name
        As in the file.
    says
        One phrase about its content, for the sidecar.
    title
        Head in reports; `name` without underscores when empty.
    digits
        Decimals in reports.
    unit
        Of its numbers: ``s``, ``mm``, ``Hz``.
    text
        Whether it holds labels, which stay text even when they look like numbers or ``NA``.
    prose
        Whether it holds sentences, which may break into lines.
    by
        Key of the inference behind a p-value, q-value or interval.
    """

    name: str
    says: str = ""
    title: str = ""
    digits: int = 3
    unit: str = ""
    text: bool = False
    prose: bool = False
    by: str = ""

    @property
    def holds(self) -> str:
        """What it holds: ``numeric``, ``prose`` or ``word``; the class of its cells in reports."""
        return "prose" if self.prose else "word" if self.text else "numeric"

    @property
    def head(self) -> str:
        """Head in reports, with the unit."""
        title = self.title or self.name.replace("_", " ")
        return f"{title} ({self.unit})" if self.unit else title


@dataclass(frozen=True, kw_only=True)
class Result:
    """What is written under one ``desc-`` label; use one of the five kinds below.

    Attributes
    ----------
    desc
        Label, prefixed by the recipe's name. May hold one placeholder ``{label}``.
    title
        Name for a reader: heads of figures and tables, alternative texts.
    says
        One sentence: what the file holds. Goes into sidecar, ``descriptions.tsv`` and captions.
    labels
        Values of the placeholder: conditions that are written under names of their own.
    level
        Which level writes it.
    by_space, by_network
        Whether the files' names have the space, and the network.
    required
        Whether the group level needs it of every participant; or the one of `labels` that it
        needs.
    by
        Key of the inference that its p-values, or the decision of a mask, come from.
    """

    suffix: ClassVar[str] = "stats"
    datatype: ClassVar[str] = "func"

    desc: str
    title: str
    says: str
    labels: tuple[str, ...] = ()
    level: Level = "participant"
    by_space: bool = True
    by_network: bool = True
    required: bool | str = False
    by: str = ""

    def of(self: R, label: str) -> R:
        """Return the result of one condition, the placeholder filled.

        Raises
        ------
        ValueError
            The label is not declared.
        """
        if label not in self.labels:
            msg = f"{self.desc}: {label!r} is not one of {self.labels}"
            raise ValueError(msg)
        texts = {name: getattr(self, name).format(label=label) for name in _FILLED}
        required = self.required in (True, label)
        return replace(self, **texts, labels=(), required=required)

    def entities(self, network: str) -> dict[str, str]:
        """Return the entities that its file names have beside participant and space.

        Parameters
        ----------
        network
            Of results by network.
        """
        return ({"model": network} if self.by_network else {}) | {"desc": self.desc}

    def at(self, level: str) -> bool:
        """Whether the participant or the group level writes it."""
        return self.level in (level, "both")


@dataclass(frozen=True, kw_only=True)
class Maps(Result):
    """Continuous maps; values (n_maps, n_units) or (n_units,), NaN where missing.

    Attributes
    ----------
    stat
        ``stat-`` label.
    scale
        How they are shown.
    names
        Names of the maps where every study has the same.
    """

    suffix: ClassVar[str] = "statmap"

    stat: str
    scale: Scale = CORRELATION
    names: tuple[str, ...] = ()

    def entities(self, network: str) -> dict[str, str]:
        """Return the entities of `Result`, and what is mapped."""
        return {**super().entities(network), "stat": self.stat}


@dataclass(frozen=True, kw_only=True)
class _Segmentation(Result):
    """Named as BIDS names segmentations: in ``anat``, without ``model-``."""

    datatype: ClassVar[str] = "anat"

    def entities(self, network: str) -> dict[str, str]:
        """Return the ``desc-`` label, which ends in the network."""
        return {"desc": self.desc + (network if self.by_network else "")}


@dataclass(frozen=True, kw_only=True)
class Labels(_Segmentation):
    """A label at each unit; values (n_units,) of 0 (none) to the number of names."""

    suffix: ClassVar[str] = "dseg"

    scale: Scale = LAYER


@dataclass(frozen=True, kw_only=True)
class Mask(_Segmentation):
    """Truth at each unit; values (n_units,)."""

    suffix: ClassVar[str] = "mask"


@dataclass(frozen=True, kw_only=True)
class Table(Result):
    """A table.

    Attributes
    ----------
    columns
        Declared columns, in order.
    further
        One phrase about columns whose names depend on the study (one per layer, say), if any.
    same
        Columns that must be the same for all participants of a group.
    """

    columns: tuple[Column, ...] = ()
    further: str = ""
    same: tuple[str, ...] = ()

    @property
    def header(self) -> list[str]:
        """Names of the declared columns."""
        return [column.name for column in self.columns]


def table(desc: str, title: str, says: str, *columns: Column, **how: Any) -> Table:
    """Declare a table.

    Parameters
    ----------
    desc, title, says
        As of any `Result`.
    *columns
        In order.
    **how
        Further fields of `Table`.
    """
    return Table(desc=desc, title=title, says=says, columns=columns, **how)


group_maps = partial(Maps, level="group")
group_table = partial(table, level="group")
overall_table = partial(table, by_space=False, by_network=False)
"""Of neither a space nor a network."""


@dataclass(frozen=True, kw_only=True)
class Facts(Result):
    """A JSON object; see `summary`."""

    by_network: bool = False


def summary(recipe: str, level: Literal["participant", "group"]) -> Facts:
    """Declare the summary that is written last: a space with it is complete."""
    return Facts(
        desc=f"{recipe}summary",
        title="Summary",
        says="Settings, counts and cautions of one analysis.",
        level=level,
    )


def declared_in(module: Mapping[str, object]) -> tuple[Result, ...]:
    """Return the results that a module declares, in its order; the first maps define the units.

    Parameters
    ----------
    module
        Its ``globals()``.
    """
    return tuple(value for value in module.values() if isinstance(value, Result))


def expand(results: Iterable[Result], only: Iterable[str] | None = None) -> Iterator[Result]:
    """Yield every declared result, its placeholder filled with each label, or with some only."""
    for result in results:
        for label in result.labels:
            if only is None or label in only:
                yield result.of(label)
        if not result.labels:
            yield result


def descriptions(results: Iterable[Result], networks: Iterable[str] = ()) -> dict[str, str]:
    """Return every ``desc-`` label and its sentences, for ``descriptions.tsv``.

    Parameters
    ----------
    results
        Declared results.
    networks
        Their labels: some ``desc-`` labels end in one.
    """
    sentences: dict[str, list[str]] = {}
    for result in expand(results):
        for network in dict.fromkeys(("", *networks)) if result.by_network else ("",):
            texts = sentences.setdefault(result.entities(network)["desc"], [])
            texts.append(result.says)
    return {label: " ".join(dict.fromkeys(texts)) for label, texts in sentences.items()}
