"""The files of a dataset that a run would read, by their names alone.

Nothing is opened but tables and sidecars, so that it works on a tree whose contents were not
fetched yet: what it lists is what has to be fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bidsapp.bids.acquisitions import in_space, offered_spaces
from bidsapp.bids.dataset import Dataset
from bidsapp.bids.filters import Filters
from bidsapp.bids.index import companions, find_acquisitions
from bidsapp.bids.names import entities_key, space_kind, space_of
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
) -> list[Path]:
    """Return BOLD, brain masks, confounds tables and sounds of one participant, sorted.

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
    folders = stimuli_folders(dataset, stimuli_dir)
    library = SoundLibrary.open(folders)
    played, _ = find_presentations(
        dataset, list(runs.values()), stimuli_dir=stimuli_dir, adapter=adapter
    )
    for stim_file in {item.stim_file for item in played}:
        sound = library.place(stim_file)
        paths.update([sound] if sound is not None else [])
    return sorted(paths)
