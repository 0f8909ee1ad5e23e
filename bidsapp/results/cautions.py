"""Reasons to doubt a result, as data: raised once, where they are known, and read everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Severity = Literal["serious", "caution", "note"]
_ORDER: tuple[str, ...] = get_args(Severity)


@dataclass(frozen=True)
class Caution:
    """One reason to doubt a result.

    Attributes
    ----------
    severity
        ``serious``: conclusions may be wrong; ``caution``: numbers may be biased or imprecise;
        ``note``: good to know.
    title
        A few words, the first thing that is read.
    text
        Sentences with the numbers of this study: what is so, what follows, what to do.
    """

    severity: Severity
    title: str
    text: str

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Caution:
        """Return a caution of a summary file.

        Raises
        ------
        ValueError
            The severity is none of the three.
        """
        if content["severity"] not in _ORDER:
            msg = f"severity {content['severity']!r} is none of {_ORDER}"
            raise ValueError(msg)
        return cls(content["severity"], str(content["title"]), str(content["text"]))


def in_order(cautions: Iterable[Caution]) -> list[Caution]:
    """Return cautions without repetitions, the most severe first."""
    return sorted(dict.fromkeys(cautions), key=lambda item: _ORDER.index(item.severity))


def to_json(cautions: Iterable[Caution]) -> list[dict[str, str]]:
    """Return cautions as they stand in a summary, the most severe first."""
    return [asdict(item) for item in in_order(cautions)]


def from_json(content: Sequence[Mapping[str, Any]]) -> list[Caution]:
    """Return the cautions of a summary."""
    return [Caution.read(item) for item in content]
