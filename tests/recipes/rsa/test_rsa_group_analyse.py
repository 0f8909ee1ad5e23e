from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bidsapp.brain.geometry import surface_units
from bidsapp.models.rdm import rdm
from bidsapp.recipes.rsa import group, search
from bidsapp.recipes.rsa import results as declared
from bidsapp.recipes.rsa.gyrus import superior_temporal
from bidsapp.recipes.rsa.report import report
from bidsapp.recipes.rsa.settings import GROUP_VARIANTS, GroupSettings
from bidsapp.report.html import render
from bidsapp.results.inferences import INFERENCES
from bidsapp.results.kinds import Result, Table
from bidsapp.results.read import Results


class Files:
    """What a group analysis wrote, looked up by declaration."""

    def __init__(self, results: Results) -> None:
        self.results, self.folder = results, results.folder
        (self.space,) = results.spaces

    def maps(self, result: Result) -> np.ndarray:
        network = "toy" if result.by_network else ""
        return self.results.values(result, self.space, network)

    def rows(self, result: Table) -> pd.DataFrame:
        return self.results.table(result, self.space, "toy" if result.by_network else "")

    @property
    def summary(self) -> Mapping[str, Any]:
        return self.results.facts()

    @property
    def network(self) -> Mapping[str, Any]:
        return self.results.network("toy")

    @property
    def cautions(self) -> dict[str, str]:
        return {item.title: item.text for item in self.results.cautions()}


@pytest.fixture
def run(grouped: Callable[..., Results], written: Callable[..., Path]) -> Callable[..., Files]:
    """Return a function that writes participants and runs the group level."""
    return lambda persons, *options, **more: Files(grouped(written(persons), *options, **more))


def test_finds_the_planted_layer_where_it_is(run, people, planted) -> None:
    found = run(people(5))
    best = found.maps(declared.BEST_LAYER)[0]
    inside = planted == 2
    assert (best[inside] == 2).mean() > 0.9
    assert (best[~inside] > 0).mean() < 0.05
    assert (found.maps(declared.CONFIDENCE)[0][best == 2] > 0.8).mean() > 0.9
    p = found.maps(declared.P_FWE)
    assert np.nanmin(p) == pytest.approx(1 / 201)
    lower, upper = (found.maps(item)[0] for item in (declared.LOWER, declared.UPPER))
    assert (lower < upper).all()
    assert lower[inside].mean() > lower[~inside].mean() + 0.1
    q = found.maps(declared.Q)
    assert (q[1, inside] < 0.05).mean() > 0.9


def test_everything_declared_is_written(run, people) -> None:
    persons = people(3)
    for person in persons:
        person.untrained = np.full((3, person.units.n_units), 0.005)
    found = run(persons)
    by_maximum = {declared.MAX.desc}
    for result in declared.RESULTS:
        if result.at("group") and result.desc not in by_maximum:
            network = "toy" if result.by_network else ""
            assert found.results.written(result, found.space, network), result
            assert found.results.sidecar(result, found.space, network)["Description"]
    profile = found.rows(declared.GROUP_PROFILE)
    assert profile["difference"].iloc[0] == pytest.approx(0.015, abs=1e-6)
    assert list(profile["layer"]) == ["conv1", "conv2", "fc"]
    assert not found.summary["order"]["common"]
    sidecar = found.results.sidecar(declared.SIGNIFICANT, found.space, "toy")
    assert sidecar["Inference"] == INFERENCES["clip_permutation"].draws


def test_clips_of_different_length_are_tested_by_what_every_clip_has(
    run, people, features, tmp_path, write, grouped
) -> None:
    """The null is compared with the score of a study that never had the longer clip's end."""
    persons = people(2)
    for person in persons:  # as the participant level writes them
        person.patterns -= person.patterns.mean(axis=0)
    quick = GroupSettings(n_permutations=20, n_bootstrap=0, axis_bins=4)
    equal = run(persons, quick)
    rng = np.random.default_rng(5)
    more = rng.standard_normal((3, features.shape[-1]))
    for person in persons:
        person.longer_s = {"clip0.wav": 26.0}
        extra = rng.standard_normal((3, person.units.n_units))
        person.patterns = np.insert(person.patterns, [4], extra, axis=0)
        layers = [rdm(np.insert(layer, [4], more, axis=0), "pearson") for layer in features]
        person.models = np.stack(layers).round(6)
    longer = Files(grouped(write(tmp_path / "longer", persons), quick))
    assert (longer.summary["n_items"], longer.summary["n_tested"]) == (27, 24)
    np.testing.assert_allclose(
        [longer.network[name] for name in ("mean_maximum", "largest_tested")],
        [equal.network[name] for name in ("mean_maximum", "largest_tested")],
        rtol=1e-5,
    )
    peak = np.nanmax(longer.maps(declared.MEAN))
    assert abs(peak - longer.network["largest_tested"]) > 1e-3
    text = longer.cautions["Clips of different length"]
    assert "p-values of the 4 that every clip has; 3 volumes" in text
    assert "Clips of different length" not in equal.cautions
    kept = "6 clips do not allow for onsets, centroid, mel beside loudness"
    assert equal.cautions["Acoustic features not removed"].startswith(kept)
    page = render(report(longer.results)[0])
    assert "27 items of 6 clips; p-values are of the 24 that every clip has" in page
    assert "are the 24 items that every clip has" in page
    assert "scores of the 24 items that every clip has" in page
    assert "every clip has" not in render(report(equal.results)[0])


def test_layers_of_hemispheres_differ_where_one_has_the_layer(run, people) -> None:
    found = run(people(6))
    shares = found.rows(declared.LAYERS).set_index(["hemisphere", "layer"])
    assert shares.loc[("L", "conv2"), "share"] > 0.9
    difference = shares.loc[("L-R", "conv2")]
    assert difference["participant_share"] > 0.2


def test_a_common_order_is_said(run, people) -> None:
    persons = people(5)
    for person in persons:
        person.order = persons[0].order
    found = run(persons)
    assert found.summary["order"]["common"]
    assert "One order of the clips" in found.cautions
    assert "p" not in found.rows(declared.LAYERS)
    gyri = found.network["superior_temporal_gyrus"]
    assert gyri
    assert all(0 <= axis["slope"]["n_positive"] <= axis["slope"]["n"] == 5 for axis in gyri)


def test_one_participant_has_no_t_and_no_ceiling(run, people) -> None:
    found = run(people(1, gain=2.0))
    names = {path.name for path in found.folder.rglob("*")}
    assert not any("stat-t" in name or "ceiling" in name for name in names)
    best = found.maps(declared.BEST_LAYER)[0]
    assert (best == 2).any()
    assert "Only one participant" in found.cautions


def test_one_participant_has_no_faithful_test(run, people, fast) -> None:
    settings = dataclasses.replace(fast, test="maximum-t", ceiling_above_zero=False)
    persons = people(1)
    persons[0].settings = {"pairs": "all"}
    found = run(persons, settings)
    assert not found.results.written(declared.SIGNIFICANT, found.space, "toy")
    assert "Autocorrelation" in found.cautions


def test_faithful_passes_on_noise_and_says_what_noise_is(run, people) -> None:
    settings = dataclasses.replace(GROUP_VARIANTS["faithful"], n_permutations=100, axis_bins=4)
    persons = people(8, null=True)
    found = run(persons, settings)
    observed = found.maps(declared.MAX)[0]
    expected = found.maps(declared.MAX_EXPECTED)[0]
    assert found.maps(declared.SIGNIFICANT).mean() > 0.3
    assert np.nanmean(observed) == pytest.approx(np.nanmean(expected), abs=0.02)
    text = found.cautions["The maximum over layers is biased"]
    assert f"{np.nanmean(expected):.4f}" in text
    sidecar = found.results.sidecar(declared.SIGNIFICANT, found.space, "toy")
    assert sidecar["Inference"] == INFERENCES["maximum_t"].draws
    p = found.maps(declared.P_FWE)
    assert np.nanmin(p) > 0.01


def test_nothing_is_tested_without_permutations(run, people, fast) -> None:
    found = run(people(3), dataclasses.replace(fast, n_permutations=0))
    assert not found.results.written(declared.SIGNIFICANT, found.space, "toy")
    assert not list(found.folder.rglob("*stat-p_*"))
    assert "No test" in found.cautions


def test_units_need_enough_participants(run, people) -> None:
    persons = people(5)
    persons[0].size = persons[0].size.copy()
    persons[0].size[:40] = np.nan
    persons[1].size = persons[1].size.copy()
    persons[1].size[:20] = np.nan
    found = run(persons)
    mean = found.maps(declared.MEAN)[0]
    assert np.isnan(mean[:20]).all()
    assert np.isfinite(mean[20:]).all()


def test_finished_slabs_are_used_again(people, written, grouped, monkeypatch) -> None:
    monkeypatch.setattr(search, "SLAB", 100)
    persons = people(3)
    whole = Files(grouped(written(persons)))
    mean, p = whole.maps(declared.MEAN), whole.maps(declared.P_FWE)
    (output,) = {whole.results.root}
    real, calls = search.score_group, []

    def stops(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(group, "score_group", stops)
    with pytest.raises(KeyboardInterrupt):
        grouped(output)
    again = Files(grouped(output))
    n_slabs = -(-whole.summary["n_units"] // 100)
    assert len(calls) == 3 + n_slabs - 2
    np.testing.assert_array_equal(again.maps(declared.MEAN), mean)
    np.testing.assert_array_equal(again.maps(declared.P_FWE), p)
    assert not list((output / ".work").rglob("*.npz"))


def test_crossnobis_becomes_euclid_and_it_is_said(run, people) -> None:
    persons = people(2)
    for person in persons:
        person.settings = {"dissimilarity": "crossnobis"}
    found = run(persons)
    assert found.summary["dissimilarity"] == "euclid"
    assert "Other distances than in participants" in found.cautions


def test_surfaces_are_searched_along_the_mesh(run, person, models, fast) -> None:
    units = surface_units(10242, 10242, space="fsaverage5")
    include = superior_temporal(units) & (np.abs(units.coordinates_mm()[:, 1] + 20) < 8)
    rng = np.random.default_rng(0)
    persons = [
        person(
            units,
            rng.standard_normal((24, units.n_units)),
            models.round(6),
            np.where(include, 20.0, np.nan),
            order=[f"clip{k}.wav" for k in rng.permutation(6)],
        )
        for _ in range(2)
    ]
    found = run(persons, dataclasses.replace(fast, n_permutations=50))
    mean = found.maps(declared.MEAN)
    known = np.isfinite(mean).all(axis=0)
    assert not known[~include].any()
    assert known[include].mean() > 0.9
    assert set(found.rows(declared.GYRUS)["hemisphere"]) == {"L", "R"}
