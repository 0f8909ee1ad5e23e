"""Files of TemplateFlow by their entities, through its client, without a network.

The client looks into ``TEMPLATEFLOW_HOME`` (else ``~/.cache/templateflow``). What it lists there
but has not downloaded is a file of zero bytes; such files are not at hand for a run, and
``musicotopy-tools fetch templates`` or ``fetch atlases`` brings them (`bidsapp.fetch.templates`).
An index is made of the folder of one template only: that of all templates takes many seconds.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bidsapp.errors import UsageError

_ATLAS_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*(:[A-Za-z0-9]+)?")
HCP_MMP: Final = "HCPMMP"
"""Entity ``atlas`` of HCP-MMP1.0, which ``fetch hcp-mmp`` puts beside TemplateFlow's files."""
_BOLD_RESOLUTION: Final = 2
_NETWORKS: Final = re.compile(r"(\d+)Parcels(\d+)Networks")


def templateflow_home() -> Path:
    """Folder of TemplateFlow, whether or not it is there."""
    default = Path.home() / ".cache" / "templateflow" if os.environ.get("HOME") else Path()
    return Path(os.environ.get("TEMPLATEFLOW_HOME") or default)


def template_files(template: str, **entities: Any) -> tuple[Path, ...]:
    """Find files of a template that are on this machine.

    Parameters
    ----------
    template
        Its name without ``tpl-``, with its cohort if it has several: ``fsLR``, ``MNIInfant+2``.
    **entities
        As `templateflow.api.get` takes them (``density="32k"``, ``suffix="sphere"``,
        ``desc=None`` for files without it).

    Returns
    -------
    tuple of Path
        In the order of names; empty where there is no such file, or only its placeholder.
    """
    home = templateflow_home()
    name, _, cohort = template.partition("+")
    if not (home / f"tpl-{name}").is_dir():
        return ()
    wanted = {**entities, "cohort": int(cohort)} if cohort.isdigit() else entities
    listed = _known_client(home, name, (home / f"tpl-{name}").stat().st_mtime_ns).ls(
        name, **wanted
    )
    at_hand = [path for path in listed if path.is_file() and path.stat().st_size]
    return tuple(sorted(at_hand))


def nearest_to_bold(paths: Sequence[Path]) -> Path:
    """Choose among resolutions of one image: 2 mm, where BOLD is, first; one is needed."""

    def distance(path: Path) -> tuple[int, str]:
        digits = path.name.partition("_res-")[2].partition("_")[0]
        return abs(int(digits) - _BOLD_RESOLUTION) if digits.isdigit() else 0, path.name

    return min(paths, key=distance)


@functools.lru_cache(maxsize=16)
def _known_client(home: Path, template: str, _changed: int) -> Any:
    """Keep a client as long as its folder does not change."""
    return client(home, template)


def client(home: Path, template: str, **settings: Any) -> Any:
    """Return a client of TemplateFlow whose index holds one template.

    Parameters
    ----------
    home
        Folder of TemplateFlow, not empty (the client would fill an empty one).
    template
        Its name without ``tpl-``.
    **settings
        Further settings of the client (``s3_root``).
    """
    from bids.layout import BIDSLayoutIndexer
    from templateflow import TemplateFlowClient
    from templateflow.conf.bids import Layout

    others = re.compile(rf"^/(?!tpl-{re.escape(template)}(/|$))")
    ignored = [re.compile(r"scripts/"), re.compile(r"/\."), re.compile(r"^\."), others]
    made = TemplateFlowClient(root=home, autoupdate=False, use_datalad=False, **settings)
    made.cache.__dict__["layout"] = Layout(
        home,
        validate=False,
        config="templateflow",
        indexer=BIDSLayoutIndexer(validate=False, ignore=ignored),
    )
    return made


@dataclass(frozen=True, slots=True)
class AtlasName:
    """An atlas of TemplateFlow.

    Attributes
    ----------
    atlas
        Value of the entity ``atlas``: letters and digits.
    part
        Which of its parcellations: ``400Parcels7Networks``; empty for the only one.
    """

    atlas: str
    part: str = ""

    def __str__(self) -> str:
        return f"{self.atlas}:{self.part}" if self.part else self.atlas

    @property
    def surface(self) -> dict[str, Any]:
        """Entities of its files on fsaverage, hemisphere and density left out."""
        networks = _NETWORKS.fullmatch(self.part)
        entities: dict[str, Any] = {"atlas": self.atlas, "suffix": "dseg"}
        if networks:
            parcels, n_networks = networks.groups()
            return {**entities, "segmentation": f"{n_networks}n", "scale": parcels}
        return {**entities, "segmentation": self.part} if self.part else entities

    @property
    def volume(self) -> dict[str, Any]:
        """Entities of its files in a volume template, resolution left out."""
        entities: dict[str, Any] = {"atlas": self.atlas, "suffix": "dseg"}
        return {**entities, "desc": self.part} if self.part else entities


def atlas_name(wish: str | Path) -> AtlasName | None:
    """Read the name of an atlas of TemplateFlow.

    Parameters
    ----------
    wish
        What ``--atlas`` says: ``Destrieux2009``, ``Schaefer2018:400Parcels7Networks``,
        ``HCP-MMP`` (also ``HCP-MMP1``), or a file.

    Returns
    -------
    AtlasName or None
        None for what exists as a file or has the form of a path.
    """
    text = str(wish)
    if Path(text).exists() or not _ATLAS_NAME.fullmatch(text):
        return None
    atlas, _, part = text.partition(":")
    value = atlas.replace("-", "")
    return AtlasName(HCP_MMP if value in (HCP_MMP, f"{HCP_MMP}1") else value, part)


def split_template(wish: str) -> tuple[str, dict[str, Any]]:
    """Read ``TEMPLATE[+COHORT][:ENTITY=VALUE,…]``.

    Returns
    -------
    template : str
        With its cohort, as `template_files` takes it.
    entities : dict
        Empty where none are given.

    Raises
    ------
    UsageError
        It has another form.

    Examples
    --------
    >>> split_template("fsLR:density=59k,suffix=midthickness")
    ('fsLR', {'density': '59k', 'suffix': 'midthickness'})
    """
    template, _, rest = wish.partition(":")
    pairs = [pair.partition("=") for pair in rest.split(",") if pair]
    wrong = not re.fullmatch(r"[A-Za-z0-9]+(\+\d+)?", template)
    if wrong or not all(key and value for key, _, value in pairs):
        msg = f"{wish}: name a template as TEMPLATE[+COHORT][:ENTITY=VALUE,...]: fsLR:density=59k"
        raise UsageError(msg)
    return template, {key: int(value) if value.isdigit() else value for key, _, value in pairs}
