"""Where the parameters of networks lie; nothing of them is read here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bidsapp.errors import ResourceUnavailableError


def find_weights(
    network: str,
    weights: str | Path,
    weights_dir: Path | None,
    known: Mapping[str, tuple[str, ...]],
    bundle: str = "",
) -> Path:
    """Turn the name of weights into a file.

    Parameters
    ----------
    network
        Name of the network, for the message.
    weights
        A key of `known`, the name of a file in `weights_dir`, or a path.
    weights_dir
        Folder of weights.
    known
        Name → file names, in order of preference.
    bundle
        What `musicotopy-tools fetch` calls them, for the message.

    Raises
    ------
    ResourceUnavailableError
        None of them is a file; the message says what to put where.
    """
    names = known.get(str(weights), (str(weights),))
    folders = [weights_dir] if weights_dir is not None else []
    candidates = [folder / name for folder in folders for name in names]
    if str(weights) not in known:
        candidates.insert(0, Path(weights))
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    place = f"in {weights_dir}" if weights_dir is not None else "(no --weights-dir given)"
    fetch = f"run `musicotopy-tools fetch {bundle}`, or " if bundle else ""
    msg = (
        f"{network} weights {weights!s} not found {place}; {fetch}put {' or '.join(names)} into a "
        f"folder and name it with --weights-dir, or run the untrained control with "
        f"--weights random"
    )
    raise ResourceUnavailableError(msg)
