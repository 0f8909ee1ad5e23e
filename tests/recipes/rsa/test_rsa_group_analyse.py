from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bidsapp.recipes.rsa.group.analyse import analyse_group
from bidsapp.recipes.rsa.group.collect import find_group
from bidsapp.recipes.rsa.group.settings import VARIANTS, GroupSettings
from bidsapp.recipes.rsa.group.shape import superior_temporal

from bidsapp.bids.tables import Table, read_table
from bidsapp.brain.geometry import surface_units
from bidsapp.brain.maps import read_maps

FAST = GroupSettings(n_permutations=200, n_bootstrap=50, n_flips=200, axis_bins=4)
SPACE = "space-MNI152NLin2009cAsym_res-2"


class Files:
    """What a group analysis wrote."""

    def __init__(self, analysis: Any) -> None:
        self.folder = Path(analysis.staging.path("x")).parent

    def maps(self, name: str, units: Any, suffix: str = "statmap") -> np.ndarray:
        (path,) = self.folder.rglob(f"*{name}_{suffix}.nii.gz")
        return read_maps([path], units).values

    def rows(self, name: str) -> list[dict[str, str]]:
        (path,) = self.folder.rglob(f"*{name}_stats.tsv")
        table = read_table(path)
        assert isinstance(table, Table)
        return [dict(row) for row in table.rows]

    def summary(self) -> dict[str, Any]:
        (path,) = self.folder.rglob("*desc-rsasummary_stats.json")
        return dict(json.loads(path.read_text()))


@pytest.fixture
def run(
    written: Callable[..., Path], make_analysis: Callable[..., Any], tmp_path: Path
) -> Callable[..., Files]:
    """Return a function that writes participants and runs the group level."""

    def start(
        persons: Any, settings: GroupSettings = FAST, name: str = "t", **config: Any
    ) -> Files:
        (inputs,) = find_group(written(persons))
        analysis = make_analysis(inputs, tmp_path / name, settings, **config)
        analyse_group(analysis)
        return Files(analysis)

    return start


def test_finds_the_planted_layer_where_it_is(run, people, units, planted) -> None:
    found = run(people(5))
    best = found.maps("rsabestlayer", units, "dseg")[0]
    inside = planted == 2
    assert (best[inside] == 2).mean() > 0.9
    assert (best[~inside] > 0).mean() < 0.05
    assert (found.maps("stat-confidence_desc-rsa", units)[0][best == 2] > 0.8).mean() > 0.9
    p = found.maps("stat-p_desc-rsafwe", units)
    assert np.nanmin(p) == pytest.approx(1 / 201)
    lower, upper = (found.maps(f"desc-rsa{name}", units)[0] for name in ("lower", "upper"))
    assert (lower < upper).all()
    assert lower[inside].mean() > lower[~inside].mean() + 0.1
    q = found.maps("stat-q_desc-rsafdr", units)
    assert (q[1, inside] < 0.05).mean() > 0.9


def test_writes_every_file_of_the_contract(run, people) -> None:
    persons = people(3)
    for person in persons:
        person.untrained = np.full((3, person.units.n_units), 0.005)
    found = run(persons)
    names = {path.name for path in found.folder.rglob("*") if path.is_file()}
    model = f"{SPACE}_model-toy"
    for stem in (
        f"{model}_stat-rho_desc-rsamean_statmap",
        f"{model}_stat-t_desc-rsa_statmap",
        f"{model}_stat-p_desc-rsa_statmap",
        f"{model}_stat-p_desc-rsafwe_statmap",
        f"{model}_stat-q_desc-rsafdr_statmap",
        f"{model}_stat-centroid_desc-rsa_statmap",
        f"{model}_stat-confidence_desc-rsa_statmap",
        f"{model}_stat-rho_desc-rsauntrained_statmap",
        f"{model}_stat-rho_desc-rsadifference_statmap",
        f"{SPACE}_stat-ceiling_desc-rsalower_statmap",
        f"{SPACE}_stat-ceiling_desc-rsaupper_statmap",
        f"{model}_desc-rsabestlayer_dseg",
        f"{model}_desc-rsasignificant_mask",
    ):
        assert {f"{stem}.nii.gz", f"{stem}.json"} <= names, sorted(names)
    for stem in ("rsanull", "rsalayers", "rsastg", "rsaprofile"):
        assert f"{model}_desc-{stem}_stats.tsv" in names
    assert f"{SPACE}_desc-rsaparticipants_stats.tsv" in names
    rows = found.rows("rsaprofile")
    assert float(rows[0]["difference"]) == pytest.approx(0.015, abs=1e-6)
    assert [row["layer"] for row in rows] == ["conv1", "conv2", "fc"]
    summary = found.summary()
    for key in ("recipe", "variant", "version", "space", "settings", "config", "weights"):
        assert key in summary
    assert not summary["order"]["common"]


def test_layers_of_hemispheres_differ_where_one_has_the_layer(run, people) -> None:
    found = run(people(6))
    shares = {(row["hemisphere"], row["layer"]): row for row in found.rows("rsalayers")}
    assert float(shares["L", "conv2"]["share"]) > 0.9
    difference = shares["L-R", "conv2"]
    assert float(difference["participant_share"]) > 0.2
    assert float(difference["p"]) < 0.1


def test_a_common_order_withholds_tests_over_participants(run, people) -> None:
    persons = people(5)
    for person in persons:
        person.order = persons[0].order
    found = run(persons)
    summary = found.summary()
    assert summary["order"]["common"]
    assert any("one order" in text for text in summary["warnings"])
    assert {row["p"] for row in found.rows("rsalayers")} == {"n/a"}
    assert summary["networks"][0]["asymmetry"]["p"] is None
    gyri = summary["networks"][0]["superior_temporal_gyrus"]
    assert gyri
    assert all(axis["slope"]["p"] is None for axis in gyri)


def test_one_participant_has_no_t_and_no_ceiling(run, people, units) -> None:
    found = run(people(1, gain=2.0))
    names = {path.name for path in found.folder.rglob("*")}
    assert not any("stat-t" in name or "ceiling" in name for name in names)
    best = found.maps("rsabestlayer", units, "dseg")[0]
    assert (best == 2).any()
    assert any("Only one participant" in text for text in found.summary()["warnings"])


def test_one_participant_has_no_faithful_test(run, people, units) -> None:
    settings = dataclasses.replace(FAST, test="maximum-t", ceiling_above_zero=False)
    persons = people(1)
    persons[0].settings = {"pairs": "all"}
    found = run(persons, settings)
    assert not found.maps("rsasignificant", units, "mask").any()
    assert any("Pairs within clips" in text for text in found.summary()["warnings"])


def test_faithful_passes_on_noise_and_says_what_noise_is(run, people, units) -> None:
    settings = dataclasses.replace(VARIANTS["faithful"], n_permutations=100, axis_bins=4)
    persons = people(8, null=True)
    found = run(persons, settings)
    observed = found.maps("stat-rho_desc-rsamax", units)[0]
    expected = found.maps("stat-expected_desc-rsamax", units)[0]
    assert found.maps("rsasignificant", units, "mask").mean() > 0.3
    assert np.nanmean(observed) == pytest.approx(np.nanmean(expected), abs=0.02)
    (banner,) = found.summary()["banners"]
    assert f"{np.nanmean(expected):.4f}" in banner
    p = found.maps("stat-p_desc-rsafwe", units)
    assert np.nanmin(p) > 0.01


def test_nothing_is_tested_without_permutations(run, people, units) -> None:
    found = run(people(3), dataclasses.replace(FAST, n_permutations=0))
    assert not found.maps("rsasignificant", units, "mask").any()
    assert not list(found.folder.rglob("*stat-p_*"))
    assert any("No permutations" in text for text in found.summary()["warnings"])


def test_units_need_enough_participants(run, people, units) -> None:
    persons = people(5)
    persons[0].size = persons[0].size.copy()
    persons[0].size[:40] = np.nan
    persons[1].size = persons[1].size.copy()
    persons[1].size[:20] = np.nan
    found = run(persons)
    mean = found.maps("desc-rsamean", units)[0]
    assert np.isnan(mean[:20]).all()
    assert np.isfinite(mean[20:]).all()


def test_finished_slabs_are_used_again(
    people, written, make_analysis, tmp_path, monkeypatch
) -> None:
    from bidsapp.recipes.rsa import slabs
    from bidsapp.recipes.rsa.group import search

    monkeypatch.setattr(slabs, "SLAB", 100)
    (inputs,) = find_group(written(people(3)))
    whole = make_analysis(inputs, tmp_path / "whole", FAST)
    analyse_group(whole)
    real, calls = search.search_slab, []

    def stops(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(search, "search_slab", stops)
    again = make_analysis(inputs, tmp_path / "again", FAST)
    with pytest.raises(KeyboardInterrupt):
        analyse_group(again)
    analyse_group(make_analysis(inputs, tmp_path / "again", FAST))
    n_slabs = -(-inputs.participants[0].summary["n_units"] // 100)
    assert len(calls) == 3 + n_slabs - 2
    for name in ("desc-rsamean", "desc-rsafwe"):
        one, other = (
            next((tmp_path / folder).rglob(f"*{name}_statmap.nii.gz"))
            for folder in ("whole", "again")
        )
        np.testing.assert_array_equal(read_maps([one]).values, read_maps([other]).values)
    assert not list((tmp_path / "again" / ".work").rglob("*.npz"))


def test_crossnobis_becomes_euclid_and_it_is_said(run, people) -> None:
    persons = people(2)
    for person in persons:
        person.settings = {"dissimilarity": "crossnobis"}
    summary = run(persons).summary()
    assert summary["dissimilarity"] == "euclid"
    assert any("crossnobis" in text for text in summary["warnings"])


def test_surfaces_are_searched_along_the_mesh(run, person, models) -> None:
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
    found = run(persons, dataclasses.replace(FAST, n_permutations=50))
    paths = sorted(found.folder.rglob("*desc-rsamean_statmap.func.gii"))
    mean = read_maps(paths, units).values
    known = np.isfinite(mean).all(axis=0)
    assert not known[~include].any()
    assert known[include].mean() > 0.9
    assert {row["hemisphere"] for row in found.rows("rsastg")} == {"L", "R"}
