"""Annotations through neuromaps: ``fetch neuromaps SOURCE/DESC/SPACE/DENSITY ...``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bidsapp.bids.atomic import output_errors, output_lock
from bidsapp.bids.neuromaps import annotation_facts, annotation_name, datasets, records
from bidsapp.errors import ResourceUnavailableError, UsageError
from bidsapp.fetch.download import file_hash, read_sums, write_sums


def fetch_annotations(
    wishes: Sequence[str], folder: Path, *, quiet: bool = False
) -> Iterator[tuple[str, list[Path]]]:
    """Let neuromaps download annotations; it checks their published checksums.

    Parameters
    ----------
    wishes
        ``SOURCE/DESC/SPACE/DENSITY``, with or without ``neuromaps:`` before it.
    folder
        Of neuromaps' data; made if needed. Hashes are recorded in its ``SHA256SUMS``.
    quiet
        Show no progress.

    Yields
    ------
    licence : str
        Of the annotation, and the works to cite.
    paths : list of Path
        The files, in the order of names.

    Raises
    ------
    UsageError
        A name has another form, there is no such annotation, or none is given.
    ResourceUnavailableError
        neuromaps is not installed, or its server does not answer.
    OutputError
        The folder cannot be written.
    """
    import requests

    if not wishes:
        msg = (
            "fetch neuromaps: name annotations as SOURCE/DESC/SPACE/DENSITY, such as "
            "hcps1200/myelinmap/fsLR/32k"
        )
        raise UsageError(msg)
    module = datasets()
    names = [annotation_name(wish) for wish in wishes]
    for name in names:
        records(name)
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with output_lock(folder), output_errors(folder):
        for name in names:
            try:
                files = module.fetch_annotation(
                    **name.query, data_dir=str(folder), verbose=0 if quiet else 1
                )
            except (requests.RequestException, ValueError) as error:
                reason = next(iter(str(error).splitlines()), type(error).__name__)[:200]
                msg = (
                    f"neuromaps cannot bring {name} ({type(error).__name__}: {reason}); check "
                    f"the network"
                )
                raise ResourceUnavailableError(msg) from error
            paths = sorted(map(Path, [files] if isinstance(files, str) else files))
            sums = {path.relative_to(folder).as_posix(): file_hash(path) for path in paths}
            write_sums(folder, read_sums(folder) | sums)
            facts = annotation_facts(name)
            yield f"{name}: {facts['licence']}; cite {facts['citation']}", paths
