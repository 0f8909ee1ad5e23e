"""The root files of an output folder: description, settings, inputs, fidelity, citations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bidsapp import __version__
from bidsapp.bids.write import (
    write_bidsignore,
    write_dataset_description,
    write_descriptions,
    write_readme,
    write_text,
    write_tsv,
)
from bidsapp.config import Config, to_toml
from bidsapp.engine.plan import Plan
from bidsapp.recipes.settings import fidelity


def prepare_output(plan: Plan, config: Config) -> None:
    """Write everything at the root of the output folder that does not depend on results.

    Parameters
    ----------
    plan
        What is about to run.
    config
        Its configuration.
    """
    output = config.output_dir
    (output / "logs").mkdir(parents=True, exist_ok=True)
    write_dataset_description(
        output,
        plan.dataset,
        version=__version__,
        configuration_hashes=dict(plan.configuration_hashes),
    )
    write_bidsignore(output)
    write_descriptions(output)
    write_readme(output, version=__version__)
    write_text(output / "logs" / "config.toml", to_toml(config))
    write_tsv(output / "logs" / "inputs.tsv", _input_rows(plan))
    write_tsv(output / "logs" / "fidelity.tsv", _fidelity_rows(plan, config))


def _input_rows(plan: Plan) -> list[dict[str, Any]]:
    return [
        {"unit": unit.name, "file": str(path), "bytes": path.stat().st_size}
        for unit in plan.units
        if unit.inputs is not None
        for path in unit.inputs.files
    ]


def _fidelity_rows(plan: Plan, config: Config) -> list[dict[str, Any]]:
    settings = {unit.recipe: unit.settings for unit in plan.units}
    return [
        {"recipe": recipe, **row}
        for recipe, chosen in settings.items()
        for row in fidelity(chosen, config.variant)
    ]


def write_citations(output_dir: Path, markdown: str, bibtex: str) -> None:
    """Write ``logs/CITATION.md`` and ``logs/CITATION.bib``."""
    write_text(output_dir / "logs" / "CITATION.md", markdown)
    write_text(output_dir / "logs" / "CITATION.bib", bibtex)
