"""Which label of an annotation belongs to which class: tables with ``source`` and ``target``.

``five-emotions`` pools the 22 emotions that observers of a film could choose into happiness,
fear, sadness, love and anger, as the public code of the poster of Tanemura and colleagues does
(lungerjo/DeepEmotion); admiration joins love, which its key was meant to do; gloating is left out.
``identity`` makes every label a class of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from bidsapp.bids.records import Problem
from bidsapp.bids.tables import is_missing, read_table
from bidsapp.errors import InputInvalidError, UsageError

IDENTITY = "identity"


@dataclass(frozen=True)
class LabelMap:
    """Labels and their classes.

    Attributes
    ----------
    name
        As asked for.
    targets
        Pairs of normalised label and class; None: every label is its own class.
    left_out
        Normalised labels that the table names without a class.
    """

    name: str
    targets: tuple[tuple[str, str], ...] | None
    left_out: tuple[str, ...] = field(default=(), repr=False)

    def class_of(self, label: str) -> str | None:
        """Return the class of a label; None if it belongs to none."""
        if self.targets is None:
            return label
        return dict(self.targets).get(normalised(label))

    def unknown(self, labels: Iterable[str]) -> dict[str, int]:
        """Count the labels that the map does not name, by label."""
        if self.targets is None:
            return {}
        named = {*dict(self.targets), *self.left_out}
        return dict(Counter(label for label in labels if normalised(label) not in named))

    def classes(self, labels: Iterable[str]) -> tuple[str, ...]:
        """Return all classes, in the order of the table; of ``identity``, the sorted labels."""
        if self.targets is None:
            return tuple(sorted(set(labels)))
        return tuple(dict.fromkeys(target for _, target in self.targets))


def normalised(label: str) -> str:
    """Spell a label as the tables do: small letters, hyphens for blanks and underscores."""
    return label.strip().casefold().replace("_", "-").replace(" ", "-")


def load_label_map(name: str) -> LabelMap:
    """Read a label map.

    Parameters
    ----------
    name
        ``five-emotions``, ``identity`` or the path of a table with the columns ``source`` and
        ``target``; a missing target (n/a) leaves the label out.

    Raises
    ------
    UsageError
        There is neither a map nor a file of this name.
    InputInvalidError
        The table lacks a column, or gives a label two classes.
    """
    if name == IDENTITY:
        return LabelMap(name, None)
    path = Path(name)
    if not path.suffix:
        path = Path(str(resources.files(__name__))) / f"{name}.tsv"
    if not path.is_file():
        msg = f"label map {name!r}: not found; give 'five-emotions', 'identity' or a TSV file"
        raise UsageError(msg)
    table = read_table(path)
    if isinstance(table, Problem):
        raise InputInvalidError(str(table))
    if not {"source", "target"} <= set(table.columns):
        msg = (
            f"{path} has the columns {', '.join(table.columns)}; a label map needs source, target"
        )
        raise InputInvalidError(msg)
    targets: dict[str, str] = {}
    for row in table.rows:
        label, target = normalised(row["source"]), row["target"]
        if targets.get(label, target) != target:
            msg = f"{path} gives {label} two classes, {targets[label]} and {target}; keep one"
            raise InputInvalidError(msg)
        targets[label] = target
    kept = tuple((label, target) for label, target in targets.items() if not is_missing(target))
    return LabelMap(name, kept, tuple(set(targets) - set(dict(kept))))
