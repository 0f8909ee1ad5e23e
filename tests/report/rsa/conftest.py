"""Derivatives of the `rsa` recipe, small, written by the project's own writers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bidsapp.bids.atomic import write_image, write_json, write_tsv
from bidsapp.bids.names import build_path
from bidsapp.brain.geometry import UnitSpace, surface_units, volume_units
from bidsapp.brain.maps import label_images, mask_images, to_images
from bidsapp.recipes import RECIPES, load_function

LAYERS = ("conv1", "conv2", "conv3", "conv4", "fc")
CLIPS = tuple(f"music/clip{k}.wav" for k in range(6))
PER_CLIP = 4
N_ITEMS = PER_CLIP * len(CLIPS)
N_PERMUTATIONS = 99
THRESHOLD = 0.2


@dataclass(frozen=True)
class Tree:
    """What to write; tests change single fields."""

    kind: str = "surface"
    variant: str = "robust"
    group: bool = False
    n_participants: int = 4
    networks: Sequence[str] = ("resnet1d",)
    weights: Mapping[str, Any] = field(
        default_factory=lambda: {"source": "file", "file": "tags.pt", "sha256": "ab" * 32}
    )
    untrained: bool = True
    tested: bool = True
    common_order: bool = False
    effect: float = 0.3
    facts: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = ()


def space_of(kind: str) -> UnitSpace:
    """fsaverage5, or a block of voxels in MNI or in no template's space."""
    if kind == "surface":
        return surface_units(10242, 10242, space="fsaverage5", density="10k")
    affine = np.diag([8.0, 8, 8, 1])
    affine[:3, 3] = -60, -60, -40
    mask = np.ones((16, 14, 12), dtype=bool)
    space = "MNI152NLin2009cAsym" if kind == "mni" else "T1w"
    return volume_units(mask, affine, space=space, resolution="2" if kind == "mni" else None)


class Writer:
    """Write one tree below `root`."""

    def __init__(self, root: Path, tree: Tree) -> None:
        self.root, self.tree, self.units = root, tree, space_of(tree.kind)
        self.random = np.random.default_rng(0)
        self.scores = self._scores()

    def _scores(self) -> np.ndarray:
        """Scores that are higher in a strip, where layers deepen along x."""
        x, y, _ = self.units.coordinates_mm().T if self.tree.kind != "surface" else self._mesh()
        rank = np.argsort(np.argsort(x)) / len(x)
        layer = np.floor(rank * len(LAYERS)).astype(int)
        inside = np.abs(y - np.median(y)) < 0.25 * np.ptp(y)
        scores = self.random.normal(0.01, 0.02, (len(LAYERS), self.units.n_units))
        scores[:, inside] += self.tree.effect - 0.03 * np.abs(
            np.arange(len(LAYERS))[:, None] - layer[inside]
        )
        scores[:, :40] = np.nan
        return scores

    def _mesh(self) -> Sequence[np.ndarray]:
        place = np.linspace(0, 1, self.units.n_units)
        return place, np.sin(40 * place), place

    @property
    def where(self) -> dict[str, str]:
        return {} if self.tree.group else {"sub": "01"}

    def path(self, suffix: str, extension: str, **entities: str) -> Path:
        named = build_path({**self.where, **entities}, suffix, extension)
        path = self.root / (f"group/{Path(named).name}" if self.tree.group else str(named))
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def maps(self, values: np.ndarray, names: Sequence[str], **entities: str) -> None:
        for item in to_images(values, self.units, names):
            keys = {**self.units.entities, **item.entities, **entities}
            write_image(self.path("statmap", item.extension, **keys), item.image)
            write_json(self.path("statmap", ".json", **keys), {"Columns": list(names)})

    def table(self, rows: Any, desc: str, *, in_space: bool = True, **entities: Any) -> None:
        space = self.units.entities if in_space else {}
        write_tsv(self.path("stats", ".tsv", desc=desc, **space, **entities), list(rows))

    def write(self) -> Path:
        self.root.mkdir(parents=True, exist_ok=True)
        write_json(
            self.root / "dataset_description.json",
            {"Name": "musicotopy", "SourceDatasets": [{"Name": "Six clips"}]},
        )
        write_tsv(
            self.root / "logs" / "fidelity.tsv",
            [
                {"recipe": recipe, "level": "participant", "option": option, "paper": "none",
                 "used": "x", "variant": "robust", "source": "-", "why": "reason"}
                for recipe, option in (("gradients", "pca_fit"), ("rsa", "drop_s"))
            ],
        )  # fmt: skip
        for network in self.tree.networks:
            self._network(network)
        if self.tree.group:
            self._group()
        else:
            self._participant()
        write_json(
            self.path("stats", ".json", desc="rsasummary", **self.units.entities), self.summary()
        )
        return self.root

    def _network(self, network: str) -> None:
        model: dict[str, Any] = {"model": network}
        largest = np.fmax.reduce(self.scores, axis=0)
        best = np.where(
            largest > THRESHOLD, np.argmax(np.nan_to_num(self.scores, nan=-1), 0) + 1, 0
        )
        best[~np.isfinite(largest)] = 0
        if not self.tree.tested:
            best[:] = 0
        desc = "rsamean" if self.tree.group else "rsa"
        self.maps(self.scores, LAYERS, stat="rho", desc=desc, **model)
        if self.tree.untrained:
            self.maps(0.5 * self.scores, LAYERS, stat="rho", desc="rsauntrained", **model)
        if self.tree.tested:
            p = np.where(self.scores > THRESHOLD, 0.01, 0.5)
            p[~np.isfinite(self.scores)] = np.nan
            self.maps(p, LAYERS, stat="p", desc="rsafwe", **model)
        centroid = np.where(best > 0, best, np.nan).astype(float)
        self.maps(centroid, ["centroid"], stat="centroid", desc="rsa", **model)
        for images, suffix, name in (
            (label_images(best, self.units, LAYERS), "dseg", "rsabestlayer"),
            (mask_images(best > 0, self.units), "mask", "rsasignificant"),
        ):
            for item in images:
                keys = {**self.units.entities, **item.entities, **model, "desc": name}
                write_image(self.path(suffix, item.extension, **keys), item.image)
        self.table(
            (
                {"layer": name, "layer_index": k + 1, "n_channels": 64,
                 "mean_rho": np.nanmean(self.scores[k]), "p95_rho": 0.3,
                 "n_best": int((best == k + 1).sum()), "n_significant": 10 * self.tree.tested,
                 "mean_untrained": 0.05 if self.tree.untrained else np.nan,
                 "ci_low": 0.0, "ci_high": 0.2}
                for k, name in enumerate(LAYERS)
            ),
            "rsaprofile", **model,
        )  # fmt: skip
        null = self.random.normal(0.15, 0.03, N_PERMUTATIONS * self.tree.tested)
        self.table(({"permutation": k, "max_rho": v} for k, v in enumerate(null)), "rsanull",
                   **model)  # fmt: skip

    def _participant(self) -> None:
        clip = np.repeat(np.arange(len(CLIPS)), PER_CLIP)
        pairs = list(itertools.combinations(range(N_ITEMS), 2))
        for network in self.tree.networks:
            self.table(
                (
                    {"item_i": i + 1, "item_j": j + 1,
                     **{name: abs(np.sin(k + clip[i]) - np.cos(clip[j])) + 0.01 * (j - i)
                        for k, name in enumerate(LAYERS)}}
                    for i, j in pairs
                ),
                "rsamodels", in_space=False, model=network,
            )  # fmt: skip
        self.table(({"item_i": i + 1, "item_j": j + 1, "lag": 2.0 * (j - i), "motion": (i * j) % 7}
                    for i, j in pairs), "rsanuisance", in_space=False)  # fmt: skip
        self.table(
            ({"item": k + 1, "clip": CLIPS[clip[k]], "time_s": 13.0 + 2 * (k % PER_CLIP),
              "n_repeats": 3} for k in range(N_ITEMS)),
            "rsaitems", in_space=False,
        )  # fmt: skip
        self.table(
            ({"lag_s": lag, "n_pairs": 30, "mean_dissimilarity": 1 - np.exp(-lag / 9),
              **{f"mean_{name}": 1 - np.exp(-lag / (k + 3)) for k, name in enumerate(LAYERS)}}
             for lag in (2.0, 4.0, 6.0, 30.0, 60.0, 90.0)),
            "rsalag",
        )  # fmt: skip
        self.table(
            ({"run": f"sub-01_task-clips_run-{run}", "n_trs": 120, "tr_s": 2.0, "scan_s": 240.0,
              "stim_file": CLIPS[k], "onset_s": 6.0 + 36 * ((k + run) % 6), "duration_s": 30.0,
              "stim_start_s": 0.0, "sound_s": 30.0, "first_volume": 3 + 18 * ((k + run) % 6),
              "last_volume": 17 + 18 * ((k + run) % 6), "n_rows": 15, "source": "events.tsv",
              "note": None} for run in (1, 2, 3) for k in range(6)),
            "rsaalignment", in_space=False,
        )  # fmt: skip
        known = np.isfinite(self.scores[0])
        size = np.where(known, 40.0, np.nan)
        self.maps(size, ["size"], stat="size", desc="rsa")
        self.maps(np.where(known, 9.0 + self.random.random(known.size), np.nan), ["radius"],
                  stat="radius", desc="rsa")  # fmt: skip

    def _group(self) -> None:
        known = np.isfinite(self.scores[0])
        self.maps(known.astype(float) * self.tree.n_participants, ["n"], stat="n",
                  desc="rsaparticipants")  # fmt: skip
        largest = np.fmax.reduce(self.scores, axis=0)
        if self.tree.n_participants > 1:
            for end, more in (("lower", 0.0), ("upper", 0.1)):
                noise = self.random.normal(more, 0.02, known.size)
                self.maps(1.2 * largest + noise, ["ceiling"], stat="ceiling", desc=f"rsa{end}")
        self.table(
            ({"participant": f"{k:02d}", "included": k <= self.tree.n_participants,
              "reason": None if k <= self.tree.n_participants else "no results",
              "configuration_hash": "abcd1234", "n_trs": 360, "fewest_repeats": 3,
              "mean_rho": 0.1, "best_layer": "conv3", "lag_mean_rho": 0.01}
             for k in range(1, self.tree.n_participants + 2)),
            "rsaparticipants",
        )  # fmt: skip
        p = np.nan if self.tree.common_order else 0.4
        for network in self.tree.networks:
            model: dict[str, Any] = {"model": network}
            self.maps(np.where(largest > THRESHOLD, self.random.random(known.size), np.nan),
                      ["confidence"], stat="confidence", desc="rsa", **model)  # fmt: skip
            self.maps(0.5 * self.scores, LAYERS, stat="rho", desc="rsadifference", **model)
            if self.tree.variant == "faithful":
                self.maps(largest + 0.05, ["maximum"], stat="rho", desc="rsamax", **model)
                self.maps(np.where(known, 0.06, np.nan), ["maximum"], stat="expected",
                          desc="rsamax", **model)  # fmt: skip
            self.table(
                ({"hemisphere": side, "layer": name, "layer_index": k + 1, "share": 0.2, "n": 10,
                  "participant_share": 0.2, "p": p if side == "L-R" else np.nan}
                 for side in ("L", "R", "L-R") for k, name in enumerate(LAYERS)),
                "rsalayers", **model,
            )  # fmt: skip
            self.table(
                ({"hemisphere": side, "position": place, "n_units": 30,
                  "centroid": 3 + 4 * (place - 0.5) ** 2, "ci_low": 2.5, "ci_high": 4.5,
                  **{f"rho_{name}": 0.1 for name in LAYERS}}
                 for side in "LR" for place in np.linspace(0.05, 0.95, 10)),
                "rsastg", **model,
            )  # fmt: skip

    def summary(self) -> dict[str, Any]:
        tree = self.tree
        own = {
            "networks": list(tree.networks), "item_unit": "tr", "drop_s": 12.0, "hop_s": 0.48,
            "average_repeats": True, "standardise_channels": True, "searchlight_count": 40,
            "searchlight_radius_mm": 0.0, "dissimilarity": "spearman", "comparison": "spearman",
            "pairs": "all" if tree.variant == "faithful" else "between-clip",
            "significance": 0.05, "mask_maps": tree.variant == "robust", "n_untrained": 10,
        }  # fmt: skip
        p = None if tree.common_order else 0.012
        facts: dict[str, Any] = {
            "recipe": "rsa", "variant": tree.variant, "version": "0.1.0",
            "ConfigurationHash": "abcd1234", "space": self.units.space, "settings": own,
            "config": {"random_seed": 0, "confounds": "none", "high_pass_hz": 0.01,
                       "smoothing_fwhm_mm": 0.0},
            "weights": {name: dict(tree.weights) for name in tree.networks},
            "n_units": self.units.n_units, "n_searchlights": self.units.n_units - 40,
            "median_radius_mm": 9.5, "mask": "all gifti units with data", "n_items": N_ITEMS,
            "n_clips": len(CLIPS), "n_volumes_per_clip": PER_CLIP, "n_repeats": [3, 3],
            "n_pairs": 240, "nuisance": ["lag", "motion"] if tree.variant == "robust" else [],
            "n_permutations": N_PERMUTATIONS * tree.tested, "enumerated": False,
            "smallest_p": 0.01, "orders_of_runs": 3, "lag_model_mean_rho": 0.021,
            "networks": [
                {"network": name, "layers": list(LAYERS), "n_untrained": 10 * tree.untrained,
                 "mean_maximum_over_layers": 0.1234, "expected_maximum_over_layers": 0.0456,
                 **({"mean_own_maximum_over_layers": 0.2345,
                     "expected_own_maximum_over_layers": 0.0987,
                     "asymmetry": {"left_minus_right_layers": 0.4, "n": 4, "p": p},
                     "superior_temporal_gyrus": [
                         {"hemisphere": side, "n_units": 300,
                          "slope": {"t": 0.5, "n": 4, "p": p},
                          "curvature": {"t": 2.5, "n": 4, "p": p}} for side in "LR"]}
                    if tree.group else {})}
                for name in tree.networks
            ],
            "runs": [{"name": "run-1", "n_trs": 120, "tr_s": 2.0, "preprocessed": True}],
            "warnings": list(tree.warnings), "python": "3.12", "versions": {"numpy": "2"},
        }  # fmt: skip
        if tree.group:
            test = "maximum-t" if tree.variant == "faithful" else "clip-permutation"
            facts |= {
                "participants": ["01"], "n_participants": tree.n_participants, "left_out": [],
                "participant_settings": own, "settings": {"significance": 0.05, "test": test},
                "order": {"common": tree.common_order, "n_orders": 1 if tree.common_order else 4},
                "licences": {"clip_permutation": "One sentence of the test.",
                             "signflip": "One sentence on listeners."},
                "methods": ["Participants were averaged."], "dissimilarity": "spearman",
                "time_difference_s": 0.5, "smallest_model_correlation": 0.98,
            }  # fmt: skip
        return {**facts, **tree.facts}


@pytest.fixture(scope="session")
def make_rsa(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that writes a tree with some fields changed."""

    def make(root: Path | None = None, **changes: Any) -> Path:
        target = root or tmp_path_factory.mktemp("rsa") / "out"
        return Writer(target, replace(Tree(), **changes)).write()

    return make


@pytest.fixture(scope="session")
def participant_tree(make_rsa: Callable[..., Path]) -> Path:
    """One participant on fsaverage5, robust."""
    return make_rsa()


@pytest.fixture(scope="session")
def group_tree(make_rsa: Callable[..., Path]) -> Path:
    """A group on fsaverage5, faithful, with one order of clips, beside a participant."""
    root = make_rsa()
    warning = "All participants heard the clips in (nearly) one order: drift."
    return make_rsa(root, group=True, variant="faithful", common_order=True, warnings=(warning,))


@pytest.fixture(scope="session")
def participant_page(participant_tree: Path) -> Path:
    """Report of a participant, as the engine makes it."""
    path: Path = load_function(RECIPES["rsa"].legacy["report"])(participant_tree, "01")
    return path


@pytest.fixture(scope="session")
def group_page(group_tree: Path) -> Path:
    """Report of a group, as the engine makes it."""
    path: Path = load_function(RECIPES["rsa"].legacy["group_report"])(group_tree)
    return path
