"""Music from embeddings: small random pipelines, from a folder to a FLAC file."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import soundfile
import torch

from bidsapp.audio.generation import average_embedding, write_samples
from bidsapp.errors import InputInvalidError, InputMissingError
from tests.audio.small_models import save_clap, save_pipeline

PIPELINES = ["AudioLDMPipeline", "MusicLDMPipeline"]
EMBEDDING = np.random.default_rng(0).standard_normal(512)


class Tone:
    """A generator of the protocol: its pitch is the first dimension, its phase the seed."""

    space = "tones"
    sampling_hz = 8000
    facts = {"what": "tone"}  # noqa: RUF012

    def generate(self, embedding, duration_s, seed):
        time_s = np.arange(round(duration_s * self.sampling_hz)) / self.sampling_hz
        return np.sin(2 * np.pi * 1000 * embedding[0] * time_s + seed).astype(np.float32) / 50


def test_samples_are_written_with_what_they_are(tmp_path):
    about = {"clip": "piece 1"}
    windows = np.array([[3.0, 1.0], [3.0, -1.0]])
    paths = write_samples(
        Tone(), windows, "tones", tmp_path, "clip-1", n_samples=2, seed=7, about=about,
        duration_s=0.5,
    )  # fmt: skip
    assert [path.name for path in paths] == ["clip-1_sample-1.flac", "clip-1_sample-2.flac"]
    first, rate = soundfile.read(paths[0])
    assert rate == 8000
    assert len(first) == 4000
    assert np.abs(first).max() == pytest.approx(0.9, abs=1e-3)
    spectrum = np.abs(np.fft.rfft(first))
    assert spectrum.argmax() == 500  # 1000 Hz: the mean of the windows has length 1
    sidecar = json.loads(paths[1].with_suffix(".json").read_text())
    assert sidecar["clip"] == "piece 1"
    assert sidecar["seed"] == 8
    assert sidecar["embedding"] == [1.0, 0.0]
    assert sidecar["gain"] == pytest.approx(45, rel=0.03)
    assert not np.array_equal(first, soundfile.read(paths[1])[0])


def test_embeddings_of_another_space_are_refused(tmp_path):
    for space in ("clap-1", ""):
        with pytest.raises(InputInvalidError, match="the generator was trained on tones"):
            write_samples(Tone(), EMBEDDING, space, tmp_path, "x")
    with pytest.raises(InputInvalidError, match="zero or not finite"):
        average_embedding(np.array([[1.0, 0.0], [-1.0, 0.0]]))
    with pytest.raises(InputInvalidError, match="zero or not finite"):
        average_embedding(np.array([np.nan, 0.0]))
    with pytest.raises(InputInvalidError, match="silent"):
        write_samples(Tone(), np.array([0.0, 1.0]), "tones", tmp_path, "x")
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory):
    pytest.importorskip("transformers")
    pytest.importorskip("diffusers")
    folder = tmp_path_factory.mktemp("pipelines")
    return {name: save_pipeline(folder, name) for name in PIPELINES}


def generator(folder, guidance=2.5):
    from bidsapp.audio.generation import DiffusionGenerator, DiffusionSettings

    return DiffusionGenerator(folder, DiffusionSettings(n_steps=3, guidance=guidance))


@pytest.mark.parametrize("name", PIPELINES)
def test_from_an_embedding_to_music(pipelines, tmp_path, name):
    model = generator(pipelines[name])
    written = [
        write_samples(
            model, embedding, model.space, tmp_path / folder, "clip", n_samples=2, duration_s=0.256
        )
        for folder, embedding in (("a", EMBEDDING), ("b", EMBEDDING * 4), ("c", -EMBEDDING))
    ]
    contents = [[path.read_bytes() for path in paths] for paths in written]
    assert contents[0] == contents[1]  # bit for bit, whatever the length of the embedding
    assert contents[0][0] != contents[0][1]
    assert contents[0][0] != contents[2][0]
    again = generator(pipelines[name]).generate(average_embedding(EMBEDDING), 0.256, 0)
    first, rate = soundfile.read(written[0][0])
    assert rate == 16_000
    assert first.shape == again.shape == (4096,)
    assert np.corrcoef(first, again)[0, 1] > 0.9999
    facts = json.loads((tmp_path / "a" / "clip_sample-1.json").read_text())["generator"]
    assert facts["pipeline"] == name
    assert facts["space"] == model.space


@pytest.mark.parametrize("name", PIPELINES)
def test_guidance_is_against_the_empty_prompt(pipelines, name):
    """The library's own way to the empty prompt, where it still works."""
    model = generator(pipelines[name])
    if name == "AudioLDMPipeline":
        _, negative = model._pipe._encode_prompt("x", "cpu", 1, True, "").chunk(2)[::-1]
        torch.testing.assert_close(model._empty, negative, atol=1e-6, rtol=1e-5)
    assert model._empty.norm().item() == pytest.approx(1.0)
    strong = generator(pipelines[name], guidance=4.0)
    values = [m.generate(average_embedding(EMBEDDING), 0.256, 0) for m in (model, strong)]
    assert not np.allclose(values[0] / values[0].max(), values[1] / values[1].max(), rtol=1e-3)


def test_the_space_is_that_of_the_pipelines_clap(pipelines, tmp_path):
    from bidsapp.audio.networks import get_network

    folder = pipelines["MusicLDMPipeline"]
    network = get_network("clap", weights=folder / "text_encoder")
    model = generator(folder)
    assert network.weights["space"] == model.space
    other = get_network("clap", weights=save_clap(tmp_path / "clap", seed=9))
    with pytest.raises(InputInvalidError, match="decode embeddings of the generator's CLAP"):
        write_samples(model, EMBEDDING, str(other.weights["space"]), tmp_path / "x", "clip")
    with pytest.raises(InputInvalidError, match="512"):
        write_samples(model, EMBEDDING[:100], model.space, tmp_path / "x", "clip")


def test_folders_that_are_no_generator_are_refused(pipelines, tmp_path):
    from bidsapp.audio.generation import DiffusionGenerator

    with pytest.raises(InputMissingError, match=r"no model_index\.json"):
        DiffusionGenerator(tmp_path)
    copy = shutil.copytree(pipelines["AudioLDMPipeline"], tmp_path / "copy")
    index = json.loads((copy / "model_index.json").read_text())
    for changes, message in (
        ({"_class_name": "AudioLDM2Pipeline"}, "is a AudioLDM2Pipeline"),
        ({"unet": ["my_code", "Net"]}, "its unet comes from my_code"),
    ):
        (copy / "model_index.json").write_text(json.dumps(index | changes))
        with pytest.raises(InputInvalidError, match=message):
            DiffusionGenerator(copy)
    (copy / "model_index.json").write_text(json.dumps(index))
    shutil.rmtree(copy / "unet")
    with pytest.raises(InputInvalidError, match="cannot be loaded as AudioLDMPipeline"):
        DiffusionGenerator(copy)
