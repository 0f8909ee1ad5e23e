"""Read our own results: one reader for the group level, the reports, checks and users.

`Results` is what one recipe wrote of one participant, or of the group. Files are found by the
entities that the declaration of a result gives them, as `bidsapp.results.write` wrote them.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bidsapp.bids.names import parse_name
from bidsapp.bids.records import ImageKind
from bidsapp.errors import InputInvalidError, InputMissingError
from bidsapp.results.cautions import Caution, from_json
from bidsapp.results.kinds import Column, Facts, Maps, Result, Table, expand, summary

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from bidsapp.brain.geometry import UnitSpace
    from bidsapp.brain.maps import Maps as MapValues

GROUP = "group"
APART = "layers_apart"
"""Key of a network's facts: layers that are shown, but never chosen as the best one."""
_SPACE_NAMES = {
    ("fsaverage", "10k"): "fsaverage5 surface",
    ("fsLR", "91k"): "fsLR 91k grayordinates",
}
_SPACE_KEYS = ("space", "res", "den")
_KINDS: Mapping[str, ImageKind] = {"gii": "gifti", "nii": "cifti", "gz": "volume"}
_JSON = ".json"


@dataclass(frozen=True, slots=True)
class Space:
    """A space that results are written in: its entities, and its name for a reader.

    Attributes
    ----------
    space, res, den
        Labels; empty where a name has none.
    """

    space: str = ""
    res: str = ""
    den: str = ""

    @classmethod
    def of(cls, entities: Mapping[str, str]) -> Space:
        """Return the space that a file name tells."""
        return cls(*(entities.get(key, "") for key in _SPACE_KEYS))

    @property
    def entities(self) -> dict[str, str]:
        """Entities of every file in this space."""
        labels = zip(_SPACE_KEYS, (self.space, self.res, self.den), strict=True)
        return {key: label for key, label in labels if label}

    @property
    def title(self) -> str:
        """Name for a reader."""
        extra = [part for part in (self.res and f"res-{self.res}", self.den) if part]
        plain = " ".join([self.space or "native space", *extra])
        return _SPACE_NAMES.get((self.space, self.den), plain)

    @property
    def anchor(self) -> str:
        """Name for a link."""
        return "-".join(part for part in (self.space, self.res, self.den) if part) or "native"

    @property
    def is_mni(self) -> bool:
        """Whether coordinates are MNI millimetres."""
        return self.space.startswith("MNI")


class Results:
    """What one recipe wrote of one participant, or of the group.

    Parameters
    ----------
    root
        Output folder.
    recipe
        Its name.
    catalogue
        Everything that the recipe declares.
    subject
        Participant label, with or without ``sub-``; empty for the group.

    Raises
    ------
    InputMissingError
        The recipe has no finished results of this participant, or of the group.
    """

    def __init__(
        self, root: Path, recipe: str, catalogue: Sequence[Result], subject: str = ""
    ) -> None:
        self.root, self.recipe, self.catalogue = root, recipe, tuple(catalogue)
        self.subject = subject.removeprefix("sub-")
        self.summary = summary(recipe, "group" if self.is_group else "participant")
        if not self.spaces:
            level = GROUP if self.is_group else f"participant level of sub-{self.subject}"
            msg = f"{self.folder} holds no finished results of {recipe}; run the {level} first"
            raise InputMissingError(msg)

    @property
    def is_group(self) -> bool:
        """Whether these are results of the group level."""
        return not self.subject

    @property
    def title(self) -> str:
        """Whose results these are: ``sub-01`` or ``group, N = 12``."""
        return f"group, N = {self.n_participants}" if self.is_group else f"sub-{self.subject}"

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return self.root / (GROUP if self.is_group else f"sub-{self.subject}")

    @cached_property
    def _files(self) -> dict[tuple[str, frozenset[tuple[str, str]]], list[Path]]:
        """Files by suffix and entities (without hemisphere); left before right."""
        files: dict[tuple[str, frozenset[tuple[str, str]]], list[Path]] = {}
        for path in sorted(self.folder.rglob("*")):
            if path.name.startswith(".") or not path.is_file():
                continue
            name = parse_name(path)
            key = frozenset(item for item in name.entities.items() if item[0] != "hemi")
            files.setdefault((name.suffix, key), []).append(path)
        return files

    @cached_property
    def spaces(self) -> tuple[Space, ...]:
        """Spaces with a summary: those that are complete; fsaverage first."""
        spaces = {
            Space.of(dict(entities))
            for suffix, entities in self._files
            if suffix == "stats" and ("desc", self.summary.desc) in entities
        }
        return tuple(sorted(spaces, key=lambda item: (item.space != "fsaverage", item.anchor)))

    def facts(self, space: Space | None = None) -> Mapping[str, Any]:
        """Return the summary of a space; of the first one without an argument."""
        (path,) = self._paths(self.summary, space or self.spaces[0], "")
        return read_json(path)

    def setting(self, name: str, space: Space | None = None) -> Any:
        """Look a value up among the settings, the configuration, then the summary itself."""
        facts = self.facts(space)
        for place in (facts.get("settings") or {}, facts.get("config") or {}, facts):
            if place.get(name) is not None:
                return place[name]
        return None

    def networks(self, space: Space | None = None) -> tuple[str, ...]:
        """Return the networks (feature spaces) in the order in which they were analysed."""
        return tuple(self.facts(space).get("networks") or ())

    def network(self, name: str, space: Space | None = None) -> Mapping[str, Any]:
        """Return what the summary says of one network: layers, weights, counts."""
        found: Mapping[str, Any] = self.facts(space)["networks"][name]
        return found

    def layers(self, name: str, space: Space | None = None) -> tuple[str, ...]:
        """Return the names of a network's layers, first to last."""
        return tuple(map(str, self.network(name, space)["layers"]))

    def competes(self, name: str, space: Space | None = None) -> NDArray[np.bool_]:
        """(n_layers,) whether each layer of a network may be the best one."""
        import numpy as np

        apart = self.network(name, space).get(APART, ())
        return np.array([layer not in apart for layer in self.layers(name, space)])

    def cautions(self, space: Space | None = None) -> list[Caution]:
        """Return the cautions of one space, or of all."""
        spaces = self.spaces if space is None else (space,)
        lists = (from_json(self.facts(item).get("cautions") or ()) for item in spaces)
        return list(dict.fromkeys(caution for cautions in lists for caution in cautions))

    @property
    def participants(self) -> tuple[str, ...]:
        """Labels of those who take part."""
        if not self.is_group:
            return (self.subject,)
        return tuple(map(str, self.facts().get("participants") or ()))

    @property
    def n_participants(self) -> int:
        """How many take part."""
        return len(self.participants)

    @property
    def date(self) -> str:
        """When the results were written (UTC)."""
        paths = [self._paths(self.summary, space, "")[0] for space in self.spaces]
        latest = max(path.stat().st_mtime for path in paths)
        return f"{datetime.fromtimestamp(latest, UTC):%Y-%m-%d %H:%M} UTC"

    @cached_property
    def description(self) -> Mapping[str, Any]:
        """Content of ``dataset_description.json``; empty without it."""
        path = self.root / "dataset_description.json"
        return read_json(path) if path.exists() else {}

    def records(self) -> list[dict[str, Any]]:
        """Return what was recorded of the jobs that ended well: seconds, memory."""
        records = []
        for path in sorted((self.root / "logs" / "jobs").glob("*.json")):
            with contextlib.suppress(InputInvalidError):
                records.append(read_json(path))
        level = GROUP if self.is_group else "participant"
        wanted = {"recipe": self.recipe, "level": level, "subject": self.subject, "state": "done"}
        return [item for item in records if wanted.items() <= item.items()]

    def written(self, result: Result, space: Space | None = None, network: str = "") -> bool:
        """Whether a result is there: not only its sidecar, and both hemispheres of surfaces."""
        paths = self._paths(result, space, network)
        if not isinstance(result, Facts):
            paths = [path for path in paths if path.suffix != _JSON]
        sides = {parse_name(path).entities.get("hemi") for path in paths} - {None}
        return bool(paths) and len(sides) != 1

    def anywhere(self, result: Result) -> bool:
        """Whether a result is there in some space, of some network."""
        networks = self.networks() if result.by_network else ("",)
        return any(self.written(result, space, name) for space in self.spaces for name in networks)

    def maps(
        self, result: Result, space: Space, network: str = "", units: UnitSpace | None = None
    ) -> MapValues | None:
        """Read maps, labels or a mask; None when not written.

        On the units of the space, or on others of the same mesh or grid.

        Raises
        ------
        InputInvalidError
            A file cannot be read or does not fit the other maps of the space.
        """
        from bidsapp.brain.maps import read_maps

        paths = self.images(result, space, network)
        return read_maps(paths, units or self.units(space)) if paths else None

    def values(
        self, result: Result, space: Space, network: str = "", units: UnitSpace | None = None
    ) -> NDArray[np.float32]:
        """Read maps that are always written, (n_maps, n_units); see `maps`.

        Raises
        ------
        InputMissingError
            They are not there.
        """
        found = self.maps(result, space, network, units=units)
        if found is None:
            msg = f"{self.folder} lacks desc-{result.desc} in {space.title}; run it again"
            raise InputMissingError(msg)
        return found.values

    def units(self, space: Space) -> UnitSpace:
        """Return the units of a space: those of the first declared maps that are there."""
        if space not in self._units:
            self._units[space] = self._read_units(space)
        return self._units[space]

    @cached_property
    def _units(self) -> dict[Space, UnitSpace]:
        return {}

    def _read_units(self, space: Space) -> UnitSpace:
        from bidsapp.brain.maps import read_maps

        name = str(self.facts(space).get("space") or space.space)
        for result in expand(self.catalogue):
            networks = self.networks(space) if result.by_network else ("",)
            for network in networks if isinstance(result, Maps) and result.by_space else ():
                paths = self.images(result, space, network)
                if paths:
                    return read_maps(paths, space=name).units
        msg = f"{self.folder} holds no maps of {self.recipe} in {space.title}; run it again"
        raise InputMissingError(msg)

    def kind(self, space: Space) -> ImageKind | None:
        """Return the kind of image of a space; None where no maps are written."""
        for (suffix, entities), paths in self._files.items():
            if suffix == "statmap" and Space.of(dict(entities)) == space:
                ends = [path.name.rpartition(".")[2] for path in paths if path.suffix != _JSON]
                if ends:
                    return _KINDS[ends[0]]
        return None

    def table(self, result: Table, space: Space | None = None, network: str = "") -> pd.DataFrame:
        """Read a table; without rows, but with its columns, when not written."""
        import pandas as pd

        paths = [path for path in self._paths(result, space, network) if path.suffix == ".tsv"]
        if not paths:
            return pd.DataFrame(columns=result.header)
        return read_stats(paths[0], result.columns)

    def arrays(
        self, result: Result, space: Space | None = None, network: str = ""
    ) -> dict[str, NDArray[Any]] | None:
        """Read named arrays; None when not written.

        Raises
        ------
        InputInvalidError
            The file cannot be read.
        """
        import numpy as np

        for path in self._paths(result, space, network):
            if path.suffix == ".npz":
                try:
                    with np.load(path) as content:
                        return dict(content)
                except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile) as error:
                    msg = f"{path}: cannot be read ({error}); run the participant again"
                    raise InputInvalidError(msg) from error
        return None

    def sidecar(
        self, result: Result, space: Space | None = None, network: str = ""
    ) -> Mapping[str, Any]:
        """Return the metadata beside a result; empty when it is not written."""
        for path in self._paths(result, space, network):
            if path.suffix == _JSON:
                return read_json(path)
        return {}

    def files(
        self, result: Result, space: Space | None = None, network: str = ""
    ) -> tuple[Path, ...]:
        """Return the files of a result, sidecars included; none when it is not written."""
        return tuple(self._paths(result, space, network))

    def missing(self, space: Space) -> list[str]:
        """Return the labels of required results that are not written in a space.

        Of results with conditions, those that the summary lists as ``conditions`` are required;
        all of them where it lists none.
        """
        conditions = self.facts(space).get("conditions")
        return [
            f"{result.title.lower()} (desc-{result.desc})"
            for declared in self.catalogue
            if declared.at("participant")
            for result in expand([declared], conditions)
            if result.required
            for network in (self.networks(space) if result.by_network else ("",))
            if not self.written(result, space, network)
        ]

    def images(
        self,
        result: Result,
        space: Space,
        network: str = "",
        entities: Mapping[str, str] | None = None,
    ) -> list[Path]:
        """Return the image of a result, of GIFTI the left and the right one; else none.

        Further `entities` are those of maps on a surface that are kept beside a volume.
        """
        paths = self._paths(result, space, network, entities)
        return [path for path in paths if path.suffix not in (_JSON, ".tsv")]

    def _paths(
        self,
        result: Result,
        space: Space | None,
        network: str,
        entities: Mapping[str, str] | None = None,
    ) -> list[Path]:
        wanted = {} if self.is_group else {"sub": self.subject}
        if result.by_space:
            wanted |= (space or self.spaces[0]).entities
        wanted |= {**result.entities(network), **(entities or {})}
        return self._files.get((result.suffix, frozenset(wanted.items())), [])


def finished(root: Path, recipe: str) -> Iterator[str]:
    """Yield the labels of participants with finished results of a recipe, sorted."""
    label = summary(recipe, "participant").desc
    paths = root.glob(f"sub-*/**/sub-*_desc-{label}_stats.json")
    yield from sorted({parse_name(path).entities["sub"] for path in paths})


def read_stats(path: Path, columns: Iterable[Column] = ()) -> pd.DataFrame:
    """Read one of our tables; ``n/a`` is missing, every other label stays itself.

    Parameters
    ----------
    path
        ``_stats.tsv``.
    columns
        Declared columns: those that are text are not turned into numbers.

    Raises
    ------
    InputInvalidError
        The file cannot be parsed.
    """
    import pandas as pd

    text = {column.name: str for column in columns if column.text} | {"participant": str}
    try:
        return pd.read_csv(path, sep="\t", na_values=["n/a"], keep_default_na=False, dtype=text)
    except pd.errors.EmptyDataError:
        return pd.DataFrame(columns=[column.name for column in columns])
    except (ValueError, pd.errors.ParserError) as error:
        msg = f"{path}: not a readable table ({error}); remove it and run the analysis again"
        raise InputInvalidError(msg) from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    InputInvalidError
        The file is not a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        msg = f"{path}: not readable as JSON ({error}); remove it and run the analysis again"
        raise InputInvalidError(msg) from error
    if not isinstance(content, dict):
        msg = f"{path}: holds a {type(content).__name__}, not an object; remove it and run again"
        raise InputInvalidError(msg)
    return content
