"""Templates and atlases through TemplateFlow's client: ``fetch templates``, ``fetch atlases``.

The client knows addresses, layout and placeholders; here are the queries, the recorded hashes and
the messages. ``--mirror`` names another server with the client's own setting.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bidsapp.bids.atomic import output_errors, output_lock
from bidsapp.bids.templateflow import HCP_MMP, atlas_name, client, split_template
from bidsapp.errors import InputInvalidError, ResourceUnavailableError, UsageError
from bidsapp.fetch.download import file_hash, read_sums, write_sums

VOLUMES: Final = ("MNI152NLin2009cAsym", "MNI152NLin6Asym")
"""Templates of fMRIPrep in which atlases are fetched."""
DEFAULTS: Final[Mapping[str, tuple[str, ...]]] = {
    "templates": ("fsLR:space=fsaverage,density=32k,suffix=sphere",),
    "atlases": ("Destrieux2009", "HOCPA:th25", "Schaefer2018:400Parcels7Networks"),
}
"""Queries where the user gives none."""
_COARSEST: Final = "10k"
Clients = Callable[[str], Any]
"""From a template's name to a client of TemplateFlow whose index holds it."""


@dataclass(frozen=True)
class Query:
    """What is asked of the client.

    Attributes
    ----------
    template
        Without cohort.
    entities
        As `templateflow.api.get` takes them.
    """

    template: str
    entities: Mapping[str, Any]


def fetch_templates(
    kind: str, wishes: Sequence[str], home: Path, *, mirror: str | None = None, quiet: bool = False
) -> Iterator[tuple[str, list[Path]]]:
    """Bring templates or atlases into a folder of TemplateFlow.

    Files that are there are left alone; the hash of each is recorded in ``SHA256SUMS``, and a
    file must keep the one it had when it first came.

    Parameters
    ----------
    kind
        ``templates`` or ``atlases``.
    wishes
        Templates as ``TEMPLATE[+COHORT][:ENTITY=VALUE,…]`` (without entities: the brain mask and
        the probability of grey matter if there is one, or the midthickness and registered spheres
        of fsLR and fsaverage); atlases as
        ``NAME[:PART]``. Empty for `DEFAULTS`.
    home
        Filled with the client's placeholders if it is empty.
    mirror
        Address of a server with the same files under the same names.
    quiet
        Show no progress.

    Yields
    ------
    licence : str
        Of the template, as its description says, and where its text is.
    paths : list of Path
        Its files, in the order of names.

    Raises
    ------
    UsageError
        A query has another form.
    ResourceUnavailableError
        TemplateFlow has no such file, or the server does not answer.
    InputInvalidError
        A file is another one than before.
    OutputError
        The folder cannot be written.
    """
    with output_errors(home):
        home.mkdir(parents=True, exist_ok=True)
    with output_lock(home), output_errors(home):
        clients = _clients(home, mirror)
        for wish in wishes or DEFAULTS[kind]:
            queries = _atlas(wish, clients) if kind == "atlases" else _template(wish)
            names = {query.template for query in queries}
            listed = [path for query in queries for path in _listed(clients, query)]
            paths = sorted(set(listed))
            if not any(path.suffix != ".tsv" for path in paths):
                msg = (
                    f"fetch {kind} {wish}: TemplateFlow has no such file; see `python -c "
                    f'"import templateflow.api as t; print(t.templates())"` for its templates'
                )
                raise ResourceUnavailableError(msg)
            for query in queries:
                if _listed(clients, query):
                    _get(clients, query, home, quiet=quiet)
            _record(home, paths)
            yield "; ".join(_licence(clients(name), name) for name in sorted(names)), paths


def _clients(home: Path, mirror: str | None) -> Clients:
    """Return a function from a template to a client, after the folder has its placeholders.

    The package fills the folder that the environment names when it is imported: that must be
    this one.
    """
    os.environ["TEMPLATEFLOW_HOME"] = str(home)
    from templateflow.conf.cache import CacheConfig, TemplateFlowCache

    if not (home / "tpl-fsaverage" / "template_description.json").is_file():
        # placeholders come with the package; what is there stays
        cache = TemplateFlowCache(CacheConfig(root=home, autoupdate=False))
        cache.update(local=True, overwrite=False, silent=True)
    address = {} if mirror is None else {"s3_root": mirror.rstrip("/")}
    return functools.cache(lambda template: client(home, template, **address))


def _template(wish: str) -> list[Query]:
    name, entities = split_template(wish)
    template, _, cohort = name.partition("+")
    wanted: list[dict[str, Any]] = [entities]
    if not entities and template in ("fsLR", "fsaverage"):
        wanted = [{"extension": ".surf.gii", "suffix": ["midthickness", "sphere"]}]
    elif not entities:
        grey = {"label": "GM", "suffix": "probseg", "atlas": None, "extension": ".nii.gz"}
        wanted = [{"desc": "brain", "suffix": "mask"}, grey]
    own = {"cohort": int(cohort)} if cohort else {}
    return [Query(template, {**each, **own}) for each in wanted]


def _atlas(wish: str, clients: Clients) -> list[Query]:
    """List the files of an atlas: fsaverage5, else the finest mesh, and volumes of 2 mm."""
    name = atlas_name(wish)
    if name is None:
        msg = (
            f"fetch atlases {wish}: name an atlas as NAME[:PART]: Schaefer2018:400Parcels7Networks"
        )
        raise UsageError(msg)
    if name.atlas == HCP_MMP:
        msg = (
            f"fetch atlases {wish}: TemplateFlow does not have it; `musicotopy-tools fetch "
            f"hcp-mmp --accept-terms` brings it under its terms of use"
        )
        raise ResourceUnavailableError(msg)
    surface = {**name.surface, "extension": ".label.gii"}
    density = clients("fsaverage").ls("fsaverage", density=_COARSEST, **surface)
    queries = [Query("fsaverage", {**surface, "density": _COARSEST if density else "164k"})]
    queries += [
        Query(template, {**name.volume, "extension": ".nii.gz", "resolution": 2})
        for template in VOLUMES
    ]
    tables = {**name.surface, "extension": ".tsv"}
    queries.append(Query("fsaverage", tables))
    queries += [
        Query(template, {"atlas": name.atlas, "suffix": "dseg", "extension": ".tsv", "desc": desc})
        for template in VOLUMES
        for desc in {None, name.part or None}
    ]
    return [query for query in queries if _listed(clients, query)]


def _listed(clients: Clients, query: Query) -> list[Path]:
    return [Path(path) for path in clients(query.template).ls(query.template, **query.entities)]


def _get(clients: Clients, query: Query, home: Path, *, quiet: bool) -> None:
    """Let the client download; what arrived in part becomes a placeholder again."""
    import requests

    missing = [path for path in _listed(clients, query) if not path.stat().st_size]
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said) if quiet else contextlib.nullcontext():
            clients(query.template).get(query.template, **query.entities)
    except (requests.RequestException, RuntimeError) as error:
        for path in missing:
            path.write_bytes(b"")
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        msg = (
            f"TemplateFlow's client cannot bring {missing[0].relative_to(home)} "
            f"({type(error).__name__}: {reason[:200]}); check the network, or name another server "
            f"with --mirror"
        )
        raise ResourceUnavailableError(msg) from error


def _record(home: Path, paths: Sequence[Path]) -> None:
    """Compare with the recorded hashes, and record new ones."""
    recorded = read_sums(home)
    digests = {path.relative_to(home).as_posix(): file_hash(path) for path in paths}
    for name, digest in digests.items():
        if recorded.get(name, digest) != digest:
            msg = (
                f"{home / name}: its SHA-256 begins with {digest[:8]}, {recorded[name][:8]} is "
                f"recorded in SHA256SUMS; remove the file and fetch it again"
            )
            raise InputInvalidError(msg)
    if digests.items() - recorded.items():
        write_sums(home, {**recorded, **digests})


def _licence(own_client: Any, template: str) -> str:
    """Licence of a template by its description, with the file that has the text."""
    folder = Path(own_client.cache.config.root) / f"tpl-{template}"
    stated = "not stated"
    with contextlib.suppress(OSError, ValueError):
        stated = str(own_client.get_metadata(template).get("License", stated))
    text = folder / "LICENSE"
    return f"{template}: {stated}" + (f" ({text})" if text.is_file() else "")
