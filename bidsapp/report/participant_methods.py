"""Methods text and citations, from what was run and nothing else.

A clause stands in the text only if the summary recorded what it says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bidsapp.report.files import open_derivatives
from bidsapp.report.methods import Methods, confounds_text, lag_text, render_methods
from bidsapp.report.results import Results, SpaceResults, load_results, setting

NO_CONFOUNDS = "no confounds"
_GRAYORDINATES = ("grayordinate", "grayordinates")
_SPACES = re.compile(r"[ \n]+")  # not the no-break spaces before units
_SPACE_REFERENCES = {"fsaverage": "fischl1999", "fsLR": "glasser2013"}


def methods(results: Results) -> Methods:
    """Write the methods of one participant's analysis.

    Parameters
    ----------
    results
        Read back from the output folder.
    """
    return render_methods("methods.txt.j2", methods_context(results))


def participant_methods(output_dir: Path, subject: str) -> Methods:
    """Return the methods text of one participant's analysis, with what it cites."""
    return methods(load_results(open_derivatives(output_dir, subject)))


def methods_context(results: Results) -> dict[str, Any]:
    """Return what a template may say about one participant's analysis."""
    facts = results.facts

    def chosen(name: str) -> Any:
        return setting(facts, name)

    return {
        "facts": facts,
        "setting": chosen,
        "version": facts.get("version"),
        "models": [
            _model(space, model.name) for space in results.spaces[:1] for model in space.models
        ],
        "baselines": _baselines(results.spaces),
        "spaces": [_space(space) for space in results.spaces],
        "counts": _counts(results),
        "folds": _folds(results.table("folds")),
        "confounds": confounds_text(chosen("confounds")),
        "alpha_range": alpha_range(facts),
        "lags": lag_text(chosen("lags_s")),
        "control_lags": lag_text(chosen("control_lags_s")),
        "period_s": 1 / chosen("high_pass_hz") if chosen("high_pass_hz") else None,
        "n_shifts": _n_shifts(results),
        "has_ceiling": any(space.ceiling is not None for space in results.spaces),
        "ratings": sorted(
            {name for table in results.ratings().values() for name in table["rating"]}
        ),
        "fmriprep": all(run.get("preprocessed", True) for run in facts.get("runs") or ()),
    }


def _model(space: SpaceResults, name: str) -> dict[str, Any]:
    model = next(model for model in space.models if model.name == name)
    layers = model.layers
    known = "explained_variance" in layers and layers["explained_variance"].notna().any()
    explained = 100 * layers["explained_variance"] if known else None
    share = None if explained is None else (explained.min(), explained.max())
    return {
        "name": "VGGish" if name == "vggish" else name,
        "is_vggish": name == "vggish",
        "n_layers": len(layers),
        "explained": share,
        "weights": weights_text(space.facts, name),
        "random": random_weights(space.facts, name),
    }


def weights_record(facts: Mapping[str, Any], model: str) -> Any:
    """Return what the summary says about a network's weights."""
    record = facts.get("weights")
    if isinstance(record, Mapping) and isinstance(record.get(model), Mapping | str):
        return record[model]
    return record


def random_weights(facts: Mapping[str, Any], model: str) -> bool:
    """Tell whether a network ran with random weights."""
    record = weights_record(facts, model)
    if isinstance(record, Mapping):
        kinds = (record.get("kind"), record.get("source"), record.get("weights"))
        return "random" in kinds or "random" in record
    return isinstance(record, str) and record.startswith("random")


def weights_text(facts: Mapping[str, Any], model: str) -> str:
    """Describe a network's weights in a few words."""
    record = weights_record(facts, model)
    if random_weights(facts, model):
        seed = record.get("seed", record.get("random")) if isinstance(record, Mapping) else None
        return "random weights" + (f" (seed {seed})" if seed is not None else "")
    if isinstance(record, Mapping) and record:
        name = record.get("file", record.get("name", "a file"))
        digest = str(record.get("sha256", ""))[:12]
        return f"pretrained weights ({name}" + (f", sha256 {digest}…)" if digest else ")")
    return str(record) if record else "weights not recorded"


def _baselines(spaces: Sequence[SpaceResults]) -> list[str]:
    found = next((space.baseline for space in spaces if space.baseline is not None), None)
    return [] if found is None else [str(name) for name in found.layers["layer"]]


def _space(space: SpaceResults) -> dict[str, Any]:
    name = space.space.space
    reference = "fonov2011" if space.space.is_mni else _SPACE_REFERENCES.get(name)
    return {
        "title": space.space.title,
        "n_units": space.facts.get("n_units"),
        "unit": unit_words(space)[0],
        "units": unit_words(space)[1],
        "reference": reference,
        "n_parcels": n_parcels(space),
    }


def unit_words(space: SpaceResults) -> tuple[str, str]:
    """Call a unit of a space, and several, by their name."""
    if space.grid is None:
        return "unit", "units"
    if not space.grid.is_surface:
        return "voxel", "voxels"
    return ("vertex", "vertices") if space.grid.columns is None else _GRAYORDINATES


def n_parcels(space: SpaceResults) -> int | None:
    """Count the parcels that were tested."""
    tables = [model.summary for model in space.models if not model.summary.empty]
    return int(tables[0]["parcel"].nunique()) if tables else None


def _n_shifts(results: Results) -> int | None:
    for space in results.spaces:
        for model in space.models:
            if not model.null.empty:
                return int(model.null["shift"].nunique())
    return None


def _counts(results: Results) -> dict[str, Any]:
    alignment = results.table("alignment")
    if alignment.empty:
        return {"runs": None, "pieces": None, "presentations": None, "minutes": None, "trs": []}
    runs = alignment.drop_duplicates("run")
    return {
        "runs": len(runs),
        "pieces": alignment["stim_file"].nunique(),
        "presentations": int(alignment["stim_file"].notna().sum()),
        "minutes": alignment["duration_s"].sum() / 60,
        "trs": sorted({f"{tr:g}" for tr in runs["tr_s"].dropna()}),
    }


def _folds(table: pd.DataFrame) -> dict[str, Any]:
    if table.empty:
        return {"n": None, "kind": None}
    kinds = table["kind"].dropna()
    return {"n": int(table["fold"].nunique()), "kind": kinds.iloc[0] if len(kinds) else None}


def alpha_range(facts: Mapping[str, Any]) -> tuple[float, float, int] | None:
    """Smallest and largest log10 alpha that were offered, and their number."""
    grid = setting(facts, "log10_alpha")
    return (min(grid), max(grid), len(grid)) if grid else None
