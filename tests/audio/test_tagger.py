"""The loop learns, goes on where it stopped, and never looks at the test clips."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import soundfile
import torch
from scipy.stats import rankdata

from bidsapp.audio.corpora import read_corpus
from bidsapp.audio.networks import get_network
from bidsapp.audio.networks.resnet1d import ResNet
from bidsapp.audio.training import tagger
from bidsapp.audio.training.evaluation import mean_scores, tag_logits, tag_scores
from bidsapp.audio.training.run import train_tagger
from bidsapp.audio.training.tagger import TaggerSettings, fit_tagger
from bidsapp.audio.training.waveforms import Waveforms, decode_clips
from bidsapp.errors import InputInvalidError, OutputError
from bidsapp.scratch import FileCheckpoint

SAMPLES = 8192
QUICK = TaggerSettings(epochs=3, batch=8, width=4, samples=SAMPLES, learning_rate=2e-3)


def sound_of(tags, rng, seconds):
    """Tones, noise, a pulse and gliding chirps; any of them together."""
    time = np.arange(int(seconds * 16_000)) / 16_000
    sound = 0.01 * rng.standard_normal(time.size)
    if "tone" in tags:
        pitch = rng.uniform(300, 1200)
        sound += 0.2 * sum(np.sin(2 * np.pi * k * pitch * time) / k for k in (1, 2, 3))
    if "noise" in tags:
        sound += 0.15 * rng.standard_normal(time.size)
    if "chirp" in tags:
        phase = (time * rng.uniform(3, 5)) % 1
        sound += 0.35 * np.sin(2 * np.pi * (2500 * phase + 1500 * phase**2) / 4)
    if "pulse" in tags:
        sound *= (time * rng.uniform(6, 10)) % 1 < 0.4
    return 0.5 * sound


def make_corpus(folder, counts, seconds=1.0, seed=0):
    rng = np.random.default_rng(seed)
    lines = ["path\ttags\tsplit"]
    folder.mkdir(exist_ok=True)
    for split, n in counts.items():
        for number in range(n):
            tags = [tag for tag in ("tone", "noise", "pulse", "chirp") if rng.random() < 0.5]
            name = f"{split}{number}.wav"
            soundfile.write(folder / name, sound_of(tags, rng, seconds), 16_000)
            lines.append(f"{name}\t{'|'.join(tags)}\t{split}")
    (folder / "clips.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return make_corpus(
        tmp_path_factory.mktemp("corpus"), {"train": 20, "validation": 8, "test": 8}
    )


def opened(folder, cache):
    corpus = read_corpus(folder)
    return corpus, decode_clips(corpus.paths, cache, quiet=True)


@pytest.mark.slow
def test_a_synthetic_task_is_learnt(tmp_path):
    folder = make_corpus(tmp_path / "c", {"train": 160, "validation": 40, "test": 60}, 1.2)
    settings = TaggerSettings(epochs=14, batch=16, width=8, samples=16_384, learning_rate=2e-3)
    facts = train_tagger(folder, tmp_path / "out", settings, quiet=True)
    assert facts["mean_roc_auc"] > 0.95
    assert facts["judged_on"] == "test"
    table = (tmp_path / "out" / "tags.tsv").read_text().splitlines()
    assert table[0] == "tag\tn_clips\tn_tagged\troc_auc\tpr_auc"
    assert len(table) == 5
    for name in ("tags.png", "tags.svg", "history.tsv", "resnet1d.pth", "checkpoint.pt"):
        assert (tmp_path / "out" / name).stat().st_size > 100
    kept = json.loads((tmp_path / "out" / "training.json").read_text())
    assert kept["mean_roc_auc"] == facts["mean_roc_auc"]
    assert kept["clips"] == {"train": 160, "validation": 40, "test": 60}
    network = get_network("resnet1d", weights=tmp_path / "out" / "resnet1d.pth")
    assert network.weights["sha256"] == facts["weights_sha256"]
    assert network.layers[-1].n_channels == 4


def test_tags_without_relation_to_the_sound_are_not_learnt(tmp_path):
    folder = make_corpus(tmp_path / "c", {"train": 40, "validation": 12, "test": 100}, 0.6)
    lines = (folder / "clips.tsv").read_text().splitlines()
    rng = np.random.default_rng(3)
    tags = ["|".join(t for t in "abcd" if rng.random() < 0.5) for _ in lines[1:]]
    rows = [line.split("\t") for line in lines[1:]]
    rows = [f"{path}\t{tag}\t{split}" for (path, _, split), tag in zip(rows, tags, strict=True)]
    (folder / "clips.tsv").write_text("\n".join([lines[0], *rows]) + "\n")
    facts = train_tagger(folder, tmp_path / "out", QUICK, quiet=True)
    assert facts["mean_roc_auc"] == pytest.approx(0.5, abs=0.12)


def states_equal(one, two):
    return all(torch.equal(value, two[name]) for name, value in one.items())


def test_a_run_cut_off_goes_on_to_the_same_end(small, tmp_path, monkeypatch):
    corpus, waveforms = opened(small, tmp_path / "w")
    whole = fit_tagger(corpus, waveforms, tmp_path / "whole", QUICK, quiet=True)
    save = FileCheckpoint.save

    def save_and_die(self, state):
        save(self, state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FileCheckpoint, "save", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            fit_tagger(corpus, waveforms, tmp_path / "cut", QUICK, quiet=True)
    epochs = []
    judge = tagger._Run.judge
    monkeypatch.setattr(
        tagger._Run, "judge", lambda run, n, sums: (epochs.append(n), judge(run, n, sums))[1]
    )
    cut = fit_tagger(corpus, waveforms, tmp_path / "cut", QUICK, quiet=True)
    assert epochs == [2, 3]
    assert states_equal(whole.module.state_dict(), cut.module.state_dict())
    assert [row["loss"] for row in whole.history] == [row["loss"] for row in cut.history]
    again = fit_tagger(corpus, waveforms, tmp_path / "cut", QUICK, quiet=True)
    assert epochs == [2, 3]
    assert states_equal(again.module.state_dict(), cut.module.state_dict())


def test_an_interrupted_epoch_leaves_the_checkpoint(small, tmp_path, monkeypatch):
    corpus, waveforms = opened(small, tmp_path / "w")
    whole = fit_tagger(corpus, waveforms, tmp_path / "whole", QUICK, quiet=True)
    loss, calls = tagger._Run.loss, []

    def die_in_the_third(self, batch):
        calls.append(1)
        if len(calls) == 6:  # two batches in an epoch
            raise KeyboardInterrupt
        return loss(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(tagger._Run, "loss", die_in_the_third)
        with pytest.raises(KeyboardInterrupt):
            fit_tagger(corpus, waveforms, tmp_path / "cut", QUICK, quiet=True)
    cut = fit_tagger(corpus, waveforms, tmp_path / "cut", QUICK, quiet=True)
    assert states_equal(whole.module.state_dict(), cut.module.state_dict())


class Watched(Waveforms):
    """Notes which clips are heard."""

    def __init__(self, waveforms):
        super().__init__(waveforms._samples, waveforms._starts)
        self.heard = set()

    def clip(self, clip):
        self.heard.add(clip)
        return super().clip(clip)

    def excerpt(self, clip, where, n_samples):
        self.heard.add(clip)
        return super().excerpt(clip, where, n_samples)


def test_training_never_hears_a_test_clip(small, tmp_path):
    corpus, waveforms = opened(small, tmp_path / "w")
    watched = Watched(waveforms)
    one = fit_tagger(corpus, watched, tmp_path / "one", QUICK, quiet=True)
    assert watched.heard == {*corpus.clips("train"), *corpus.clips("validation")}
    labels = corpus.labels.copy()
    labels[corpus.clips("test")] ^= True
    other = dataclasses.replace(corpus, labels=labels)
    two = fit_tagger(other, waveforms, tmp_path / "two", QUICK, quiet=True)
    assert states_equal(one.module.state_dict(), two.module.state_dict())


def test_validation_clips_choose_the_epoch_and_train_nothing(small, tmp_path):
    corpus, waveforms = opened(small, tmp_path / "w")
    labels = corpus.labels.copy()
    labels[corpus.clips("validation")] ^= True
    other = dataclasses.replace(corpus, labels=labels)
    one = fit_tagger(corpus, waveforms, tmp_path / "one", QUICK, quiet=True)
    two = fit_tagger(other, waveforms, tmp_path / "two", QUICK, quiet=True)
    assert [row["loss"] for row in one.history] == [row["loss"] for row in two.history]
    losses = [row["validation_loss"] for row in one.history]
    assert one.best_epoch == 1 + int(np.argmin(losses))
    assert losses != [row["validation_loss"] for row in two.history]


def test_patience_ends_training(small, tmp_path, monkeypatch):
    corpus, waveforms = opened(small, tmp_path / "w")
    losses = iter([0.5, 0.4, 0.6, 0.7, float("nan"), 0.1])
    monkeypatch.setattr(tagger._Run, "validate", lambda run: (next(losses), 0.5))
    settings = dataclasses.replace(QUICK, epochs=20, patience=3)
    fitted = fit_tagger(corpus, waveforms, tmp_path / "out", settings, quiet=True)
    assert len(fitted.history) == 5
    assert fitted.best_epoch == 2


def test_other_settings_are_refused_and_more_epochs_are_not(small, tmp_path):
    corpus, waveforms = opened(small, tmp_path / "w")
    one = dataclasses.replace(QUICK, epochs=1)
    fit_tagger(corpus, waveforms, tmp_path / "out", one, quiet=True)
    with pytest.raises(OutputError, match="other settings"):
        fit_tagger(
            corpus, waveforms, tmp_path / "out", dataclasses.replace(one, seed=1), quiet=True
        )
    more = fit_tagger(corpus, waveforms, tmp_path / "out", QUICK, quiet=True)
    whole = fit_tagger(corpus, waveforms, tmp_path / "whole", QUICK, quiet=True)
    assert states_equal(more.module.state_dict(), whole.module.state_dict())


def test_waveforms_are_the_sounds(small, tmp_path):
    corpus, waveforms = opened(small, tmp_path)
    for clip in (0, 5, 35):
        sound, _ = soundfile.read(corpus.paths[clip], dtype="float32")
        np.testing.assert_allclose(waveforms.clip(clip), sound, atol=5e-5)
        assert waveforms.length(clip) == len(sound)
        for where in (0.0, 0.4, 1.0):
            start = round(where * (len(sound) - 500))
            excerpt = waveforms.excerpt(clip, where, 500)
            np.testing.assert_array_equal(excerpt, waveforms.clip(clip)[start : start + 500])
    longer = waveforms.excerpt(0, 0.7, 20_000)
    assert len(longer) == 20_000
    assert not longer[16_000:].any()
    stamp = (tmp_path / "waveforms.int16").stat().st_mtime_ns
    opened(small, tmp_path)
    assert (tmp_path / "waveforms.int16").stat().st_mtime_ns == stamp
    fewer = decode_clips(corpus.paths[:3], tmp_path, n_threads=2, quiet=True)
    np.testing.assert_array_equal(fewer.clip(2), waveforms.clip(2))


def test_a_broken_clip_is_named(tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"no sound at all")
    with pytest.raises(InputInvalidError, match=r"broken\.wav"):
        decode_clips([tmp_path / "broken.wav"], tmp_path / "w", quiet=True)


def test_logits_are_those_of_each_clip_alone(tmp_path):
    rng = np.random.default_rng(0)
    lengths = [4000, 9000, 4000, 12_000, 9000]
    samples = (3000 * rng.standard_normal(sum(lengths))).astype(np.int16)
    waveforms = Waveforms(samples, np.concatenate([[0], np.cumsum(lengths)]))
    torch.manual_seed(0)
    module = ResNet(3, 4).eval()
    clips = np.array([4, 0, 3, 2])
    found = tag_logits(module, waveforms, clips, at_least=8192, quiet=True)
    for row, clip in enumerate(clips):
        sound = waveforms.clip(int(clip))
        sound = np.pad(sound, (0, max(0, 8192 - len(sound))))
        expected = module(torch.tensor(sound)[None]).detach().numpy()[0]
        np.testing.assert_allclose(found[row], expected, rtol=1e-4, atol=1e-5)


def test_scores_by_ranks():
    rng = np.random.default_rng(1)
    labels = rng.random((80, 3)) < 0.3
    labels[:, 2] = False
    logits = rng.standard_normal((80, 3)).astype(np.float32) + labels
    scores = tag_scores(labels, logits, ("a", "b", "never"))
    for column in (0, 1):
        n = labels[:, column].sum()
        ranks = rankdata(logits[:, column])[labels[:, column]].sum()
        area = (ranks - n * (n + 1) / 2) / (n * (80 - n))
        assert scores[column].roc_auc == pytest.approx(area)
        order = labels[np.argsort(-logits[:, column]), column]
        precision = (np.cumsum(order) / np.arange(1, 81))[order].mean()
        assert scores[column].pr_auc == pytest.approx(precision)
    assert np.isnan(scores[2].roc_auc)
    assert mean_scores(scores)[0] == pytest.approx((scores[0].roc_auc + scores[1].roc_auc) / 2)
    assert np.isnan(mean_scores(scores[2:])[0])
