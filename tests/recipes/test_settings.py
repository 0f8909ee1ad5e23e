"""Settings of recipes: overriding, checking, and telling how they differ from the paper."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bidsapp.errors import UsageError
from bidsapp.recipes.base.settings import fidelity, override, setting
from bidsapp.recipes.gradients.settings import VARIANTS, GradientsSettings


def test_override_checks_names_and_types() -> None:
    changed = override(
        GradientsSettings(),
        "gradients",
        {"n_components": 20, "lags_s": [3, 4.0], "pca_fit": "all", "mask_maps": False},
    )
    assert (changed.n_components, changed.lags_s) == (20, (3.0, 4.0))
    assert changed.pca_fit == "all"
    assert not changed.mask_maps
    for name, value in {
        "n_component": 3,
        "n_components": 2.5,
        "pca_fit": "some",
        "lags_s": 4.0,
        "mask_maps": 1,
    }.items():
        with pytest.raises(UsageError, match=f"gradients.{name}"):
            override(GradientsSettings(), "gradients", {name: value})


def test_fidelity_lists_every_setting() -> None:
    rows = {row["option"]: row for row in fidelity(VARIANTS["faithful"], "faithful")}
    assert set(rows) == set(vars(GradientsSettings()))
    assert rows["pca_fit"]["used"] == "all"
    assert rows["lags_s"]["used"] == "4.0 5.0 6.0"
    robust = {row["option"]: row for row in fidelity(VARIANTS["robust"], "robust")}
    differing = {name for name in rows if rows[name]["used"] != robust[name]["used"]}
    assert all(robust[name]["why"] for name in differing)


@dataclass(frozen=True)
class Training:
    epochs: int = setting(50, paper="100", source="p. 1", why="enough")


@dataclass(frozen=True)
class Nested:
    size: int = setting(3, paper="3", source="p. 2")
    training: Training = Training()


def test_nested_settings_are_changed_one_by_one() -> None:
    changed = override(Nested(), "r", {"training": {"epochs": 2}})
    assert changed == Nested(3, Training(2))
    with pytest.raises(UsageError, match=r"r\.training\.epoch: .* r\.training knows epochs"):
        override(Nested(), "r", {"training": {"epoch": 2}})
    with pytest.raises(UsageError, match=r"r\.training = 2: is a table; .* epochs"):
        override(Nested(), "r", {"training": 2})
    assert [(row["option"], row["used"]) for row in fidelity(changed, "robust")] == [
        ("size", "3"),
        ("training.epochs", "2"),
    ]
