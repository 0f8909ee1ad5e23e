"""Pages of the documentation that are made from declarations when the site is built.

`mkdocs.yml` names this file as a hook. ``outputs.md`` lists every declared result of every
recipe, ``inferences.md`` every registered test and interval: neither can fall behind the code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bidsapp.recipes import RECIPES
from bidsapp.recipes.base.recipe import Recipe
from bidsapp.report.methods import references
from bidsapp.results.inferences import INFERENCES, Inference
from bidsapp.results.kinds import Labels, Maps, Mask, Result, Table

_LEVELS = {"participant": "participant", "group": "group", "both": "participant, group"}


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages to the files of the site (a hook of mkdocs)."""
    from mkdocs.structure.files import File

    for name, text in pages().items():
        files.append(File.generated(config, name, content=text))
    return files


def pages() -> dict[str, str]:
    """Return the name and the Markdown of each generated page."""
    return {
        "outputs.md": "\n".join(_outputs()) + "\n",
        "inferences.md": "\n".join(_inferences()) + "\n",
    }


# ------------------------------------------------------------------ what is written


def _outputs() -> Iterator[str]:
    yield from (
        "# What is written",
        "",
        "Made from the results that the recipes declare. Files are named as BIDS-Derivatives: "
        "`sub-01_space-fsaverage5_model-vggish_stat-r_desc-LABEL_statmap`, with a JSON sidecar "
        "that describes every file and every column. Missing values are NaN in maps and `n/a` in "
        "tables, never zero. `{label}` stands for the labels listed with it.",
        "",
        "| suffix | what it holds |",
        "|---|---|",
        "| `_statmap` | values at vertices or voxels: GIFTI for each hemisphere (fsaverage5), "
        "CIFTI (fsLR), or NIfTI |",
        "| `_dseg` | one label at each vertex or voxel, 0 where there is none; names in the TSV "
        "of the same name. Labels and masks of participants lie in `anat`, where BIDS has them, "
        "and their `desc-` ends in the network: `desc-gradientsbestlayerpositivelagsvggish` |",
        "| `_mask` | 1 where significant |",
        "| `_stats` | a table (TSV), or an object of settings, counts and cautions (JSON) |",
        "",
        "`logs/` holds `config.toml` (the settings), `inputs.tsv` (every file that was read), "
        "`status.json` (state, seconds and memory of every job), `fidelity.tsv` (what the paper "
        "did, what ran, why they differ), `CITATION.md` and `CITATION.bib`.",
    )
    for recipe in RECIPES.values():
        yield from _outputs_of(recipe)


def _outputs_of(recipe: Recipe) -> Iterator[str]:
    yield from ("", f"## `{recipe.name}`", "")
    yield from ("| `desc-` | suffix | level | content |", "|---|---|---|---|")
    for result in recipe.results:
        yield _row(result)
    for result in recipe.results:
        if isinstance(result, Table) and result.columns:
            yield from _columns_of(result)


def _row(result: Result) -> str:
    labels = f" Labels: {', '.join(result.labels)}." if result.labels else ""
    test = (
        f" Test: [{INFERENCES[result.by].title}](inferences.md#{result.by})." if result.by else ""
    )
    text = f"**{result.title}.** {result.says}{labels}{test}"
    return _cells(f"`{result.desc}`", _suffix(result), _LEVELS[result.level], text)


def _suffix(result: Result) -> str:
    kinds = {Maps: "statmap", Labels: "dseg", Mask: "mask"}
    name = next((name for kind, name in kinds.items() if isinstance(result, kind)), result.suffix)
    stat = f"`stat-{result.stat}` " if isinstance(result, Maps) else ""
    return f"{stat}`_{name}`"


def _columns_of(result: Table) -> Iterator[str]:
    yield from ("", f'??? note "Columns of `{result.desc}`: {result.title}"', "")
    yield from ("    | column | meaning | unit |", "    |---|---|---|")
    for column in result.columns:
        says = column.says or column.head
        if column.by:
            says += f" ([{INFERENCES[column.by].title}](inferences.md#{column.by}))"
        yield "    " + _cells(f"`{column.name}`", says, column.unit)
    if result.further:
        yield "    " + _cells("further columns", result.further, "")


# ------------------------------------------------------------------ tests and intervals


def _inferences() -> Iterator[str]:
    yield from (
        "# Tests and intervals",
        "",
        "Made from the registry of inferences: every way to a p-value or an interval that a "
        "recipe prints. Each has a calibration, which draws null data and calls the functions "
        "that the recipes call ([error rates](statistics.md#error-rates)).",
    )
    for inference in INFERENCES.values():
        yield from _inference(inference)


def _inference(inference: Inference) -> Iterator[str]:
    kind = "interval" if inference.gives == "interval" else "p-value"
    yield from ("", f"## {inference.title} {{ #{inference.key} }}", "")
    yield f"*{kind}; drawn: {inference.draws}.*"
    if not inference.holds:
        yield from ("", "!!! warning", "    Does not hold its error rate: it is here to reproduce")
        yield "    a paper, or describes and does not test."
    yield from ("", inference.method.replace("{", "*").replace("}", "*"), "")
    yield from (f"**What it shows.** {inference.shows}", "")
    yield f"**What it does not show.** {inference.does_not_show}"
    if inference.cites:
        cited = (references()[key].plain for key in inference.cites)
        yield from ("", "Sources: " + "; ".join(cited) + ".")


def _cells(*texts: str) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"
