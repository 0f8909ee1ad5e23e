"""Scores of the layers: profile, distributions, which layer how many units follow."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bidsapp.report.html import (
    Cell,
    Part,
    Prose,
    Section,
    Table,
    cell,
    columns,
    number_text,
    picture,
)
from bidsapp.report.maps import Array, Grid
from bidsapp.report.participant_methods import unit_words
from bidsapp.report.rsa.figures.distributions import assignment_figure, scores_figure
from bidsapp.report.rsa.figures.layers import LayerProfile, layer_figure
from bidsapp.report.rsa.maps import gain_title
from bidsapp.report.rsa.read import Network, SpaceStudy


def profile(space: SpaceStudy, network: Network, suffix: str) -> Section:
    """Mean score layer by layer, trained beside untrained."""
    title, anchor = "Layer profile", f"profile{suffix}"
    table = network.profile
    if table.empty or not table["mean_rho"].notna().any():
        return Section(title, anchor, [Prose("No layer scores were written.")])
    data = LayerProfile(
        layers=network.layers,
        mean=table["mean_rho"].to_numpy(float),
        label="these random weights" if network.is_random else "trained",
        low=_column(table, "ci_low"),
        high=_column(table, "ci_high"),
        raw=_means(network.raw),
        untrained=_column(table, "mean_untrained"),
        untrained_sd=_column(table, "sd_untrained"),
        n_significant=_column(table, "n_significant"),
    )
    units = unit_words(space.within)[1]
    best = int(np.nanargmax(data.mean))
    caption = f"Mean score over all {units}, whether they pass or not."
    if data.untrained is not None and np.isfinite(data.untrained).any():
        n = network.facts.get("n_untrained")
        caption += (
            f" Untrained: the same network with {'other ' * network.is_random}random weights"
            f"{f' ({n} seeds)' if n else ''}; only what trained layers have beyond it was learned."
        )
    if data.low is not None and np.isfinite(data.low).any():
        caption += " Band: bootstrap over participants."
    alt = (
        f"Mean score by layer: highest {data.mean[best]:.4f} in {network.layers[best]}, lowest "
        f"{np.nanmin(data.mean):.4f}."
    )
    parts: list[Part] = [
        picture(layer_figure(data), alt=alt, caption=caption),
        _table(network, table),
    ]
    return Section(title, anchor, parts)


def _column(table: pd.DataFrame, name: str) -> Array | None:
    return table[name].to_numpy(float) if name in table else None


def _means(scores: Array | None) -> Array | None:
    if scores is None:
        return None
    known = np.isfinite(scores)
    total = np.where(known, scores, 0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)


def _table(network: Network, table: pd.DataFrame) -> Table:
    wanted = {
        "n_channels": ("channels#", 0),
        "mean_rho": ("mean \u03c1#", 4),
        "p95_rho": ("95th percentile#", 3),
        "mean_untrained": ("untrained, mean \u03c1#", 4),
        "difference": (f"{gain_title(network).lower()}#", 4),
        "n_best": ("units, best layer#", 0),
        "n_significant": ("units that pass#", 0),
    }
    shown = {
        name: how for name, how in wanted.items() if name in table and table[name].notna().any()
    }
    rows: list[list[Cell]] = [
        [cell(row["layer_index"], 0), cell(str(row["layer"])),
         *(cell(row[name], digits) for name, (_, digits) in shown.items())]
        for row in table.to_dict("records")
    ]  # fmt: skip
    heads = columns("no.#", "layer", *(title for title, _ in shown.values()))
    return Table(heads, rows, f"Layers of {network.title}")


def distributions(space: SpaceStudy, network: Network, suffix: str) -> Section:
    """Distribution of the score of each layer (Figure 6 of the paper)."""
    title, anchor = "Distributions of scores", f"distributions{suffix}"
    if network.scores is None or not np.isfinite(network.scores).any():
        return Section(title, anchor, [Prose("No score maps were written.")])
    figure = scores_figure(network.layers, network.scores, network.untrained)
    units = unit_words(space.within)[1]
    caption = (
        f"Distribution over {units} of each layer's score (Figure 6 of the paper). A shift of all "
        f"of it away from zero is no sign of coupling: what {units} share (autocorrelation, "
        "order, drift) shifts all of them."
    )
    means = _means(network.scores)
    told = "" if means is None else ", ".join(
        f"{name} {number_text(mean, 3)}" for name, mean in zip(network.layers, means, strict=True)
    )  # fmt: skip
    return Section(title, anchor, [picture(figure, alt=f"Means: {told}.", caption=caption)])


def assignments(space: SpaceStudy, network: Network, suffix: str) -> Section:
    """Count the units that follow each layer, by hemisphere (Figure 7 of the paper)."""
    title, anchor = "Which layer units follow", f"assignments{suffix}"
    grid, scores = space.within.grid, network.scores
    if grid is None or scores is None:
        return Section(title, anchor, [Prose("No score maps were written.")])
    n = len(network.layers)
    sides = hemispheres(grid, is_mni=space.space.is_mni or space.space.space == "fsLR")
    known = np.isfinite(scores).any(axis=0)
    every = np.where(known, np.argmax(np.where(np.isfinite(scores), scores, -np.inf), 0) + 1, 0)
    best = np.nan_to_num(network.best) if network.best is not None else np.zeros(scores.shape[1])
    shares = {side: _shares(best[mask], n) for side, mask in sides.items()}
    marks = _participants(network) if network.is_group else None
    figure = assignment_figure(
        network.layers, shares, {side: _shares(every[mask], n) for side, mask in sides.items()},
        marks,
    )  # fmt: skip
    counts = {side: int((best[mask] > 0).sum()) for side, mask in sides.items()}
    told = ", ".join(f"{number_text(count, 0)} {_NAMES[side]}" for side, count in counts.items())
    caption = (
        f"Share of units whose {'mean ' * network.by_maximum}best layer this is (Figure 7 of the "
        f"paper): filled, the {told} "
        "that have a best layer; outlined, all units with the layer of their largest score, which "
        "is a biased draw where there is no effect: layers whose scores vary more win more often."
    )
    return Section(title, anchor, [picture(figure, alt=caption, caption=caption)])


_NAMES = {"L": "on the left", "R": "on the right", "both": "units"}


def _participants(network: Network) -> dict[str, Array] | None:
    table = network.table("rsalayers")
    if "participant_share" not in table or not table["participant_share"].notna().any():
        return None
    return {
        str(side): rows.sort_values("layer_index")["participant_share"].to_numpy(float)
        for side, rows in table.groupby("hemisphere")
        if side in _NAMES
    }


def _shares(labels: Array, n_layers: int) -> Array:
    counts = np.bincount(labels.astype(int), minlength=n_layers + 1)[1:].astype(float)
    total = counts.sum()
    return np.asarray(counts / total) if total else np.full(n_layers, np.nan)


def hemispheres(grid: Grid, *, is_mni: bool) -> dict[str, Array]:
    """Return the units of each hemisphere; of ``both`` where they cannot be told.

    Parameters
    ----------
    grid
        Units.
    is_mni
        Whether the left of the brain has negative x.
    """
    masks = {side: np.zeros(grid.n_units, dtype=bool) for side in "LR"}
    for side, (members, _, _) in grid.vertices.items():
        masks[side][members] = True
    if not grid.vertices and is_mni and grid.voxels is not None and grid.affine is not None:
        x = grid.voxels @ grid.affine[0, :3] + grid.affine[0, 3]
        masks["L"], masks["R"] = x < 0, x > 0
    if not masks["L"].any() or not masks["R"].any():
        return {"both": np.ones(grid.n_units, dtype=bool)}
    return masks
