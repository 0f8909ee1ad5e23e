"""Methods text and citations, from what ran: templates filled with written results."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Template

from bidsapp.audio.networks import CONTROLS, RANDOM
from bidsapp.brain.strategies import AUTO, AUTO_DESCRIPTION, STRATEGIES
from bidsapp.errors import AppError
from bidsapp.report.brain.projection import unit_words
from bidsapp.report.html import environment
from bidsapp.results.inferences import Inference
from bidsapp.results.networks import NETWORKS
from bidsapp.results.read import Results, Space

_ENTRY = re.compile(r"^@\w+\{(?P<key>\w+),\n(?P<body>.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^  (?P<name>\w+) = \{(?P<value>.*)\},$", re.MULTILINE)
_CONTAINERS = ("journal", "booktitle", "howpublished", "publisher")
_MOST_NAMED = 3


@dataclass(frozen=True)
class Reference:
    """One cited work.

    Attributes
    ----------
    bibtex
        Its entry.
    fields
        BibTeX fields, without braces.
    """

    bibtex: str
    fields: Mapping[str, str]

    @property
    def plain(self) -> str:
        """The work in one line."""
        work = self.fields
        names = [name.partition(",")[0] for name in work["author"].split(" and ")]
        several = f"{names[0]} et al." if len(names) > _MOST_NAMED else enumerated(names)
        year = f" ({work['year']})" if "year" in work else ""
        where = next(work[name] for name in _CONTAINERS if name in work)
        volume = f" {work['volume']}" if "volume" in work else ""
        pages = f": {work['pages'].replace('--', '-')}" if "pages" in work else ""
        doi = f" doi:{work['doi']}" if "doi" in work else ""
        return f"{several}{year}. {work['title']}. {where}{volume}{pages}.{doi}"


@functools.cache
def references() -> Mapping[str, Reference]:
    """Read the works that can be cited, by key."""
    text = files("bidsapp.report").joinpath("templates/references.bib").read_text("utf-8")
    return {entry["key"]: _reference(entry) for entry in _ENTRY.finditer(text)}


def _reference(entry: re.Match[str]) -> Reference:
    fields = {
        field["name"]: field["value"].strip("{}") for field in _FIELD.finditer(entry["body"])
    }
    return Reference(entry[0], fields)


def bibliography(keys: Iterable[str]) -> str:
    """Return BibTeX entries of these works, each once, in the given order."""
    known = references()
    return "\n\n".join(known[key].bibtex for key in dict.fromkeys(keys)) + "\n"


NO_CONFOUNDS = "no confounds"
_SPACES = re.compile(r"[ \n]+")  # not the no-break spaces before units
_SPACE_REFERENCES = {"fsaverage": "fischl1999", "fsLR": "glasser2013"}
_OPEN, _CLOSE = "\u27e6", "\u27e7"  # brackets about the keys of cited works
_MARK = re.compile(f"{_OPEN}([^{_CLOSE}]*){_CLOSE}")
_TAGGERS = ("resnet1d", "musicnn", "musicnnmtt", "vggmtt")


@dataclass(frozen=True)
class Methods:
    """The text of a methods section and what it cites.

    Attributes
    ----------
    text
        Paragraphs, separated by blank lines; citations as numbers in square brackets.
    references
        Keys of `references()`, in order of first citation.
    """

    text: str
    references: tuple[str, ...]

    @property
    def bibtex(self) -> str:
        """The cited works as BibTeX."""
        return bibliography(self.references)

    @property
    def numbered(self) -> str:
        """The cited works as a numbered list."""
        lines = [f"[{n}] {references()[key].plain}" for n, key in enumerate(self.references, 1)]
        return "\n".join(lines)

    @property
    def markdown(self) -> str:
        """Text and references for ``logs/CITATION.md``."""
        items = [f"{n}. {references()[key].plain}" for n, key in enumerate(self.references, 1)]
        return "\n\n".join(["# Methods", self.text, "# References", "\n".join(items)]) + "\n"


def _mark(*keys: str) -> str:
    """Leave the keys of works where they are cited; `_numbered` turns them into numbers."""
    return f"{_OPEN}{' '.join(keys)}{_CLOSE}"


def _numbered(text: str) -> tuple[str, tuple[str, ...]]:
    """Replace marks by numbers in the order of first citation; return text and keys."""
    keys = list(dict.fromkeys(key for group in _MARK.findall(text) for key in group.split()))

    def number(match: re.Match[str]) -> str:
        return "[" + ", ".join(str(keys.index(key) + 1) for key in match[1].split()) + "]"

    return _MARK.sub(number, text), tuple(keys)


def render_methods(template: str, context: Mapping[str, Any]) -> Methods:
    """Write the methods that a template makes of some facts.

    Parameters
    ----------
    template
        Name of the template; ``§`` separates its paragraphs, ``cite(...)`` cites.
    context
        What it may use.
    """
    return fill_methods(environment().get_template(template), context)


def fill_methods(template: Template, context: Mapping[str, Any]) -> Methods:
    """Write the methods that a loaded template makes of some facts; see `render_methods`."""
    text = template.render(cite=_mark, enumerated=enumerated, **context)
    paragraphs = [_SPACES.sub(" ", paragraph).strip() for paragraph in text.split("§")]
    return Methods(*_numbered("\n\n".join(filter(None, paragraphs))))


def own_results(results: Results) -> Iterator[Results]:
    """Yield the results of a group's participants, as far as their files are still there."""
    for label in results.participants:
        with contextlib.suppress(AppError):
            yield Results(results.root, results.recipe, results.catalogue, label)


def first_participant(results: Results) -> Results | None:
    """Return the results of the participant whose analysis stands for all of a group.

    Parameters
    ----------
    results
        Of a group; those of a participant are returned as they are.

    Returns
    -------
    Results or None
        Of the first participant; None when no participant's results are there any more.
    """
    return next(own_results(results), None) if results.is_group else results


def shared_context(results: Results) -> dict[str, Any]:
    """Return what ``methods_blocks.txt.j2`` needs, of a participant or of a group.

    Parameters
    ----------
    results
        Of a participant or of a group.

    Returns
    -------
    dict
        ``facts``, ``recipe``, ``variant``, ``version``, ``setting`` (name → value) of these
        results; ``n``, ``n_left_out`` of a group; ``own`` and ``option`` (the same of the
        participant level), ``runs``, ``trs``, ``fmriprep``, ``spaces``, ``confounds``,
        ``period_s``, ``smoothing_mm``, ``networks`` of the first participant, if there is one
        (``has_participant``).
    """
    facts, own = results.facts(), first_participant(results)
    context = {
        "facts": facts,
        "recipe": results.recipe,
        "variant": facts["variant"],
        "version": facts.get("version"),
        "setting": results.setting,
        "is_group": results.is_group,
        "n": results.n_participants,
        "n_left_out": len(facts.get("left_out") or ()),
        "has_participant": own is not None,
    }
    missing: dict[str, Any] = {"networks": [], "spaces": [], "own": None}
    return context | (missing if own is None else _of_participant(own))


def _of_participant(own: Results) -> dict[str, Any]:
    runs = own.facts().get("runs") or ()
    high_pass_hz = own.setting("high_pass_hz")
    return {
        "own": own.facts(),
        "option": own.setting,
        "runs": runs,
        "trs": sorted({f"{run['tr_s']:g}" for run in runs}),
        "fmriprep": all(run["preprocessed"] for run in runs),
        "spaces": [_space_facts(own, space) for space in own.spaces],
        "confounds": confounds_text(own.setting("confounds")),
        "period_s": 1 / high_pass_hz if high_pass_hz else None,
        "smoothing_mm": own.setting("smoothing_fwhm_mm"),
        "networks": [_network_facts(own, name) for name in own.networks()],
    }


def _space_facts(results: Results, space: Space) -> dict[str, Any]:
    unit, units = unit_words(results.units(space))
    reference = "fonov2011" if space.is_mni else _SPACE_REFERENCES.get(space.space)
    n_units = results.facts(space).get("n_units")
    return {
        "title": space.title,
        "unit": unit,
        "units": units,
        "n_units": n_units,
        "reference": reference,
    }


def _network_facts(results: Results, name: str) -> dict[str, Any]:
    title, reference = NETWORKS.get(name, (name, None))
    network = results.network(name)
    return {
        "key": name,
        "name": title,
        "layers": list(network["layers"]),
        "n_layers": len(network["layers"]),
        "weights": weights_text(network.get("weights") or {"source": "none"}),
        "control": control_weights(results, name),
        "reference": reference,
        "is_tagger": name in _TAGGERS,
    }


def inference_sentences(
    used: Sequence[Inference], draws: Mapping[str, object], level: float = 0.05
) -> list[dict[str, Any]]:
    """Return the methods sentences of inferences, with what they cite.

    Parameters
    ----------
    used
        Those behind the written results (`bidsapp.report.sections.used_inferences`).
    draws
        Key of an inference → how often something was drawn, as a number or in words; without
        any draws it is left out.
    level
        P-value that counts as significant.

    Returns
    -------
    list of dict
        ``title``, ``text`` without its last full stop, ``cites``; in the order of `used`.

    Raises
    ------
    KeyError
        Draws that a sentence names are not given.
    """
    return [
        {"title": item.title, "text": _sentence(item, draws, level), "cites": item.cites}
        for item in used
        if draws.get(item.key, True)
    ]


def _sentence(item: Inference, draws: Mapping[str, object], level: float) -> str:
    """Fill a sentence in, with no-break spaces between thousands."""
    n = draws.get(item.key)
    words = f"{n:,}".replace(",", "\u00a0") if isinstance(n, int) else n
    values = {"level": f"{level:g}"} | ({} if words is None else {"n_draws": words})
    return item.method.format(**values).rstrip(".")


def weights_text(record: Mapping[str, Any]) -> str:
    """Describe the weights of a network in a few words; empty when it has none.

    Examples
    --------
    >>> weights_text({"source": "random", "seed": 0})
    'random weights (seed 0)'
    """
    if record["source"] == "random":
        return f"random weights (seed {record['seed']})"
    if record["source"] == "permuted":
        return f"the weights of {record['file']} permuted within kernels (seed {record['seed']})"
    if record["source"] == "table":
        return f"features read from {record['file']} (sha256 {record['sha256'][:12]}…)"
    if record["source"] == "file":
        return f"pretrained weights ({record['file']}, sha256 {record['sha256'][:12]}…)"
    return ""


def control_weights(results: Results, network: str, space: Space | None = None) -> str:
    """Return ``random`` or ``permuted`` if a network ran with such weights; empty otherwise."""
    record = results.network(network, space).get("weights") or {}
    source = str(record.get("source"))
    return source if source in CONTROLS else ""


def has_random_weights(results: Results, network: str, space: Space | None = None) -> bool:
    """Whether a network ran with random weights."""
    return control_weights(results, network, space) == RANDOM


def confounds_text(value: Any) -> str | None:
    """Say what was regressed out: a strategy, names of columns, or nothing."""
    if value is None or isinstance(value, Mapping):
        return None
    if isinstance(value, list):
        return ", ".join(map(str, value)) or NO_CONFOUNDS
    if str(value) == "none":
        return NO_CONFOUNDS
    if str(value) == AUTO:
        return AUTO_DESCRIPTION
    known = STRATEGIES.get(str(value))
    return f"the strategy “{value}”" if known is None else known.description


def enumerated(names: Sequence[str]) -> str:
    """Join names.

    Examples
    --------
    >>> enumerated(["a"]), enumerated(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def lag_text(lags: Sequence[float] | None) -> str | None:
    """Write lags as ``4, 5 and 6 s``; None without lags."""
    if not lags:
        return None
    return enumerated([f"{lag:g}".replace("-", "\u2212") for lag in lags]) + " s"
