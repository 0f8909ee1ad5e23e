"""`gradients`, group level.

The scores of all participants are averaged layer by layer; the profile of each voxel or vertex
over layers gives a best and a centroid layer, whose map on the cortex is compared with the
functional gradient by rotation. Beyond the poster, means are tested over participants, regions and
ratings have profiles with intervals, and inter-subject correlation says what could be predicted.

Source: Kim, Overath and Sammler, poster, Methods: representational gradient mapping.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.spin_surface import Reference, find_cortex
from bidsapp.brain.surrogates import require
from bidsapp.progress import track
from bidsapp.recipes.base.displacement import null_output, write_parcels
from bidsapp.recipes.base.group_maps import (
    GroupMapOptions,
    GroupMaps,
    choose_best,
    cluster_test,
    group_maps,
    group_units,
    participant_maps,
)
from bidsapp.recipes.base.isc import ParcelCourses, ParcelIsc, isc_columns, parcel_isc
from bidsapp.recipes.base.rating_tests import write_ratings
from bidsapp.recipes.base.regions import (
    Profiles,
    Regions,
    pca_rows,
    profile_rows,
    regions,
    reliability_rows,
)
from bidsapp.recipes.base.spins import LayerMap, SpinOptions, Spins, annotation_null, spin_maps
from bidsapp.recipes.base.stack import ScoreStack
from bidsapp.recipes.base.study import GroupStudy
from bidsapp.recipes.gradients import cautions, group_cautions, results
from bidsapp.recipes.gradients import group_results as declared
from bidsapp.recipes.gradients.annotations import (
    annotation_rows,
    find_annotations,
    profile_maps,
    second_null_rows,
)
from bidsapp.recipes.gradients.condition import (
    Condition,
    write_components,
    write_maps,
    write_projected,
)
from bidsapp.recipes.gradients.displacement import write_claims, write_group_beyond
from bidsapp.recipes.gradients.references import reference_labels
from bidsapp.recipes.gradients.settings import GradientsGroupSettings
from bidsapp.recipes.gradients.spin_tables import (
    KINDS,
    alignment_rows,
    alignment_test_rows,
    map_correlation,
    null_rows,
    spin_facts,
    spin_rows,
)
from bidsapp.results.cautions import Caution
from bidsapp.results.kinds import Table
from bidsapp.results.write import Output, tidy
from bidsapp.scratch import Scratch
from bidsapp.stats.bootstrap import resample_counts
from bidsapp.stats.isc import model_ceiling
from bidsapp.stats.layer_pca import LayerPca
from bidsapp.stats.metrics import centroid_layer, fisher_z

if TYPE_CHECKING:
    import pandas as pd

LOGGER = logging.getLogger("musicotopy")
Array = NDArray[np.floating[Any]]
Row = dict[str, Any]


def group(study: GroupStudy) -> None:
    """Run the group level for one space and write its results.

    Parameters
    ----------
    study
        Its inputs come from `bidsapp.recipes.base.group.collect_group`.

    Raises
    ------
    AppError
        If a participant's file cannot be used, or a reference or the atlas does not fit.
    """
    GradientsGroup(study).run()


class GradientsGroup:
    """What the steps of one group analysis share."""

    def __init__(self, study: GroupStudy) -> None:
        self.study, self.inputs, self.config = study, study.inputs, study.config
        self.settings: GradientsGroupSettings = study.settings
        network = next(iter(self.inputs.networks))
        self.units = group_units(self.inputs, results.SCORE.of("positive"), network)
        self.cortex = find_cortex(self.units, mni305=self.settings.mni305)
        self.references: tuple[Reference, ...] = (
            self.cortex.references(self.settings.references) if self.cortex else ()
        )
        self.annotations, self.notes = find_annotations(self.cortex, self.settings.annotations)
        if self.settings.second_null != "none":
            require(self.settings.second_null)
        self.regions: tuple[Regions, ...] = regions(self.units, self.cortex, self.config.atlas)
        self.displaced: dict[str, NDArray[np.bool_]] = {}
        self.frames: dict[tuple[str, str], pd.DataFrame] = {}

    @property
    def lags(self) -> tuple[str, ...]:
        """Sets of lags: ``positive`` and, if the control was run, ``negative``."""
        first = self.inputs.participants[0].facts(self.inputs.at)
        return tuple(lags for lags in results.LAGS if lags in first["n_rows"])

    def options(self, lags: str) -> GroupMapOptions:
        """How maps are averaged, and tested at positive lags."""
        chosen = GroupMapOptions.of(self.settings)
        return chosen if lags == "positive" else replace(chosen, n_flips=0, tfce=False)

    def run(self) -> None:
        """Analyse, test, and write."""
        conditions = tuple(self.conditions())
        courses = ParcelCourses(self.inputs.at, results.PARCEL_LABELS, results.COURSES)
        isc, doubts = parcel_isc(self.inputs.participants, courses, self.units)
        spins = self.spins(conditions)
        components = {}
        for item in conditions:
            out = self.output(item)
            write_maps(out, item, self.settings)
            components[item.network, item.lags] = write_components(out, item, self.settings.n_pcs)
            if self.cortex is not None and self.cortex.is_projected:
                write_projected(out, item, self.cortex, self.inputs.space, self.origin)
        for network in self.inputs.networks:
            averaged, passed, more = write_parcels(
                self.study,
                self.units,
                network,
                courses,
                results.NULL_SCORES,
                declared.DISPLACEMENT,
                declared.SIGNIFICANT,
            )
            doubts += [caution for caution in more if caution not in doubts]
            if passed is not None:
                self.displaced[network] = passed
            preference: Array | None = None
            write_group_beyond(self.study, self.units, network, courses)
            competes = self.inputs.competes(network)
            has_depth = np.count_nonzero(competes) > 1 and network != cautions.BASELINE
            if averaged is not None and self.cortex is not None and has_depth:
                shared = null_output(self.study, self.units, network, results.NULL_SCORES)
                found, preference = write_claims(
                    shared, network, averaged, competes, self.cortex, self.references
                )
                doubts += found
            both = [item for item in conditions if item.network == network]
            self.write_tables(both, components)
            if spins is not None:
                self.write_spins(both, spins)
                self.write_profile(both[0], spins, preference)
        self.write_shared(conditions[0], isc)
        out = self.output(conditions[0])
        facts = self.summary(conditions, spins, isc, doubts)
        out.write(declared.SUMMARY, facts)

    def output(self, item: Condition) -> Output:
        """Return the writer of what is made from the score maps of one condition."""
        maps = self.study.files(results.SCORE.of(item.lags), network=item.network)
        return self.study.output(self.units, maps)

    # -------------------------------------------------------------- averages over participants

    def conditions(self) -> Iterator[Condition]:
        """Analyse every network at every set of lags."""
        for network, layers in self.inputs.networks.items():
            for lags in self.lags:
                LOGGER.info("%s: %s, %s lags", self.study.label, network, lags)
                shape = (len(layers), len(self.inputs.participants), self.units.n_units)
                with ScoreStack.temporary(self.study.scratch / "group", shape) as stack:
                    yield self.condition(network, lags, stack)

    def condition(self, network: str, lags: str, stack: ScoreStack) -> Condition:
        """Read the participants one by one, then average and test over them."""
        label, quiet = f"{network} {lags}", self.config.quiet
        competes = self.inputs.competes(network)
        participants = self.inputs.participants
        profiles, correlations, mean_r = [], [], []
        for number, participant in enumerate(
            track(
                participants, total=len(participants), label=f"{label}: participants", quiet=quiet
            )
        ):
            result = results.SCORE.of(lags)
            r = participant_maps(participant, self.inputs, result, network, self.units)
            stack.put(number, fisher_z(r))
            known = np.isfinite(r)
            mean_r.append(r[known].mean() if known.any() else np.nan)
            surface = None if self.cortex is None else self.cortex.carry(r)
            profiles.append(self.region_means(r, surface))
            if surface is not None:
                correlations.append(self.correlations(surface, competes))
        seed, options = self.config.random_seed, self.options(lags)
        maps = group_maps(
            stack, options, competes=competes, seed=seed, label=f"{label}: flips", quiet=quiet
        )
        clusters = cluster_test(
            stack, self.units, options, seed=seed, label=f"{label}: clusters", quiet=quiet
        )
        maps = replace(maps, clusters=clusters)
        on_surface = None if self.cortex is None else self.cortex.carry(maps.mean_r)
        rule = self.settings.best_layer
        return Condition(
            network,
            lags,
            self.inputs.networks[network],
            maps,
            on_surface,
            None if on_surface is None else choose_best(on_surface, rule, competes),
            None if on_surface is None else centroid_layer(on_surface, competes=competes),
            Profiles(
                tuple(name for item in self.regions for name in item.names),
                tuple(side for item in self.regions for side in item.structures),
                np.stack(profiles),
            ),
            np.stack(correlations) if correlations else None,
            np.array(mean_r),
        )

    def region_means(self, r: Array, surface: Array | None) -> Array:
        """(n_layers, n_regions) mean scores of one participant."""
        parts = []
        for item in self.regions:
            values = surface if item.on_surface else r
            assert values is not None
            parts.append(item.means(values))
        return np.hstack(parts) if parts else np.empty((len(r), 0))

    def correlations(self, surface: Array, competes: NDArray[np.bool_]) -> Array:
        """(n_kinds, n_references) of one participant's layer maps with the references."""
        best = choose_best(surface, self.settings.best_layer, competes)
        centroid = centroid_layer(surface, competes=competes)
        maps = np.stack([np.where(best > 0, best, np.nan), centroid])
        references = np.stack([item.values for item in self.references])
        return map_correlation(maps, references, self.settings.spin_statistic)

    # -------------------------------------------------------------- spin tests

    def spins(self, conditions: Sequence[Condition]) -> Spins | None:
        """Rotate the references against all layer maps; None without a surface."""
        if self.cortex is None:
            return None
        kept = {item.network: self.kept(item.maps) for item in conditions if item.is_tested}
        maps: dict[bool, list[LayerMap]] = {True: [], False: []}
        for item in conditions:
            assert item.surface_best is not None
            assert item.surface_centroid is not None
            best = np.where(item.surface_best > 0, item.surface_best, np.nan)
            for kind, values in zip(KINDS, (best, item.surface_centroid), strict=True):
                shown = np.where(kept[item.network], values, np.nan)
                maps[item.is_tested].append(LayerMap(item.network, item.lags, kind, shown))
        return spin_maps(
            self.cortex, maps[True], self.references, *self.rotating, controls=maps[False]
        )

    @cached_property
    def rotating(self) -> tuple[SpinOptions, Scratch]:
        """How maps are rotated, and where unfinished work is kept."""
        options = SpinOptions(
            self.settings.n_rotations,
            self.settings.n_swapped_rotations,
            self.settings.spin_statistic,
            self.config.random_seed,
            self.config.n_threads,
            self.study.device,
        )
        folder = self.study.scratch / "spins"
        return options, Scratch(folder, quiet=self.config.quiet)

    def kept(self, maps: GroupMaps) -> NDArray[np.bool_]:
        """Vertices of layer maps that take part: cortex, or what is significant of it."""
        assert self.cortex is not None
        if self.settings.thresholded == "none":
            return self.cortex.mask
        passed = maps.significant(self.settings.significance).astype(np.float32)
        return np.asarray(self.cortex.mask & (self.cortex.carry(passed[None])[0] >= 0.5))

    # -------------------------------------------------------------- writing

    @property
    def origin(self) -> dict[str, str]:
        """Names the volumes behind maps of the surface, so that two templates write two files."""
        if self.cortex is None or not self.cortex.is_projected:
            return {}
        return {"label": f"{self.units.space}{self.units.resolution or ''}"}

    def write_tables(
        self, both: Sequence[Condition], components: Mapping[tuple[str, str], LayerPca | None]
    ) -> None:
        """Write profiles of regions, their reliability, components and ratings of a network."""
        network, seed = both[0].network, self.config.random_seed
        out, n = self.output(both[0]), len(self.inputs.participants)
        counts = resample_counts(n, self.settings.n_bootstrap, seed)
        if both[0].profiles.names:
            stable = partial(reliability_rows, competes=self.inputs.competes(network))
            for result, rows in ((declared.REGIONS, profile_rows), (declared.RELIABILITY, stable)):
                made = (
                    row
                    for item in both
                    for row in rows(item.profiles, counts, item.layers, item.lags)
                )
                self.write_frame(out, result, made, network)
        loadings = [
            row
            for item in both
            if (pca := components[network, item.lags]) is not None
            for row in pca_rows(pca, item.layers, item.lags)
        ]
        if loadings:
            out.write(declared.LOADINGS, loadings, network=network)
        tables = results.RATINGS, results.RATINGS_NULL
        write_ratings(out, self.study, network, tables, declared.RATINGS)

    def write_spins(self, both: Sequence[Condition], spins: Spins) -> None:
        """Write spin tests, their null, and the alignment of single participants."""
        network, out = both[0].network, self.output(both[0])
        self.write_frame(out, declared.SPINS, spin_rows(spins, network, self.settings), network)
        out.write(declared.SPIN_NULL, null_rows(spins, network), network=network)
        names = [item.name for item in self.references]
        r = {item.lags: item.correlations for item in both if item.correlations is not None}
        subjects = self.inputs.subjects
        rows = (x for lags in r for x in alignment_rows(r[lags], subjects, lags, names))
        out.write(declared.ALIGNMENTS, rows, network=network)
        tests = alignment_test_rows(r, names, self.settings, self.config.random_seed)
        self.write_frame(out, declared.ALIGNMENT_TEST, tests, network)

    def write_profile(self, first: Condition, spins: Spins, preference: Array | None) -> None:
        """Write the annotation profile and the second null of a network's layer maps."""
        assert self.cortex is not None
        network, out = first.network, self.output(first)
        maps = [item for item in spins.maps if item.network == network]
        if self.annotations and network != cautions.BASELINE:
            tested = profile_maps(self.cortex, maps, preference)
            null = annotation_null(self.cortex, tested, self.annotations, *self.rotating)
            rows = annotation_rows(null, tested, self.annotations, self.settings)
            out.write(declared.ANNOTATIONS, rows, network=network)
        if self.settings.second_null != "none":
            seed = self.config.random_seed
            second = second_null_rows(self.cortex, maps, self.references, self.settings, seed)
            out.write(declared.SECOND, second, network=network)

    def write_frame(self, out: Output, result: Table, rows: Iterable[Row], network: str) -> None:
        """Write a table that cautions are looked for in, too."""
        import pandas as pd

        kept = list(rows)
        self.frames[result.desc, network] = pd.DataFrame(kept)
        out.write(result, kept, network=network)

    def doubts(self, conditions: Sequence[Condition]) -> Iterator[Caution]:
        """Yield the reasons to doubt the scores and tests of each network."""
        positive = {item.network: item.maps for item in conditions if item.lags == "positive"}
        baseline = positive.pop(cautions.BASELINE, None)
        level = self.settings.significance
        for network, maps in positive.items():
            passed = self.displaced.get(network)
            if passed is None and maps.test is not None:
                passed = maps.significant(level)
            other = None if baseline is None else baseline.mean_r
            yield from group_cautions.of_scores(network, maps.mean_r, passed, other)
            reliability = self.frames.get((declared.RELIABILITY.desc, network))
            if reliability is not None:
                yield from group_cautions.of_reliability(network, reliability)
            tests = self.frames.get((declared.SPINS.desc, network))
            if tests is not None:
                people = self.frames[declared.ALIGNMENT_TEST.desc, network]
                yield from group_cautions.of_tests(network, tests, people, level)

    def write_shared(self, first: Condition, isc: ParcelIsc | None) -> None:
        """Write what does not depend on the network."""
        out = self.output(first)
        out.write(declared.N, first.maps.n.astype(np.float32))
        own = [
            {"n_rows": person.facts(self.inputs.at)["n_rows"]["positive"], "mean_r": mean_r}
            for person, mean_r in zip(self.inputs.participants, first.mean_r, strict=True)
        ]
        rows = self.study.participant_rows(declared.PARTICIPANTS, own)
        out.write(declared.PARTICIPANTS, rows)
        if isc is not None:
            columns = isc_columns(isc, self.units)
            numbers = range(1, len(isc.r) + 1)
            columns["ceiling"] = model_ceiling(isc.r, isc.n)
            out.write(declared.ISC, tidy(columns, parcel=numbers))
        labels = reference_labels([item.name for item in self.references])
        for item in self.references:
            if item.name in labels:
                assert self.cortex is not None
                given = out.on(self.cortex.units, sources=(), Reference=dict(item.provenance))
                result = declared.REFERENCE.of(labels[item.name])
                values = item.values.astype(np.float32)
                given.write(result, values, names=[item.name], entities=self.origin)

    def summary(
        self,
        conditions: Sequence[Condition],
        spins: Spins | None,
        isc: ParcelIsc | None,
        doubts: Sequence[Any],
    ) -> Row:
        """Return the content of the summary."""
        first = conditions[0]
        test, n = first.maps.test, first.maps.n[first.maps.n > 0]
        return self.study.summary(
            self.units,
            networks=self.inputs.network_facts,
            cautions=[
                *cautions.of_group(self.study, self.cortex, first.maps),
                *cautions.of_layer_maps(conditions, self.cortex, self.settings),
                *cautions.of_spins(spins, self.settings),
                *self.doubts(conditions),
                *doubts,
                *self.notes,
            ],
            lags=list(self.lags),
            participants_per_unit={
                "min": int(n.min()),
                "median": float(np.median(n)),
                "max": int(n.max()),
            }
            if n.size
            else {},
            sign_flips=None
            if test is None
            else {"n_flips": test.n_flips, "all": test.exact, "smallest_p": test.smallest_p},
            references=[
                {"name": item.name, "n_units": int(np.isfinite(item.values).sum())}
                | dict(item.provenance)
                for item in self.references
            ],
            annotations=[{"name": item.name} | dict(item.provenance) for item in self.annotations],
            region_files=sorted({name for item in self.regions for name in item.files}),
            spin=spin_facts(self.cortex, spins),
            isc=None if isc is None else {"n_rows": isc.n_rows},
        )
