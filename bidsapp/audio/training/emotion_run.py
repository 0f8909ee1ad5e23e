"""From a corpus of rated music to weights of the harmonic network, tables and a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from bidsapp.audio.emotion_corpora import RatedCorpus, read_ratings
from bidsapp.audio.networks import DEFAULT_HOP_S, get_network
from bidsapp.audio.networks.harmonic import WINDOW_S
from bidsapp.audio.training.classical import fit_classical
from bidsapp.audio.training.emotion import (
    EmotionSettings,
    Predictions,
    built,
    cross_validate,
    fit_network,
    mel_batch,
    network_log_proba,
    quadrant_means,
)
from bidsapp.audio.training.emotion_figure import emotion_figure, gradcam_figure
from bidsapp.audio.training.emotion_scores import (
    brightness_test,
    calibration_rows,
    comparison_rows,
    confusion_rows,
    prediction_rows,
    rater_agreement,
    score_row,
)
from bidsapp.audio.training.run import save_weights, write_table
from bidsapp.audio.training.windows import (
    RatedWindows,
    WindowContents,
    decode_windows,
    rate_windows,
)
from bidsapp.bids.atomic import output_errors, write_json
from bidsapp.models.cnn3d.explain import map_similarity
from bidsapp.models.harmonic.explain import branch_maps, brightness, cascade, on_spectrogram
from bidsapp.models.harmonic.names import QUADRANTS
from bidsapp.models.harmonic.networks import (
    NETWORKS2D,
    MelNetwork,
)
from bidsapp.stats.by_song import permuted_labels
from bidsapp.stats.song_folds import SongFold, song_folds

WEIGHTS = "harmonic.pth"
LEAKY = (
    "single windows were held out: windows of one song are near-duplicates and stand on both "
    "sides, so these scores do not say how well another song would be classified"
)
_N_CHECKED = 64
"""Windows whose maps are compared by the sanity checks."""

Ints = npt.NDArray[np.int64]
Row = dict[str, object]


def train_harmony(
    corpus_dir: Path,
    annotations: str,
    out_dir: Path,
    settings: EmotionSettings,
    *,
    arousal: str = "energy",
    static: bool = False,
    test_corpus: tuple[Path, str] | None = None,
    cache_dir: Path | None = None,
    device: str = "cpu",
    quiet: bool = False,
) -> Mapping[str, object]:
    """Cross-validate models on a corpus and train the harmonic network on all of it.

    Parameters
    ----------
    corpus_dir, annotations, arousal, static
        As `bidsapp.audio.emotion_corpora.read_ratings` takes them.
    out_dir
        Gets ``harmonic.pth``, ``training.json``, tables, ``models.png`` and ``.svg``,
        ``gradcam.png``, and checkpoints, with which the same call goes on after an interruption.
    settings
        Models, folds and training.
    test_corpus
        Another corpus and its annotations, on which models trained on the whole first one are
        tested.
    cache_dir
        For decoded windows; `out_dir` if None.
    device
        ``cpu`` or ``cuda``.
    quiet
        Show no progress.

    Returns
    -------
    Mapping
        What ``training.json`` holds.

    Raises
    ------
    InputMissingError, InputInvalidError
        A corpus cannot be used.
    OutputError
        `out_dir` cannot be written.
    """
    corpus = read_ratings(corpus_dir, annotations, arousal=arousal, static=static)
    windows = rate_windows(corpus)
    other = None if test_corpus is None else read_ratings(*test_corpus)
    tested = None if other is None else rate_windows(other)
    folds = song_folds(
        windows.quadrant, windows.song, settings.n_folds, settings.seed, by_song=settings.by_song
    )
    with output_errors(out_dir):
        out_dir.mkdir(parents=True, exist_ok=True)
        cache = cache_dir or out_dir
        contents = decode_windows(corpus, windows, cache, quiet=quiet)
        checkpoints = out_dir / "checkpoints"
        models = [
            cross_validate(
                name,
                windows,
                contents,
                folds,
                settings,
                checkpoints,
                identity=corpus.identity(),
                device=device,
                quiet=quiet,
            )
            for name in settings.models
        ]
        scores = [score_row(windows, model, settings) for model in models]
        comparisons = comparison_rows(windows, models, settings)
        agreement = rater_agreement(corpus, windows)
        facts: Row = {
            "network": "harmonic",
            **_corpus_facts(corpus, windows),
            "folds": "songs" if settings.by_song else "windows",
            "caution": "" if settings.by_song else LEAKY,
            "rater_agreement": agreement,
            "settings": dataclasses.asdict(settings),
            "scores": scores,
            "comparisons": comparisons,
            "device": device,
            "torch": torch.__version__,
        }
        write_table(out_dir / "predictions.tsv", prediction_rows(corpus, windows, models))
        _write_scores(out_dir, windows, models, scores, comparisons, settings, agreement)
        if "harmonic" in settings.models:
            harmonic = models[settings.models.index("harmonic")]
            facts |= _explanation(windows, contents, folds, harmonic, settings, device)
            _draw_examples(out_dir, corpus, windows, contents, folds, harmonic, settings)
        facts |= _final(corpus, windows, contents, folds[0], settings, out_dir, device)
        if other is not None and tested is not None:
            facts["other_corpus"] = _elsewhere(
                (other, tested),
                windows,
                contents,
                folds[0],
                settings,
                (out_dir, cache),
                device,
                quiet,
            )
        write_json(out_dir / "training.json", facts)
    return facts


def _corpus_facts(corpus: RatedCorpus, windows: RatedWindows) -> Row:
    """Return what a corpus holds, for ``training.json``."""
    return {
        "corpus": corpus.name,
        "emotion": corpus.kind,
        "thresholds": list(corpus.thresholds),
        "sounds": len(corpus.sounds),
        "songs": windows.n_songs,
        "windows": len(windows.quadrant),
        "windows_on_a_threshold": windows.n_ties,
        "windows_without_rating": windows.n_missing,
        "windows_per_quadrant": np.bincount(windows.quadrant, minlength=4).tolist(),
        "left_out": list(corpus.notes),
    }


def _write_scores(
    out_dir: Path,
    windows: RatedWindows,
    models: list[Predictions],
    scores: list[Row],
    comparisons: list[Row],
    settings: EmotionSettings,
    agreement: float,
) -> None:
    """Write the tables of a cross-validation and their picture."""
    confusion, calibration = confusion_rows(windows, models), calibration_rows(windows, models)
    write_table(out_dir / "models.tsv", scores)
    write_table(out_dir / "confusion.tsv", confusion)
    write_table(out_dir / "calibration.tsv", calibration)
    if comparisons:
        write_table(out_dir / "comparisons.tsv", comparisons)
    history = [{"model": m.model, **row} for m in models for row in m.history]
    if history:
        write_table(out_dir / "history.tsv", history)
    words = f"{settings.n_folds} folds over {'songs' if settings.by_song else 'windows'}"
    figure = emotion_figure(scores, confusion, calibration, folds=words, agreement=agreement)
    for kind in ("png", "svg"):
        figure.savefig(out_dir / f"models.{kind}", dpi=150)


def _whole(fold: SongFold) -> SongFold:
    """Train on all songs but those that choose the epoch."""
    train = np.sort(np.concatenate([fold.train, fold.test]))
    return SongFold(train, fold.validation, fold.validation)


def _final(
    corpus: RatedCorpus,
    windows: RatedWindows,
    contents: WindowContents,
    fold: SongFold,
    settings: EmotionSettings,
    out_dir: Path,
    device: str,
) -> Row:
    """Train the harmonic network on the whole corpus and write its weights."""
    trained = fit_network(
        "harmonic",
        windows.quadrant,
        contents,
        _whole(fold),
        settings,
        seed=settings.seed,
        checkpoint=out_dir / "checkpoints" / "harmonic_whole.pt",
        identity=corpus.identity(),
        device=device,
    )
    save_weights(trained.state, out_dir / WEIGHTS)
    loaded = get_network("harmonic", weights=out_dir / WEIGHTS, hop_s=DEFAULT_HOP_S)
    return {
        "weights": WEIGHTS,
        "weights_sha256": loaded.weights["sha256"],
        "best_epoch": trained.best_epoch,
        "epochs": len(trained.history),
    }


def _explanation(
    windows: RatedWindows,
    contents: WindowContents,
    folds: tuple[SongFold, ...],
    harmonic: Predictions,
    settings: EmotionSettings,
    device: str,
) -> Row:
    """Brightness of held-out maps by predicted quadrant, and sanity checks of the maps."""
    values = np.full(len(windows.quadrant), np.nan)
    for fold, state in zip(folds, harmonic.states, strict=True):
        network = built("harmonic", settings, state, device)
        values[fold.test] = brightness(_maps(network, contents, fold.test, harmonic.quadrant))
    test = brightness_test(
        values,
        harmonic.quadrant,
        windows.song,
        harmonic.fold,
        settings.n_permutations,
        settings.seed,
    )
    fold, network = folds[0], built("harmonic", settings, harmonic.states[0], device)
    rows = fold.test[
        np.linspace(0, len(fold.test) - 1, min(_N_CHECKED, len(fold.test))).astype(int)
    ]
    reference = _maps(network, contents, rows, harmonic.quadrant)
    checks = [
        {"random": name, "similarity": _likeness(reference, changed, contents, rows, harmonic)}
        for name, changed in cascade(network, settings.seed)
    ]
    stream = np.random.Generator(np.random.Philox(key=[settings.seed, 0x4C41424C]))
    shuffled = permuted_labels(windows.quadrant, windows.song, np.zeros_like(windows.song), stream)
    other = fit_network(
        "harmonic", shuffled, contents, fold, settings, seed=settings.seed + 1000, device=device
    )
    unrelated = built("harmonic", settings, other.state, device)
    checks.append(
        {
            "random": "labels",
            "similarity": _likeness(reference, unrelated, contents, rows, harmonic),
        }
    )
    return {"brightness": dataclasses.asdict(test), "sanity_checks": checks}


def _draw_examples(
    out_dir: Path,
    corpus: RatedCorpus,
    windows: RatedWindows,
    contents: WindowContents,
    folds: tuple[SongFold, ...],
    harmonic: Predictions,
    settings: EmotionSettings,
) -> None:
    """Draw the Grad-CAM of the surest right prediction of each quadrant in a held-out song."""
    titles, spectrograms, maps = [], [], []
    for quadrant, name in enumerate(QUADRANTS):
        right = np.flatnonzero((harmonic.quadrant == quadrant) & (windows.quadrant == quadrant))
        if not right.size:
            continue
        row = right[[int(harmonic.log_proba[right, quadrant].argmax())]]
        state = harmonic.states[int(harmonic.fold[row[0]])]
        cam = _maps(built("harmonic", settings, state), contents, row, harmonic.quadrant)
        mel = mel_batch(contents, row).numpy()
        spectrograms.append(mel[0])
        maps.append(on_spectrogram(cam, settings.network.bands, mel.shape[1])[0])
        sound = corpus.sounds[int(windows.sound[row[0]])].path.name
        titles.append(f"{name}: {sound}, {windows.start_s[row[0]]:.0f} s")
    if titles:
        figure = gradcam_figure(titles, np.stack(spectrograms), np.stack(maps), WINDOW_S)
        figure.savefig(out_dir / "gradcam.png", dpi=150)


def _maps(
    network: MelNetwork, contents: WindowContents, rows: Ints, classes: Ints
) -> npt.NDArray[np.float64]:
    return branch_maps(network, mel_batch(contents, rows).numpy(), classes[rows])


def _likeness(
    reference: npt.NDArray[np.float64],
    network: MelNetwork,
    contents: WindowContents,
    rows: Ints,
    harmonic: Predictions,
) -> float:
    """Mean rank correlation of maps with those of the trained network."""
    maps = _maps(network, contents, rows, harmonic.quadrant)
    return map_similarity(reference.reshape(len(rows), -1), maps.reshape(len(rows), -1))


def _elsewhere(
    test_corpus: tuple[RatedCorpus, RatedWindows],
    windows: RatedWindows,
    contents: WindowContents,
    fold: SongFold,
    settings: EmotionSettings,
    folders: tuple[Path, Path],
    device: str,
    quiet: bool,
) -> Row:
    """Train each model on the whole corpus and test it on another one."""
    (other, tested), (out_dir, cache) = test_corpus, folders
    inside = decode_windows(other, tested, cache, quiet=quiet)
    everything = np.arange(len(tested.quadrant))
    means = quadrant_means(windows, np.arange(len(windows.quadrant)))
    rows = []
    for name in settings.models:
        if name in NETWORKS2D:
            trained = fit_network(
                name,
                windows.quadrant,
                contents,
                _whole(fold),
                settings,
                seed=settings.seed,
                checkpoint=out_dir / "checkpoints" / f"{name}_elsewhere.pt",
                device=device,
            )
            network = built(name, settings, trained.state, device)
            log_proba = network_log_proba(network, inside, everything)
        else:
            predict = fit_classical(name, windows.quadrant, contents.descriptors, _whole(fold))
            log_proba = predict(inside.descriptors)
        predictions = Predictions(
            name, log_proba, np.exp(log_proba) @ means, np.zeros_like(everything), 0, [], []
        )
        rows.append(score_row(tested, predictions, settings))
    write_table(out_dir / "othercorpus.tsv", rows)
    return {
        "corpus": other.name,
        "emotion": other.kind,
        "windows": len(tested.quadrant),
        "windows_per_quadrant": np.bincount(tested.quadrant, minlength=len(QUADRANTS)).tolist(),
        "scores": rows,
    }
