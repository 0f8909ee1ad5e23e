"""A whole recipe as small as it can be: how slow is the signal of each voxel or vertex?

One map, one table, one inference, one caution, one section at each level. Copy it to begin a
recipe of your own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from bidsapp.config import Config
from bidsapp.recipes.base import cautions
from bidsapp.recipes.base.cost import BASE_BYTES, Cost, steps_s
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.base.recipe import Recipe
from bidsapp.recipes.base.settings import setting
from bidsapp.recipes.base.study import GroupStudy, ParticipantStudy
from bidsapp.report import sections
from bidsapp.report.brain.draw import BrainMap, draw
from bidsapp.report.html import Page, Section, environment
from bidsapp.report.methods import Methods, fill_methods, shared_context
from bidsapp.report.tables import table
from bidsapp.results.kinds import CORRELATION, P_VALUE, Column, Maps, Table, summary
from bidsapp.results.read import Results
from bidsapp.results.write import tidy
from bidsapp.stats.metrics import fisher_z
from bidsapp.stats.signflip import sign_flip_test

SLOWNESS = Maps(
    desc="toyslowness",
    title="Slowness",
    says="Correlation of each volume with the next one.",
    stat="r",
    scale=CORRELATION,
    level="both",
    by_network=False,
    required=True,
)
P_FWE = Maps(
    desc="toyfwe",
    title="Family-wise p",
    says="p of the mean over participants.",
    stat="p",
    scale=P_VALUE,
    level="group",
    by_network=False,
    by="sign_flip",
)
RUNS = Table(
    desc="toyruns",
    title="Runs",
    says="Mean slowness of each run.",
    by_network=False,
    columns=(Column("run", text=True), Column("r", "mean over voxels or vertices")),
)
QUESTION = "How slow is the signal?"


@dataclass(frozen=True)
class ToySettings:
    """What the recipe does."""

    step: int = setting(1, paper="one volume", source="nowhere", why="the smallest step")


def cost(inputs: Inputs, settings: ToySettings, config: Config) -> Cost:
    """Estimate what one participant in one space costs."""
    return Cost(BASE_BYTES, 0, f"{len(inputs.runs)} runs", steps_s({}))


def participant(study: ParticipantStudy) -> None:
    """Correlate each volume with a later one, run by run, and average over runs."""
    bold, step = study.bold, study.settings.step
    runs = [np.asarray(bold.data[a:b]) for a, b in pairwise(bold.run_start)]
    r = np.stack([(run[:-step] * run[step:]).mean(axis=0) for run in runs])
    out = study.output(bold.units)
    out.write(SLOWNESS, r.mean(axis=0))
    names = [run.name for run in study.inputs.runs]
    out.write(RUNS, tidy({"r": np.nanmean(r, axis=1)}, run=names))
    n_missing = bold.n_constant + bold.n_nan
    doubts = cautions.without_data(n_missing, bold.units.n_units, bold.units.kind, "voxels")
    content = study.summary(bold.units, networks={}, cautions=doubts, confounds=bold.confounds)
    out.write(summary("toy", "participant"), content)


def group(study: GroupStudy) -> None:
    """Test the mean over participants against zero by sign flips."""
    first = study.inputs.participants[0]
    units = first.units(study.inputs.at)
    maps = [item.maps(SLOWNESS, study.inputs.at) for item in study.inputs.participants]
    z = fisher_z(np.stack([item.values[0] for item in maps if item is not None]))
    test = sign_flip_test(z, n_permutations=100, seed=study.config.random_seed)
    out = study.output(units)
    out.write(SLOWNESS, np.tanh(z.mean(axis=0)))
    out.write(P_FWE, test.p_fwe)
    doubts = cautions.few_participants(len(maps), 5)
    out.write(summary("toy", "group"), study.summary(units, networks={}, cautions=doubts))


def report(results: Results) -> tuple[Page, Methods]:
    """Return the page and the methods text of a participant or of the group."""
    methods = fill_methods(environment().from_string(METHODS), shared_context(results))
    parts: list[Any] = []
    for space in results.spaces:
        maps = results.maps(SLOWNESS, space)
        assert maps is not None
        parts += draw([BrainMap.of(SLOWNESS, maps.values[0])], maps.units)
        if not results.is_group:
            parts.append(table(results.table(RUNS, space), RUNS.columns))
    body = [Section("Slowness", "slowness", parts), sections.claims(results)]
    around = [sections.methods_section(methods), sections.about(results)]
    made = [sections.cautions(results), *body, *around]
    return sections.page(results, QUESTION, made, heading="Slowness"), methods


METHODS = "Each volume was correlated with the next one{{ cite('esteban2019') }}."
RECIPE = Recipe(
    name="toy",
    question=QUESTION,
    paper="esteban2019",
    variants={"robust": ToySettings(), "faithful": ToySettings()},
    group_variants={"robust": ToySettings(), "faithful": ToySettings()},
    results=(SLOWNESS, P_FWE, RUNS, summary("toy", "participant"), summary("toy", "group")),
    needs=(),
    cost="toy_recipe:cost",
    participant="toy_recipe:participant",
    group="toy_recipe:group",
    report="toy_recipe:report",
)
