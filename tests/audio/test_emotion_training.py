"""Training on rated windows: it learns harmony, resumes exactly and finds nothing in noise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from bidsapp.audio.emotion_corpora import RatedCorpus, RatedSound, read_ratings
from bidsapp.audio.networks import get_network
from bidsapp.audio.networks.harmonic import window_mel_db
from bidsapp.audio.training.emotion import (
    EmotionSettings,
    built,
    class_weights,
    cross_validate,
    fit_network,
)
from bidsapp.audio.training.emotion_run import train_harmony
from bidsapp.audio.training.emotion_scores import brightness_test, rater_agreement, score_row
from bidsapp.audio.training.windows import decode_windows, rate_windows
from bidsapp.cli.tools import main
from bidsapp.errors import InputInvalidError, InputMissingError, UsageError
from bidsapp.models.harmonic.networks import HarmonicSettings
from bidsapp.stats.quadrants import TIE, quadrants
from bidsapp.stats.song_folds import song_folds

RATE = 22_050
SMALL = HarmonicSettings(channels=4, dropout=0.1)
SETTINGS = EmotionSettings(
    models=("harmonic", "loudness"),
    n_folds=3,
    epochs=14,
    patience=14,
    learning_rate=1e-2,
    batch=8,
    n_permutations=99,
    n_resamples=200,
    network=SMALL,
)


def chord(notes, rng, seconds=12.5):
    """A chord of harmonic tones with a random loudness, as a sound of `seconds`."""
    time = np.arange(round(seconds * RATE)) / RATE
    sound = np.zeros_like(time)
    for note in notes:
        for k in range(1, 7):
            phase = rng.uniform(0, 2 * np.pi)
            sound += np.sin(2 * np.pi * 440 * 2 ** ((note - 69) / 12) * k * time + phase) / k
    return (rng.uniform(0.02, 0.1) * sound / sound.std()).astype(np.float32)


def write_corpus(folder: Path, n_songs: int, *, related: bool = True) -> None:
    """Songs whose quadrant is carried by which pitch classes sound together."""
    rng = np.random.default_rng(3)
    folder.mkdir()
    lines = ["path\tsong\tvalence\tarousal\tkind"]
    for song in range(n_songs):
        quadrant = song % 4
        steps = [(0, 4, 7), (0, 1, 6), (0, 3, 7), (0, 2, 5)][quadrant]
        sound = chord([60 + step + 12 * int(rng.integers(0, 2)) for step in steps], rng)
        soundfile.write(folder / f"s{song}.flac", sound, RATE)
        told = quadrant if related else int(rng.integers(0, 4))
        valence, arousal = [(1, 1), (-1, 1), (-1, -1), (1, -1)][told]
        lines.append(f"s{song}.flac\tsong{song}\t{valence}\t{arousal}\tfelt")
    (folder / "ratings.tsv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rated") / "corpus"
    write_corpus(folder, 28)
    return folder


@pytest.fixture(scope="module")
def prepared(corpus, tmp_path_factory):
    rated = read_ratings(corpus, "table")
    windows = rate_windows(rated)
    contents = decode_windows(rated, windows, tmp_path_factory.mktemp("cache"), quiet=True)
    return rated, windows, contents


def sound_of(path, times, valence, arousal, **more):
    return RatedSound(path, "song", np.array(times), np.array(valence), np.array(arousal), **more)


def test_windows_carry_the_mean_of_their_ratings(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(round(34 * RATE), np.float32), RATE)
    times = 15 + 0.5 * np.arange(32)
    valence = np.where(times < 21, 0.5, -0.2)
    arousal = np.where(times < 27, 0.3, np.nan)
    sound = sound_of(tmp_path / "a.wav", times, valence, arousal)
    windows = rate_windows(RatedCorpus("deam", (sound,), (0.0, 0.0), "perceived"))
    assert windows.start_s.tolist() == [15.0, 21.0]
    np.testing.assert_allclose(windows.ratings, [[0.5, 0.3], [-0.2, 0.3]])
    assert windows.quadrant.tolist() == [0, 1]
    assert windows.n_missing == 1
    with pytest.raises(InputInvalidError, match="all the same"):
        rate_windows(RatedCorpus("deam", (sound,), (-1.0, 0.0), "perceived"))


def test_ties_are_left_out_and_counted(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(round(7 * RATE), np.float32), RATE)
    rows = [(5.0, 6.0), (6.0, 6.0), (4.0, 6.0)]
    sounds = tuple(sound_of(tmp_path / "a.wav", [], [v], [a]) for v, a in rows)
    windows = rate_windows(RatedCorpus("t", sounds, (5.0, 5.0), "perceived"))
    assert quadrants(5.0 * np.ones(1), np.ones(1), (5.0, 0.0)) == TIE
    assert (windows.n_ties, windows.quadrant.tolist()) == (1, [0, 1])


def test_decoded_windows_are_what_the_network_sees(prepared, corpus):
    rated, windows, contents = prepared
    row = 5
    network = get_network("harmonic")
    waveform = soundfile.read(rated.sounds[windows.sound[row]].path, dtype="float32")[0]
    start = round(windows.start_s[row] * RATE)
    frame = network.frames(waveform[start : start + 6 * RATE])
    spectrogram = window_mel_db(frame)[0]
    np.testing.assert_allclose(contents.mel_db[row], spectrogram, atol=0.04)
    assert np.isfinite(contents.descriptors).all()


def test_folds_keep_songs_together_and_shuffled_windows_do_not(prepared):
    _, windows, _ = prepared
    for by_song in (True, False):
        folds = song_folds(windows.quadrant, windows.song, 3, 0, by_song=by_song)
        assert np.array_equal(
            np.sort(np.concatenate([f.test for f in folds])), np.arange(len(windows.song))
        )
        shared = []
        for fold in folds:
            parts = [set(windows.song[rows]) for rows in (fold.train, fold.validation, fold.test)]
            shared.append(bool(parts[0] & parts[2] or parts[0] & parts[1] or parts[1] & parts[2]))
            assert not set(fold.train) & set(fold.validation) & set(fold.test)
        assert any(shared) != by_song
    with pytest.raises(InputInvalidError, match="too few for 50 folds"):
        song_folds(windows.quadrant, windows.song, 50, 0)


@pytest.mark.parametrize(
    ("classes", "n_folds", "message"),
    [
        (np.arange(16) % 4, 5, "no quadrant has more than 4 windows"),
        (np.arange(16) % 4, 1, "leaves nothing to hold out"),
        (np.array([0, 0, 0, 0, 0, 1]), 2, "fold . has one quadrant to learn from"),
    ],
)
def test_corpora_too_small_for_folds_are_refused(classes, n_folds, message):
    with pytest.raises((InputInvalidError, UsageError), match=message):
        song_folds(classes, np.arange(len(classes)), n_folds, 0)


def test_a_small_balanced_corpus_has_folds():
    folds = song_folds(np.arange(16) % 4, np.arange(16), 2, 0)
    assert all(len(f.train) and len(f.validation) and len(f.test) == 8 for f in folds)


def test_rare_quadrants_weigh_more():
    weights = class_weights(np.array([0, 0, 0, 1, 2, 2]))
    np.testing.assert_allclose(weights * np.array([3, 1, 2, 0]), [2, 2, 2, 0])


def test_a_stopped_training_ends_with_the_same_weights(prepared, tmp_path):
    _, windows, contents = prepared
    fold = song_folds(windows.quadrant, windows.song, 3, 0)[0]
    short, whole = replace(SETTINGS, epochs=2), replace(SETTINGS, epochs=4)
    straight = fit_network("harmonic", windows.quadrant, contents, fold, whole, seed=1)
    path = tmp_path / "fold.pt"
    fit_network("harmonic", windows.quadrant, contents, fold, short, seed=1, checkpoint=path)
    resumed = fit_network(
        "harmonic", windows.quadrant, contents, fold, whole, seed=1, checkpoint=path
    )
    assert len(resumed.history) == 4
    for name, value in straight.state.items():
        assert torch.equal(value, resumed.state[name]), name
    with pytest.raises(InputInvalidError, match=r"fold\.pt: the checkpoint is of another"):
        fit_network("harmonic", windows.quadrant, contents, fold, whole, seed=2, checkpoint=path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputInvalidError, match=r"fold\.pt: cannot be read as a checkpoint"):
        fit_network("harmonic", windows.quadrant, contents, fold, whole, seed=1, checkpoint=path)


def test_a_test_corpus_that_is_not_there_is_told_before_the_training(corpus, tmp_path):
    with pytest.raises(InputMissingError, match="no such folder"):
        train_harmony(
            corpus, "table", tmp_path / "w", SETTINGS, test_corpus=(tmp_path / "none", "table")
        )
    assert not (tmp_path / "w").exists()


def test_nothing_of_the_test_songs_reaches_the_network(prepared):
    _, windows, contents = prepared
    fold = song_folds(windows.quadrant, windows.song, 3, 0)[0]
    settings = replace(SETTINGS, epochs=1)
    before = fit_network("harmonic", windows.quadrant, contents, fold, settings, seed=1)
    changed = windows.quadrant.copy()
    changed[fold.test] = 3 - changed[fold.test]
    mel = np.array(contents.mel_db)
    mel[fold.test] = 0
    after = fit_network("harmonic", changed, replace(contents, mel_db=mel), fold, settings, seed=1)
    assert all(torch.equal(before.state[name], after.state[name]) for name in before.state)


def test_harmony_is_learned_and_loudness_does_not_tell_it(corpus, tmp_path):
    facts = train_harmony(corpus, "table", tmp_path, SETTINGS, quiet=True)
    harmonic, loudness = facts["scores"]
    assert harmonic["macro_f1"] > 0.7
    assert harmonic["p_macro_f1"] == pytest.approx(0.01)
    assert harmonic["macro_f1_low"] > loudness["macro_f1_high"]
    assert loudness["p_macro_f1"] > 0.02
    assert facts["emotion"] == "felt"
    stored = json.loads((tmp_path / "training.json").read_text())
    assert stored["rater_agreement"] is None
    assert [check["random"] for check in stored["sanity_checks"]] == ["dense", "filters", "labels"]
    assert all(check["similarity"] < 0.9 for check in stored["sanity_checks"])
    table = pd.read_csv(tmp_path / "predictions.tsv", sep="\t")
    assert len(table) == facts["windows"] == 56
    shares = table[[f"harmonic_Q{k}" for k in range(1, 5)]].sum(axis=1)
    np.testing.assert_allclose(shares, 1.0, atol=1e-4)
    for name in ("models.png", "gradcam.png"):
        assert (tmp_path / name).stat().st_size > 10_000
    weights = torch.load(tmp_path / "harmonic.pth", weights_only=True)
    network = built("harmonic", SETTINGS, weights)
    x = torch.randn(1, 256, 259)
    assert torch.isfinite(network(x)).all()


def test_without_a_relation_scores_are_at_chance(prepared, tmp_path):
    _, windows, contents = prepared
    rng = np.random.default_rng(11)
    unrelated = replace(windows, quadrant=rng.integers(0, 4, windows.n_songs)[windows.song])
    folds = song_folds(unrelated.quadrant, unrelated.song, 3, 0)
    settings = replace(SETTINGS, epochs=3)
    for model in ("harmonic", "descriptors"):
        predictions = cross_validate(
            model, unrelated, contents, folds, settings, tmp_path, quiet=True
        )
        row = score_row(unrelated, predictions, settings)
        assert row["p_macro_f1"] > 0.02
        assert row["r2_valence"] < 0.2


def test_brightness_differs_where_it_was_made_to(prepared):
    rng = np.random.default_rng(0)
    songs = np.repeat(np.arange(40), 3)
    quadrant = rng.integers(0, 4, 40)[songs]
    plain = rng.normal(size=120)
    folds = songs % 2
    null = brightness_test(plain, quadrant, songs, folds, 199, 0)
    assert null.p > 0.02
    assert null.low < null.difference < null.high
    planted = brightness_test(plain + 3.0 * (quadrant == 3), quadrant, songs, folds, 199, 0)
    assert planted.p == pytest.approx(1 / 200)
    assert planted.low > 0
    empty = brightness_test(plain, np.zeros(120, np.int64), songs, folds, 9, 0)
    assert np.isnan(empty.p)
    assert empty.n == (120, 0, 0, 0)


def test_brightness_of_folds_whose_networks_differ_is_no_difference_of_quadrants():
    songs = np.repeat(np.arange(24), 3)
    folds = songs % 3
    p = []
    for draw in range(60):
        rng = np.random.default_rng(draw)
        tilt = rng.normal(0, 1.5, 3)  # how often the network of a fold says Q4 rather than Q2
        says = np.exp(np.outer(tilt, [0, -1, 0, 1]))
        says /= says.sum(axis=1, keepdims=True)
        quadrant = np.array([rng.choice(4, p=says[song % 3]) for song in range(24)])[songs]
        level = rng.normal(size=3)[folds]
        values = level + rng.normal(0, 0.5, 24)[songs] + rng.normal(0, 0.5, 72)
        p.append(brightness_test(values, quadrant, songs, folds, 39, 0).p)
    assert np.mean(np.array(p) <= 0.05) < 0.13  # 0.25 when folds are taken together


def test_agreement_of_raters_comes_from_their_spread(prepared):
    rated, windows, _ = prepared
    sure = tuple(replace(sound, spread=(0.01, 0.01), n_raters=10) for sound in rated.sounds)
    assert rater_agreement(replace(rated, sounds=sure), windows) == pytest.approx(1.0)
    assert np.isnan(rater_agreement(rated, windows))


def test_unknown_models_are_refused():
    with pytest.raises(UsageError, match="choose some of harmonic"):
        EmotionSettings(models=("transformer",))


def test_the_command_goes_through_with_leaky_folds_and_another_corpus(corpus, tmp_path, capsys):
    other = tmp_path / "other"
    write_corpus(other, 8, related=False)
    arguments = ["train", "harmony", "--corpus", str(corpus), "--annotations", "table"]
    arguments += ["--out", str(tmp_path / "out"), "--models", "loudness", "consonance"]
    arguments += ["--folds", "2", "--epochs", "1", "--by-window", "--quiet", "--device", "cpu"]
    arguments += ["--test-corpus", str(other), "--test-annotations", "table"]
    arguments += ["--permutations", "19"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "caution: single windows were held out" in printed
    facts = json.loads((tmp_path / "out" / "training.json").read_text())
    assert facts["folds"] == "windows"
    assert [row["model"] for row in facts["other_corpus"]["scores"]] == ["loudness", "consonance"]
    assert facts["weights_sha256"] == str(
        get_network("harmonic", weights=tmp_path / "out" / "harmonic.pth").weights["sha256"]
    )
    assert main([*arguments[:-4], "--test-corpus", str(other)]) == 2
