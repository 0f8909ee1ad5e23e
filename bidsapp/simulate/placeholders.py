"""Metadata trees whose images are placeholders: participants, runs, volumes, copies.

The number of volumes of a run comes from the published size of its uncompressed CIFTI file (int16,
91 282 grayordinates): bytes = header + 182 564 × volumes, with a header of 629 kB, give or take
the length of a few numbers. Sizes are read from ``annex_sizes.tsv`` tables or git-annex links.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bidsapp.bids.clock import Stated, start_time
from bidsapp.bids.headers import TimeAxis
from bidsapp.bids.names import ACQUISITION_ENTITIES, Name, build_path, parse_name, select
from bidsapp.bids.sidecars import inherited_metadata
from bidsapp.errors import InputInvalidError, InputMissingError
from bidsapp.simulate.participant import FMRIPREP
from bidsapp.simulate.study import ScheduledRun

_HEADER_BYTES, _VOLUME_BYTES = (620_000, 640_000), 182_564
_ANNEX_SIZE = re.compile(r"-s(\d+)-")


@dataclass(frozen=True)
class Tree:
    """A metadata tree.

    Attributes
    ----------
    raw, derivative
        Roots of the raw dataset and of fMRIPrep.
    sizes
        Path relative to `derivative` to the published bytes.
    """

    raw: Path
    derivative: Path
    sizes: Mapping[str, int]

    def participants(self) -> tuple[str, ...]:
        """Labels with derivatives, sorted."""
        folders = [path for path in self.derivative.glob("sub-*") if path.is_dir()]
        return tuple(sorted(path.name.removeprefix("sub-") for path in folders))

    def runs(self, label: str) -> list[ScheduledRun]:
        """Return the runs of one participant, sorted by name, nothing played yet."""
        runs = [
            self._run(path, name)
            for path in sorted((self.derivative / f"sub-{label}").glob("**/func/*"))
            if (name := parse_name(path)).extension == ".dtseries.nii"
        ]
        if not runs:
            msg = (
                f"{self.derivative}: sub-{label} has no fsLR CIFTI placeholders, from which the "
                f"number of volumes is known; participants are {', '.join(self.participants())}"
            )
            raise InputMissingError(msg)
        if len({run.tr_s for run in runs}) > 1:
            msg = f"{self.derivative}: repetition times of sub-{label} differ between runs"
            raise InputInvalidError(msg)
        return runs

    def copy(self, out_dir: Path, labels: Sequence[str]) -> None:
        """Copy text files and placeholders of some participants."""
        _copy(self.raw, out_dir, labels)
        _copy(self.derivative, out_dir / FMRIPREP, labels)

    def _run(self, path: Path, name: Name) -> ScheduledRun:
        relative = path.relative_to(self.derivative).as_posix()
        n_bytes = self._bytes(path, relative)
        n_trs, spare = divmod(n_bytes - _HEADER_BYTES[0], _VOLUME_BYTES)
        if n_trs < 1 or spare > _HEADER_BYTES[1] - _HEADER_BYTES[0]:
            msg = (
                f"{path}: a published size of {n_bytes} bytes is no whole number of volumes of "
                "91k grayordinates; leave this participant out"
            )
            raise InputInvalidError(msg)
        entities = select(name.entities, ACQUISITION_ENTITIES)
        raw = self.raw / build_path(entities, "bold", ".nii.gz")
        metadata = inherited_metadata(raw, self.raw)[0]
        metadata |= inherited_metadata(path, self.derivative)[0]
        tr_s = float(metadata["RepetitionTime"])
        stated = Stated([metadata], {}, TimeAxis(n_trs, None), None)
        del entities["sub"]
        return ScheduledRun(
            entities=entities,
            n_trs=n_trs,
            tr_s=tr_s,
            start_s=start_time(path, stated, tr_s, preprocessed=True, given_s=None)[0],
            playing=(),
        )

    def _bytes(self, path: Path, relative: str) -> int:
        if relative in self.sizes:
            return self.sizes[relative]
        linked = _ANNEX_SIZE.search(path.readlink().name) if path.is_symlink() else None
        if linked:
            return int(linked[1])
        if path.stat().st_size:
            return path.stat().st_size
        msg = f"{path}: its size is in no annex_sizes.tsv and in no git-annex link"
        raise InputMissingError(msg)


def find_tree(root: Path) -> Tree:
    """Find raw data, derivatives and sizes below `root`.

    Raises
    ------
    InputMissingError
        There are no fMRIPrep derivatives.
    """
    raw = root / "bids" if (root / "bids").is_dir() else root
    for derivative in (root / "fmriprep", raw / FMRIPREP):
        if derivative.is_dir():
            tables = [derivative / "annex_sizes.tsv", root / "fmriprep.annex_sizes.tsv"]
            return Tree(raw, derivative, dict(_sizes(tables)))
    msg = f"{root}: holds no fmriprep and no derivatives/fmriprep; give a tree with derivatives"
    raise InputMissingError(msg)


def _sizes(tables: Sequence[Path]) -> Iterator[tuple[str, int]]:
    for table in tables:
        if table.exists():
            for line in table.read_text().splitlines()[1:]:
                path, size, *_ = line.split("\t")
                if size.isdigit():
                    yield path, int(size)


def _copy(source: Path, target: Path, labels: Sequence[str]) -> None:
    """Copy root files and the folders of some participants; what is absent becomes empty."""
    wanted = {f"sub-{label}" for label in labels}
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        first = relative.parts[0].split(".")[0]
        skipped = first.startswith("sub-") and first not in wanted
        if skipped or relative.parts[0] in {"derivatives", "sourcedata", ".git"}:
            continue
        if path.is_file() or path.is_symlink():
            (target / relative).parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                shutil.copyfile(path, target / relative)
            else:
                (target / relative).touch()
