"""The files of a dataset that a run would read, by their names alone.

Nothing is opened but tables and sidecars, so that it works on a tree whose contents were not
fetched yet: what it lists is what has to be fetched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bidsapp.bids.acquisitions import in_space, offered_spaces
from bidsapp.bids.anatomy import find_grey_matter
from bidsapp.bids.annotation_files import tables_below
from bidsapp.bids.dataset import Dataset
from bidsapp.bids.filters import Filters
from bidsapp.bids.index import companions, find_acquisitions
from bidsapp.bids.names import entities_key, parse_name, space_kind, space_of
from bidsapp.bids.presentations import find_presentations
from bidsapp.bids.records import ImageKind, Run
from bidsapp.bids.sounds import SoundLibrary
from bidsapp.bids.stimuli import stimuli_folders


def files_to_read(
    dataset: Dataset,
    subject: str,
    *,
    spaces: Sequence[str] = ("auto",),
    kinds: Sequence[ImageKind] = ("gifti", "cifti", "volume"),
    filters: Filters | None = None,
    stimuli_dir: Path | None = None,
    adapter: str | None = None,
    grey_matter: bool = False,
) -> list[Path]:
    """Return every file that a run reads of one participant, sorted, with content or without.

    These are BOLD, brain masks, confounds tables, sounds, events, tables of stimuli and ratings,
    grey matter, and the sidecars beside them and above.

    Parameters
    ----------
    dataset
        The opened dataset.
    subject
        Participant label.
    spaces
        As ``--space``.
    kinds
        Kinds of image that are analysed.
    filters, stimuli_dir, adapter
        As for `find_runs` and `find_presentations`.
    grey_matter
        Whether its probability is read, too.

    Raises
    ------
    InputMissingError
        A space is not offered.
    InputInvalidError
        Rows of a table do not say from where a sound was played.
    """
    filters = filters or Filters()
    acquisitions, _ = find_acquisitions(dataset, subject, filters)
    if not acquisitions:
        return []
    if tuple(spaces) == ("auto",):
        spaces = [name for name in offered_spaces(acquisitions) if space_kind(name) in kinds][:1]
    paths: set[Path] = set()
    runs: dict[str, Run] = {}
    beside = companions(dataset, subject, filters)
    for space in spaces:
        for item in in_space(acquisitions, space, subject):
            paths.update(item.bold)
            runs[item.name] = Run(
                *(item.entities, item.space, item.resolution, item.density, item.kind, item.bold),
                *(None, None, 0.0, 0),
            )
            own = dict(entities_key(item.entities))
            for name, path in beside:
                shared = dict(entities_key(name.entities))
                is_mask = name.suffix == "mask"
                if is_mask and (item.kind != "volume" or space_of(name.entities) != item.space):
                    continue
                if all(shared.get(key, label) == label for key, label in own.items()):
                    paths.add(path)
            found = find_grey_matter(dataset.fmriprep, subject, item.space, item.resolution)
            paths.update([found] if grey_matter and found is not None else [])
    folders = stimuli_folders(dataset, stimuli_dir)
    library = SoundLibrary.open(folders)
    played, _ = find_presentations(
        dataset, list(runs.values()), stimuli_dir=stimuli_dir, adapter=adapter
    )
    for stim_file in {item.stim_file for item in played}:
        sound = library.place(stim_file)
        paths.update([sound] if sound is not None else [])
    paths.update(_tables(dataset, subject, list(runs.values()), folders))
    return sorted(paths | set(_descriptions(dataset, paths)))


def _tables(
    dataset: Dataset, subject: str, runs: Sequence[Run], folders: Sequence[Path]
) -> Iterator[Path]:
    """Yield events, courses over runs, and the tables in folders of stimuli."""
    tasks = {run.task for run in runs}
    for root in dataset.roots:
        for path in (*root.glob("*_events.tsv"), *tables_below(root / f"sub-{subject}")):
            name = parse_name(path.name)
            if name.suffix in ("events", "stim") and name.entities.get("task") in tasks:
                yield path
    for folder in folders:
        yield from tables_below(folder)


def _descriptions(dataset: Dataset, paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the descriptions of the datasets, and the sidecars beside files and at the roots."""
    for root in dataset.roots:
        for pattern in ("dataset_description.json", "*_bold.json", "*_stim.json"):
            yield from root.glob(pattern)
    for path in paths:
        stem = path.name.partition(".")[0]
        sidecar = path.with_name(f"{stem}.json")
        if stem.endswith("_events"):
            continue  # describes columns
        if sidecar.exists() or sidecar.is_symlink():
            yield sidecar
