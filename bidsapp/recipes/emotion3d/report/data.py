"""Sections on one participant: labels over time, clocks, learning, attributions, hidden layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from bidsapp.brain.maps import Maps
from bidsapp.recipes.emotion3d import results as declared
from bidsapp.recipes.emotion3d.figures.data import (
    Row,
    RunLabels,
    curves_figure,
    embedding_figure,
    lags_figure,
    maps_figure,
    randomised_figure,
    scale_of,
    timeline_figure,
)
from bidsapp.recipes.emotion3d.figures.decoders import class_colours
from bidsapp.recipes.emotion3d.names import DECODERS, PREDICTED, SplitInfo
from bidsapp.recipes.emotion3d.report.decoders import observed, separability
from bidsapp.recipes.emotion3d.report.view import BALANCED, EmotionView
from bidsapp.report.brain.projection import anatomy, in_volume, is_mni
from bidsapp.report.figures.style import Array
from bidsapp.report.figures.volume import Volume, slice_levels
from bidsapp.report.html import Part, Prose, Section, Table, picture
from bidsapp.report.tables import rows_of, table
from bidsapp.report.timing import short_run
from bidsapp.results.kinds import Column

_DECODER_OF = {"ig": "cnn", "haufe": "linear", "gradcam": "cnn"}
_METHODS = {
    "ig": "network:\nintegr. gradients",
    "haufe": "linear:\nHaufe patterns",
    "gradcam": "network:\nGrad-CAM, coarse",
}
_N_SLICES = 7


def labels(view: EmotionView) -> Section:
    """Show the labels of each run, beside the predictions of volumes that were held out."""
    counts = view.table(declared.LABELS)
    volumes, segments = int(counts["n_volumes"].sum()), int(counts["n_blocks"].sum())
    intro = (
        f"{volumes} volumes have a class, in {segments} contiguous segments of one class each "
        "(effective number of independent samples). Volumes of one segment are alike for many "
        "reasons. A class that occurs in one run only cannot be learned when this run is held "
        "out."
    )
    parts: list[Part] = [Prose(intro), *_timeline(view), _counts(counts, view.classes)]
    return view.section("Labels", "labels", *parts)


def _timeline(view: EmotionView) -> list[Part]:
    split = view.honest[0]
    predictions = rows_of(view.table(declared.PREDICTIONS), split=split.name)
    runs = [_run(str(name), rows) for name, rows in predictions.groupby("run", sort=False)]
    figure = timeline_figure(runs, class_colours(view.classes))
    caption = (
        "Classes along each run: the labels, and below them the predicted classes of the same "
        f"volumes when they were held out ({split.title.lower()}). "
        "Volumes without a label are predicted, too; those do not count."
    )
    alt = f"Class labels over time in {len(runs)} runs, with predictions below."
    return [picture(figure, alt=alt, caption=caption)]


def _run(name: str, rows: pd.DataFrame) -> RunLabels:
    first = rows[rows["decoder"] == rows["decoder"].iloc[0]].sort_values("volume")
    predicted = {
        DECODERS[decoder].title.partition(",")[0]: rows_of(rows, decoder=decoder)
        .set_index("volume")["predicted"]
        .reindex(first["volume"])
        .tolist()
        for decoder in PREDICTED
        if (rows["decoder"] == decoder).any()
    }
    true = first["label"].astype(object).where(first["label"].notna(), None).tolist()
    return RunLabels(short_run(name), first["time_s"].to_numpy(float), true, predicted)


def _counts(counts: pd.DataFrame, classes: Sequence[str]) -> Table:
    """Tabulate volumes of each run and class, and the sums of volumes and of segments."""
    wide = counts.pivot_table(index="run", columns="class", values="n_volumes", sort=False)
    by_run = counts.groupby("run", sort=False)[["n_volumes", "n_blocks"]].sum()
    frame = wide.join(by_run).reset_index()
    frame["run"] = frame["run"].map(short_run)
    sums = counts.groupby("class")[["n_volumes", "n_blocks"]].sum()
    for title, column in (("volumes, all runs", "n_volumes"), ("segments, all runs", "n_blocks")):
        total = {"run": title, **sums[column].to_dict(), column: sums[column].sum()}
        frame = pd.concat([frame, pd.DataFrame([total])], ignore_index=True)
    columns = (
        Column("run", text=True),
        *(Column(name, digits=0) for name in classes),
        Column("n_volumes", title="labelled", digits=0),
        Column("n_blocks", title="segments", digits=0),
    )
    return table(frame, columns, "Labelled volumes of each run and class")


def lags(view: EmotionView) -> Section | None:
    """Show the linear decoder's score over hemodynamic shifts."""
    frame = view.table(declared.LAGS)
    if frame.empty:
        return None
    best = frame.iloc[int(np.nanargmax(frame[BALANCED].to_numpy(float)))]
    intro = (
        "If labels and volumes meet, decoding is best a few seconds after the stimulus. The shift "
        "of the analysis was fixed beforehand; to choose the best one here and report its score "
        "would be circular. A peak at zero or far off says that clocks disagree."
    )
    split = view.splits[0]
    scored = observed(view, split, "linear")
    chance = (scored.low, scored.high) if np.isfinite(scored.low) else None
    shift_s = float(view.results.setting("shift_s", view.space))
    figure = lags_figure(frame, shift_s, chance, leaky=split.leaky)
    caption = (
        f"Balanced accuracy of the linear decoder; largest at {best['lag_s']:g} s "
        f"({best[BALANCED]:.2f})."
    )
    parts: list[Part] = [Prose(intro), picture(figure, alt=caption, caption=caption)]
    return view.section("Hemodynamic shift", "lags", *parts)


def curves(view: EmotionView) -> Section | None:
    """Show learning curves, split by split."""
    frame = view.table(declared.CURVES)
    if frame.empty:
        return None
    parts = [_curves(split, rows_of(frame, split=split.name)) for split in view.splits]
    return view.section("Learning curves", "curves", *(part for part in parts if part))


def _curves(split: SplitInfo, rows: pd.DataFrame) -> Part | None:
    if rows.empty:
        return None
    n_networks = len(rows[["fold", "seed"]].drop_duplicates())
    caption = (
        f"{split.title}. Thin: {n_networks} networks (folds and seeds); thick: the mean of "
        "those that still train. Training loss is of augmented volumes with dropout, so it "
        "can lie above the other. The inner part decides when training stops (dots); test "
        "volumes are not in it."
    )
    alt = f"Loss and accuracy of {n_networks} networks over epochs, {split.title.lower()}."
    return picture(curves_figure(rows, leaky=split.leaky), alt=alt, caption=caption)


# ------------------------------------------------------------------ maps


_NO_MAPS = (
    "No decoder is above its chance under a split that counts, so that no map of what it uses is "
    "drawn: it would show noise. The files hold the maps of all decoders."
)


def maps(view: EmotionView) -> Section:
    """Show the maps of all methods, class by class, with the sanity checks beside them."""
    maps_of = declared.GROUP_MAPS if view.is_group else declared.MAPS
    by_method = {
        method: written
        for method in _METHODS
        if view.above_chance(_DECODER_OF[method])
        and (written := view.results.maps(maps_of[method], view.space)) is not None
    }
    if not by_method:
        return view.section("Attribution maps", "maps", Prose(_NO_MAPS))
    facts = {method: view.results.sidecar(maps_of[method], view.space) for method in by_method}
    intro = (
        "Maps say what a decoder uses, not where an emotion lives. Integrated gradients tell "
        "which voxels moved the network towards a class; Grad-CAM tells roughly where its last "
        "convolution responded: a few cells across the brain, drawn larger, so no single voxel "
        "of it means anything. Haufe patterns tell how voxels of the linear decoder change with "
        "a class and can be read as activation."
    )
    if view.is_group:
        intro += " Each participant's maps count alike."
    parts: list[Part] = [Prose(intro), *_pictures(view, by_method, facts)]
    checks = view.table(declared.RANDOMISATION)
    if not (view.is_group or checks.empty):
        parts += _checks(checks)
    return view.section("Attribution maps", "maps", *parts)


def _pictures(
    view: EmotionView, by_method: Mapping[str, Maps], facts: Mapping[str, Mapping[str, object]]
) -> list[Part]:
    first = next(iter(by_method.values()))
    units = first.units
    background = anatomy() if is_mni(units) else None
    extent = in_volume(units, np.nan_to_num(first.values).max(axis=0))
    assert extent is not None
    levels = slice_levels(extent, _N_SLICES)
    tops = {method: scale_of(written.values) for method, written in by_method.items()}
    unit = ",\ndivided by\nits spread" if view.is_group else ""
    quantities = {method: f"{declared.MAPS[method].scale.quantity}{unit}" for method in by_method}
    parts: list[Part] = []
    for number, name in enumerate(view.classes):
        rows = [
            Row(_METHODS[method], _volume(written, number), tops[method], quantities[method])
            for method, written in by_method.items()
            if np.isfinite(written.values[number]).any()
        ]
        if not rows:
            parts.append(Prose(f"{name}: no map; no held-out volume was recognised."))
            continue
        missing = len(rows) < len(by_method)
        caption = _caption(number, facts, missing=missing)
        alt = f"Axial slices of {len(rows)} maps of {name}, one method below the other."
        figure = maps_figure(rows, levels, background, name)
        parts.append(picture(figure, alt=alt, caption=caption, vector=False))
    return parts


def _volume(written: Maps, number: int) -> Volume:
    values: Array = np.asarray(written.values[number], np.float64)
    volume = in_volume(written.units, values)
    assert volume is not None
    return volume


def _caption(number: int, facts: Mapping[str, Mapping[str, object]], *, missing: bool) -> str:
    sentences = []
    n_maps = next(iter(facts.values())).get("NumberOfMaps")
    if n_maps:
        sentences.append(
            f"Mean over {n_maps} participants, each map divided by its spread over voxels."
        )
    counts = facts.get("ig", {}).get("NumberOfVolumes")
    if isinstance(counts, list) and counts[number]:
        sentences.append(
            f"Network: mean over {counts[number]} correctly classified held-out volumes."
        )
    if missing:
        sentences.append(
            "No held-out volume of this class was recognised: the network has no map."
        )
    sentences.append(
        "Red raises the evidence for the class, blue lowers it; each method has one scale for all "
        "classes, clipped at the 99th percentile. The left of the brain is on the left."
    )
    return " ".join(sentences)


def _checks(checks: pd.DataFrame) -> list[Part]:
    intro = (
        "A map that stays the same when the network's layers are made random shows the data, not "
        "what was learned. From left to right, layers are made random from the output down."
    )
    if rows_of(checks, randomised="labels")["similarity"].notna().any():
        intro += " Diamonds compare maps of networks trained on true and on shifted labels."
    caption = (
        "Rank correlation of absolute values of maps; 1: the same map. Layer 1 is the first that "
        "sees the volume."
    )
    figure = randomised_figure(checks)
    alt = "Rank correlation of maps before and after randomisation."
    return [Prose(intro), picture(figure, alt=alt, caption=caption)]


def embedding(view: EmotionView) -> Section | None:
    """Show held-out volumes in the hidden layer, and whether classes lie apart."""
    frame = view.table(declared.EMBEDDING)
    if frame.empty:
        return None
    leaky = view.splits[0].leaky
    first, second = view.summary["embedding_variance"]
    intro = (
        "Each dot is a held-out volume on the first two principal components of the hidden layer "
        f"of the network that had not seen it. They hold {100 * first:.0f} % and "
        f"{100 * second:.0f} % of its variance (mean over folds). Components were found without "
        "labels, and are other ones in each panel. Neighbours in time lie close together in any "
        "network, so clouds alone prove nothing; the silhouette is judged against shifted labels."
    )
    caption = "Hidden layer of held-out volumes in two dimensions, one panel per fold."
    alt = f"Scatter of {len(frame)} held-out volumes in {frame['fold'].nunique()} panels."
    figure = embedding_figure(frame, class_colours(view.classes), leaky=leaky)
    parts: list[Part] = [Prose(intro), picture(figure, alt=alt, caption=caption)]
    return view.section("Emotion clustering", "embedding", *parts, *separability(view))
