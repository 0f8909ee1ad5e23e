"""`rsa`, group level: reads like the methods section it produces.

Source: Thielen et al., Statistical Analysis. In every searchlight the patterns of all participants
are compared with the layers of a network; the mean over participants is tested by permuting the
clips of the models, which leaves everything standing that participants have in common for other
reasons. The paper's own test, of the largest correlation over layers, is made if asked for, beside
what it sees when clips are permuted.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.searchlights import searchlights
from bidsapp.errors import InputInvalidError
from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.models.rdm import Comparison, Dissimilarity
from bidsapp.recipes.rsa.group.design import Design, read_design
from bidsapp.recipes.rsa.group.inputs import GroupAnalysis
from bidsapp.recipes.rsa.group.layer_maps import LayerMaps
from bidsapp.recipes.rsa.group.outputs import write_results
from bidsapp.recipes.rsa.group.patterns import group_units, keep_patterns
from bidsapp.recipes.rsa.group.results import GroupResults
from bidsapp.recipes.rsa.group.search import GroupSearch, run_group_search
from bidsapp.recipes.rsa.group.settings import GroupSettings
from bidsapp.stats.rsa.clip_permutation import clip_permutations

LOGGER = logging.getLogger("musicotopy")


def analyse_group(analysis: GroupAnalysis) -> None:
    """Run the group level for one space and write its results.

    Parameters
    ----------
    analysis
        The job; its `inputs` come from `collect_group`.

    Raises
    ------
    AppError
        If a participant's file cannot be used, or no searchlight is shared.
    """
    group = _Group(analysis)
    write_results(analysis, group.results())
    shutil.rmtree(group.folder, ignore_errors=True)


class _Group:
    """What the steps of one group analysis share."""

    def __init__(self, analysis: GroupAnalysis) -> None:
        self.analysis, self.inputs, self.config = analysis, analysis.inputs, analysis.config
        self.settings: GroupSettings = analysis.settings
        self.label = f"group {self.inputs.space}"
        self.units, self.n = group_units(self.inputs)

    @cached_property
    def participant_settings(self) -> dict[str, Any]:
        """Settings that all participants were analysed with."""
        return dict(self.inputs.participants[0].summary.get("settings", {}))

    @cached_property
    def design(self) -> Design:
        """Items, model and nuisance RDMs."""
        return read_design(self.inputs)

    @cached_property
    def included(self) -> NDArray[np.bool_]:
        """Units where enough participants have a searchlight."""
        needed = max(self.settings.min_share * len(self.inputs.participants), 1)
        included = np.asarray(self.n >= needed - 1e-9)
        if not included.any():
            msg = (
                f"space {self.inputs.space}: at most {self.n.max()} of "
                f"{len(self.inputs.participants)} participants share a searchlight, "
                f"{self.settings.min_share:.0%} are needed; lower rsa_group.min_share or exclude "
                "those with a small brain mask"
            )
            raise InputInvalidError(msg)
        return included

    @cached_property
    def searchlights(self) -> Neighbourhoods:
        """Centres and members, of the participants' size."""
        radius = float(self.participant_settings.get("searchlight_radius_mm", 0))
        return searchlights(
            self.units,
            count=int(self.participant_settings.get("searchlight_count", 100)),
            radius_mm=radius if radius > 0 else None,
            include=self.included,
        )

    @cached_property
    def permutations(self) -> NDArray[np.int64]:
        """Orders of the clips, one set for all participants; no rows if none are asked for."""
        n_clips, n = len(self.design.clips), self.settings.n_permutations
        if n < 1:
            return np.empty((0, n_clips), dtype=np.int64)
        return clip_permutations(n_clips, n, self.config.random_seed)

    @cached_property
    def dissimilarity(self) -> Dissimilarity:
        """That of the participants; Euclid for crossnobis, as patterns are averages here."""
        chosen = self.participant_settings.get("dissimilarity", "spearman")
        return "euclid" if chosen not in set(get_args(Dissimilarity)) - {"crossnobis"} else chosen

    @cached_property
    def comparison(self) -> Comparison:
        """That of the participants."""
        chosen = self.participant_settings.get("comparison", "spearman")
        return "pearson" if chosen == "pearson" else "spearman"

    @cached_property
    def folder(self) -> Path:
        """Intermediate files, named by everything they depend on."""
        digest = hashlib.blake2b(digest_size=10)
        digest.update(f"{self.analysis.configuration_hash} {self.settings} ".encode())
        digest.update(f"{self.config.random_seed} {self.inputs.identity()} ".encode())
        digest.update(self.units.identity().encode() + self.included.tobytes())
        return self.analysis.scratch / "rsa_group" / digest.hexdigest()

    def datasets(self) -> list[NDArray[np.float32]]:
        """(n_items, n_units) patterns of each participant, mapped from disk."""
        return [
            keep_patterns(
                self.inputs.patterns(one),
                self.units,
                self.design.n_items,
                self.folder / f"patterns-{one.subject}.npy",
                memory_bytes=self.config.memory_bytes // 4,
            )
            for one in self.inputs.participants
        ]

    def results(self) -> GroupResults:
        """Compare all searchlights with all models, test, and gather what is written."""
        design, families, n_models = self.design, [], 0
        for layers in design.layers.values():
            families.append(slice(n_models, n_models + len(layers)))
            n_models += len(layers)
        search = GroupSearch(
            datasets=self.datasets(),
            models=np.concatenate(list(design.models.values())),
            families=families,
            nuisance=design.nuisance,
            pairs=design.pairs,
            clip=design.clip,
            permutations=self.permutations,
            each=self.settings.test == "maximum-t",
            dissimilarity=self.dissimilarity,
            comparison=self.comparison,
            n_threads=self.config.n_threads,
            memory_bytes=self.config.memory_bytes // 4,
        )
        n_centres = self.searchlights.n_centres
        LOGGER.info("%s: %d searchlights, %d items", self.label, n_centres, design.n_items)
        found = run_group_search(
            search,
            self.searchlights,
            self.folder,
            label=f"{self.label} searchlights",
            quiet=self.config.quiet,
        )
        centres, seed = self.searchlights.centres, self.config.random_seed
        maps = LayerMaps(self.inputs, self.units, centres, self.settings, seed)
        return GroupResults(
            units=self.units,
            n=self.n,
            design=design,
            n_searchlights=n_centres,
            ceiling_lower=maps.on_units(found.ceiling_lower),
            ceiling_upper=maps.on_units(found.ceiling_upper),
            networks=tuple(
                maps.network(model, number, family, found)
                for number, (model, family) in enumerate(zip(design.layers, families, strict=True))
            ),
            n_permutations=len(self.permutations),
            dissimilarity=self.dissimilarity,
        )
