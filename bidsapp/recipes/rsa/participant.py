"""`rsa`, participant level: reads like the methods section it produces.

Source: Thielen et al. Volumes of clips, averaged over their repetitions, are the rows of a
dissimilarity matrix (1 - Spearman correlation of the patterns) in every searchlight of 100 units;
the layers of a sound network, convolved with the haemodynamic response, have such matrices too;
the rank correlation of both says how much a searchlight is like a layer.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.audio.networks import NETWORKS, RANDOM, get_network, network_weights
from bidsapp.bids.atomic import new_matrix
from bidsapp.bids.dataset import Dataset
from bidsapp.brain.clean import BoldMatrix, Cleaning, load_bold
from bidsapp.brain.cortex import cortex_mask
from bidsapp.brain.searchlights import searchlights
from bidsapp.brain.units import unit_space
from bidsapp.config import Config
from bidsapp.errors import InputInvalidError
from bidsapp.features.courses import CourseBank, extract_courses
from bidsapp.models.devices import resolve_device
from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.models.rdm import rdm
from bidsapp.recipes.inputs import Inputs, SoundAnalysis, collect
from bidsapp.recipes.rsa.grey_matter import find_grey_matter, grey_matter
from bidsapp.recipes.rsa.items import Items, item_patterns, make_items
from bidsapp.recipes.rsa.layer_models import LayerModels, layer_models
from bidsapp.recipes.rsa.nuisances import Nuisances, check_names, nuisances
from bidsapp.recipes.rsa.outputs import write_results
from bidsapp.recipes.rsa.results import LagProfile, NetworkResult, Results
from bidsapp.recipes.rsa.search import Found, Search, run_search
from bidsapp.recipes.rsa.settings import RsaSettings
from bidsapp.stats.rsa.clip_permutation import clip_permutations
from bidsapp.stats.rsa.inference import clip_test
from bidsapp.stats.rsa.pairs import lag_profile, pair_mask

LOGGER = logging.getLogger("musicotopy")

_LAG_SEARCHLIGHTS = 100
_LONGEST_LAG_S = 120.0
_UNITS_AT_ONCE = 5_000


def collect_participant(
    dataset: Dataset, subject: str, space: str, config: Config, settings: RsaSettings
) -> Inputs:
    """Find what the analysis of one participant in one space needs, and check that it has items.

    Parameters
    ----------
    dataset, subject, space, config
        As in `bidsapp.recipes.inputs.collect`.
    settings
        How sounds become items.

    Raises
    ------
    InputInvalidError
        Fewer than two clips, or fewer than two presentations of each for crossnobis.
    UsageError
        A nuisance RDM is not known.
    """
    check_names(settings.nuisance)
    inputs = collect(dataset, subject, space, config, (0.0,))
    items = make_items(inputs, settings)
    if settings.dissimilarity == "crossnobis" and items.n_complete < 2:
        msg = (
            f"sub-{subject}: a clip was heard once, crossnobis needs two presentations of each; "
            "choose rsa.dissimilarity='spearman' (and rsa.average_repeats=true)"
        )
        raise InputInvalidError(msg)
    return inputs


def analyse(analysis: SoundAnalysis) -> None:
    """Run the participant level for one participant in one space and write its results."""
    study = _Study(analysis)
    results = study.results()
    write_results(analysis, results)
    shutil.rmtree(study.folder, ignore_errors=True)
    study.bold.remove()


class _Study:
    """The objects that one analysis is made of."""

    def __init__(self, analysis: SoundAnalysis) -> None:
        self.analysis, self.inputs = analysis, analysis.inputs
        self.config = analysis.config
        self.settings: RsaSettings = analysis.settings
        self.label = f"sub-{self.inputs.subject} {self.inputs.space}"
        self.device = resolve_device(self.config.device)
        self.memory_bytes = self.config.memory_bytes

    @cached_property
    def bold(self) -> BoldMatrix:
        """Cleaned time x units matrix of all runs."""
        cleaning = Cleaning(
            self.config.confounds, self.config.high_pass_hz, self.config.smoothing_fwhm_mm
        )
        return load_bold(
            self.inputs.runs,
            unit_space(self.inputs.runs),
            cleaning,
            self.analysis.scratch / "bold",
            memory_bytes=self.memory_bytes // 3,
            quiet=self.config.quiet,
        )

    @cached_property
    def items(self) -> Items:
        """Which volumes are which item."""
        return make_items(self.inputs, self.settings)

    @cached_property
    def pairs(self) -> NDArray[np.bool_]:
        """Pairs of items that are compared."""
        return pair_mask(self.items.clip, between_clip=self.settings.pairs == "between-clip")

    @cached_property
    def nuisances(self) -> Nuisances:
        """What else makes items alike."""
        return nuisances(self.inputs, self.items, self.settings.nuisance, self.pairs)

    @cached_property
    def included(self) -> tuple[NDArray[np.bool_], str]:
        """Units that may be in a searchlight, and where that comes from."""
        valid, units = ~self.bold.invalid, self.bold.units
        if units.kind == "gifti":
            return valid & cortex_mask(units), "cortex without the medial wall"
        if units.kind == "cifti":
            return valid, "all grayordinates with data"
        if self.settings.grey_matter <= 0:
            return valid, "brain mask"
        subject, run = self.inputs.subject, self.inputs.runs[0]
        fmriprep = self.analysis.dataset.fmriprep
        path = find_grey_matter(fmriprep, subject, run.space, run.resolution)
        if path is None:
            return valid, "brain mask: no grey-matter segmentation was found in this space"
        grey = grey_matter(path, units, self.settings.grey_matter)
        return valid & grey, f"grey matter: {path.name} >= {self.settings.grey_matter:g}"

    @cached_property
    def searchlights(self) -> Neighbourhoods:
        """Centres and members."""
        radius = self.settings.searchlight_radius_mm
        return searchlights(
            self.bold.units,
            count=self.settings.searchlight_count,
            radius_mm=radius if radius > 0 else None,
            include=self.included[0],
        )

    def courses(self, name: str, weights: str, seed: int) -> CourseBank:
        """Channel courses of all sounds this participant heard."""
        network = get_network(
            name,
            weights=weights,
            weights_dir=self.config.weights_dir,
            seed=seed,
            hop_s=self.settings.hop_s,
        )
        return extract_courses(
            self.inputs.sounds,
            network,
            self.analysis.scratch / "features",
            memory_bytes=self.memory_bytes // 2,
            device=self.device,
            quiet=self.config.quiet,
        )

    @cached_property
    def models(self) -> tuple[LayerModels, ...]:
        """Model RDMs of each network."""
        seed = self.config.random_seed
        banks = [
            self.courses(name, network_weights(name, self.config.weights), seed)
            for name in self.settings.networks
        ]
        return tuple(layer_models(bank, self.items, self.settings) for bank in banks)

    def untrained(self, name: str) -> tuple[LayerModels, ...]:
        """Model RDMs of a network with random weights, one set for each seed; none without."""
        if not NETWORKS[name].weight_files:
            return ()
        first = self.config.random_seed + 1
        seeds = range(first, first + self.settings.n_untrained)
        banks = [self.courses(name, RANDOM, seed) for seed in seeds]
        return tuple(layer_models(bank, self.items, self.settings) for bank in banks)

    @cached_property
    def controls(self) -> tuple[tuple[LayerModels, ...], ...]:
        """The untrained networks of each network."""
        return tuple(self.untrained(name) for name in self.settings.networks)

    @cached_property
    def permutations(self) -> NDArray[np.int64]:
        """Orders of the clips for the null; no rows if none are asked for."""
        n_clips = len(self.items.clips)
        if self.settings.n_permutations < 1:
            return np.empty((0, n_clips), dtype=np.int64)
        return clip_permutations(n_clips, self.settings.n_permutations, self.config.random_seed)

    @cached_property
    def folder(self) -> Path:
        """Intermediate files, named by everything they depend on."""
        units = self.bold.units.identity(), self.included[0].tobytes()
        digest = hashlib.blake2b(digest_size=10)
        digest.update(f"{self.analysis.configuration_hash} {self.inputs.identity()}".encode())
        everything = (*self.models, *(one for several in self.controls for one in several))
        digest.update(f" {' '.join(models.bank.key for models in everything)} ".encode())
        digest.update(units[0].encode() + units[1])
        return self.analysis.scratch / "rsa" / digest.hexdigest()

    @cached_property
    def patterns(self) -> NDArray[np.float32]:
        """(n_items, n_units) mean pattern of each item."""
        return self._averaged(self.items.row, "patterns")

    @cached_property
    def data(self) -> NDArray[np.float32]:
        """What the searchlights see: patterns, or one set of them for each repetition."""
        if self.settings.dissimilarity != "crossnobis":
            return self.patterns
        folds = range(self.items.n_complete)
        return np.stack([self._averaged(self.items.row[:, f], f"fold{f}") for f in folds])

    def _averaged(self, row: NDArray[np.int64], name: str) -> NDArray[np.float32]:
        """Mean BOLD of each item, kept on disk and mapped."""
        path = self.folder / f"{name}.npy"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part.npy")
            n_units = self.bold.units.n_units
            shape = (len(row), n_units)
            new_matrix(part, shape, np.float32)
            out = np.load(part, mmap_mode="r+")
            for start in range(0, n_units, _UNITS_AT_ONCE):
                columns = slice(start, start + _UNITS_AT_ONCE)
                out[:, columns] = item_patterns(self.bold.data, row, columns)
            out.flush()
            del out
            part.replace(path)
        averaged: NDArray[np.float32] = np.load(path, mmap_mode="r")
        return averaged

    def results(self) -> Results:
        """Compare all searchlights with all models, test, and gather what is written."""
        stops = np.cumsum([len(models.rdms) for models in self.models])
        families = [
            slice(int(stop) - len(models.rdms), int(stop))
            for stop, models in zip(stops, self.models, strict=True)
        ]
        controls = [control.rdms for several in self.controls for control in several]
        lag = np.where(np.isfinite(self.nuisances.lag_s), self.nuisances.lag_s, 0.0)
        search = Search(
            data=self.data,
            models=np.concatenate([*(item.rdms for item in self.models), lag[None], *controls]),
            families=families,
            nuisance=self.nuisances.rdms,
            pairs=self.pairs,
            clip=self.items.clip,
            permutations=self.permutations,
            settings=self.settings,
            device=self.device,
            n_threads=self.config.n_threads,
            memory_bytes=self.memory_bytes // 4,
        )
        LOGGER.info(
            "%s: %d searchlights, %d items",
            self.label,
            self.searchlights.n_centres,
            self.items.n_items,
        )
        found = run_search(
            search,
            self.searchlights,
            self.folder,
            label=f"{self.label} searchlights",
            quiet=self.config.quiet,
        )
        networks = tuple(
            self._network(number, family, found) for number, family in enumerate(families)
        )
        return Results(
            bold=self.bold,
            items=self.items,
            nuisances=self.nuisances,
            pairs=self.pairs,
            patterns=self.patterns,
            searchlights=self.searchlights,
            n_members=self._on_units(found.n_members)[0],
            mask_note=self.included[1],
            networks=networks,
            lag=self._lag(),
            lag_score=self._on_units(found.lag)[0],
            n_permutations=len(self.permutations),
            device=self.device,
        )

    def _network(self, number: int, family: slice, found: Found) -> NetworkResult:
        n_before = sum(len(one.rdms) for several in self.controls[:number] for one in several)
        controls = self.controls[number]
        n_rows = sum(len(one.rdms) for one in controls)
        untrained = self._on_units(found.controls[n_before : n_before + n_rows])
        score = self._on_units(found.score[family])
        test = None
        if len(self.permutations):
            exceed = np.zeros(score.shape, dtype=np.int64)
            exceed[:, self.searchlights.centres] = found.exceed[family]
            level = self.settings.significance
            test = clip_test(score, exceed, found.maximum[number], level=level)
        return NetworkResult(
            models=self.models[number],
            score=score,
            raw=self._on_units(found.raw[family]),
            untrained=untrained.reshape(len(controls), *score.shape),
            test=test,
            null_maximum=found.maximum[number],
            expected_maximum=self._on_units(found.expected[number : number + 1])[0],
        )

    def _on_units(self, values: NDArray[Any]) -> NDArray[Any]:
        """Put values of centres (n, n_centres) on units (n, n_units), NaN elsewhere."""
        out = np.full((len(values), self.bold.units.n_units), np.nan, dtype=values.dtype)
        out[:, self.searchlights.centres] = values
        return out

    def _lag(self) -> LagProfile:
        """Dissimilarity by distance in time, in an even sample of searchlights."""
        lag_s = self.nuisances.lag_s.copy()
        lag_s[lag_s > _LONGEST_LAG_S] = np.nan
        kind = self.settings.dissimilarity
        kind = "spearman" if kind == "crossnobis" else kind
        lights, total, n = self.searchlights, np.zeros(lag_s.size), 0
        for centre in np.unique(np.linspace(0, lights.n_centres - 1, _LAG_SEARCHLIGHTS).round()):
            one = rdm(np.asarray(self.patterns[:, lights.of(int(centre))]), kind)
            if np.isfinite(one).all():
                total, n = total + one, n + 1
        rdms = np.concatenate([total[None] / max(n, 1), self.models[0].rdms])
        lags, means, n_pairs = lag_profile(rdms, lag_s, self.items.tr_s)
        return LagProfile(lags, n_pairs, means[0] if n else means[0] * np.nan, means[1:])
