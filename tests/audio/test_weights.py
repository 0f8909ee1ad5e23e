from __future__ import annotations

import functools
import hashlib
import re

import numpy as np
import pytest
import torch

from bidsapp.audio.io import content_hash
from bidsapp.audio.networks import get_network, weight_files
from bidsapp.audio.networks.resnet1d import ResNet, ResNet1d
from bidsapp.audio.networks.vggish import STAGES, VGGish
from bidsapp.audio.networks.weight_files import find_weights
from bidsapp.audio.networks.weights import he_normal, load_state, read_parameters, read_state
from bidsapp.errors import InputInvalidError, ResourceUnavailableError

NAMES = ("features_network.", "embedding_network.")


@functools.cache
def state():
    """A state dict of the right shapes; the large dense layers are cheap to make."""
    found = {}
    for stage in STAGES:
        found[f"{stage.key}.weight"] = torch.full(stage.shape, 0.5 / np.prod(stage.shape[1:]))
        found[f"{stage.key}.bias"] = torch.linspace(-0.1, 0.1, stage.shape[0])
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A weights folder as a user fills it: the release's name pattern, and PCA parameters."""
    path = tmp_path_factory.mktemp("weights")
    torch.save(state(), path / "vggish.pt")
    digest = content_hash(path / "vggish.pt")
    (path / "vggish.pt").rename(path / f"vggish-{digest[:8]}.pth")
    return path


@pytest.fixture(scope="module")
def named(folder):
    return next(folder.glob("vggish-*.pth"))


def test_a_file_is_loaded_through_the_registry(named, folder, music):
    network = get_network("vggish", weights=named.name, weights_dir=folder, hop_s=0.96)
    assert network.weights["source"] == "file"
    assert network.weights["sha256"] == hashlib.sha256(named.read_bytes()).hexdigest()
    assert network.weights["file"] == named.name
    weight, bias = network._parameters(STAGES[3])
    assert torch.equal(weight, state()["features.8.weight"])
    assert torch.equal(bias, state()["features.8.bias"])
    frames = network.frames(music)[:1]
    embedding = [c for i, c in network.blocks(frames, memory_bytes=2**28) if i == 23]
    assert embedding[0].shape == (1, 128)
    assert network.layers[23].kind == "identity"


def test_path_and_name_lead_to_the_same_network(named, folder):
    by_path = get_network("vggish", weights=named)
    by_name = get_network("vggish", weights=named.name, weights_dir=folder)
    assert by_path.identity() == by_name.identity()


def test_the_other_port_has_other_prefixes(named, tmp_path):
    renamed = {
        key.replace("features.", NAMES[0]).replace("embeddings.", NAMES[1]): value
        for key, value in state().items()
    }
    torch.save(renamed, tmp_path / "vggish.pt")
    network = get_network("vggish", weights="audioset", weights_dir=tmp_path)
    for stage in STAGES[:3]:
        assert torch.equal(network._parameters(stage)[0], state()[f"{stage.key}.weight"])


def test_pca_parameters_beside_the_weights_make_the_last_layer(named, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    vectors, means = rng.standard_normal((128, 128)), rng.standard_normal((128, 1))
    pca = {
        "pca_eigen_vectors": torch.tensor(vectors, dtype=torch.float32),
        "pca_means": torch.tensor(means, dtype=torch.float32),
    }
    link = tmp_path / named.name
    link.symlink_to(named)
    without = get_network("vggish", weights=link)
    torch.save(pca, tmp_path / "vggish_pca_params-970ea276.pth")
    with pytest.raises(InputInvalidError, match="promises 970ea276"):
        get_network("vggish", weights=link)
    monkeypatch.setattr(weight_files, "_HASH_IN_NAME", re.compile("never"))
    network = get_network("vggish", weights=link)
    assert network.layers[23].kind == "pca"
    assert network.weights["pca"] == "vggish_pca_params-970ea276.pth"
    assert network.identity() != without.identity()
    np.testing.assert_allclose(network._pca[0], vectors, rtol=1e-6)
    np.testing.assert_allclose(network._pca[1], means[:, 0], rtol=1e-6)


def test_pca_is_a_rotation_of_the_embedding(music):
    rng = np.random.default_rng(0)
    vectors = torch.tensor(rng.standard_normal((128, 128)), dtype=torch.float32)
    means = torch.tensor(rng.standard_normal(128), dtype=torch.float32)

    def look_up(stage):
        return state()[f"{stage.key}.weight"], state()[f"{stage.key}.bias"]

    network = VGGish(look_up, {}, 0.96, (vectors, means))
    assert network.layers[23].kind == "pca"
    frames = network.frames(music)[:2]
    last = dict(network.blocks(frames, memory_bytes=2**31))
    expected = (last[22].double() - means) @ vectors.double().T
    np.testing.assert_allclose(last[23], expected, rtol=1e-4, atol=1e-4)


def test_a_name_that_promises_another_hash_is_refused(named, tmp_path):
    wrong = tmp_path / "vggish-0badc0de.pth"
    wrong.symlink_to(named)
    with pytest.raises(InputInvalidError, match="promises 0badc0de"):
        get_network("vggish", weights=wrong)


def test_missing_weights_say_what_to_do(tmp_path):
    with pytest.raises(ResourceUnavailableError) as caught:
        get_network("vggish", weights="audioset", weights_dir=tmp_path)
    message = str(caught.value)
    assert all(
        part in message
        for part in ("vggish-10086976.pth", str(tmp_path), "--weights-dir", "--weights random")
    )
    with pytest.raises(ResourceUnavailableError, match="no --weights-dir given"):
        get_network("vggish", weights="audioset")


def test_first_known_file_wins(tmp_path):
    (tmp_path / "two.pth").touch()
    known = {"audioset": ("one.pth", "two.pth")}
    assert find_weights("x", "audioset", tmp_path, known) == tmp_path / "two.pth"
    (tmp_path / "one.pth").touch()
    assert find_weights("x", "audioset", tmp_path, known) == tmp_path / "one.pth"
    assert find_weights("x", tmp_path / "two.pth", None, known) == tmp_path / "two.pth"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda s: s.pop("features.6.bias"), r"features\.6\.bias .* found nothing"),
        (lambda s: s.update({"features.0.weight": torch.ones(3)}), r"found \(3,\)"),
    ],
)
def test_parameters_of_another_network_are_refused(tmp_path, change, what):
    other = dict(state())
    change(other)
    torch.save(other, tmp_path / "vggish.pt")
    with pytest.raises(InputInvalidError, match=what):
        get_network("vggish", weights=tmp_path / "vggish.pt")


def test_files_that_hold_no_tensors_are_refused(tmp_path):
    text, code, numbers = (tmp_path / name for name in ("a.pth", "b.pth", "c.pth"))
    text.write_text("nothing of the kind")
    torch.save({"evil": torch.nn.Linear(2, 2)}, code)
    torch.save({"one": 1}, numbers)
    for path, what in ((text, "not a file"), (code, "not a file"), (numbers, "no dictionary")):
        with pytest.raises(InputInvalidError, match=what):
            read_state(path)


def test_files_of_old_torch_are_read(tmp_path):
    torch.save({"x": torch.ones(3)}, tmp_path / "x.pth", _use_new_zipfile_serialization=False)
    found, _ = read_state(tmp_path / "x.pth")
    assert torch.equal(found["x"], torch.ones(3))


def test_drawn_weights_have_the_variance_of_he():
    drawn = he_normal((200, 50, 3, 3), seed=1, index=2)
    assert drawn.dtype == torch.float32
    assert drawn.std() == pytest.approx((2 / 450) ** 0.5, rel=0.02)
    assert abs(drawn.mean()) < 0.001
    assert torch.equal(drawn, he_normal((200, 50, 3, 3), seed=1, index=2))
    assert not torch.equal(drawn, he_normal((200, 50, 3, 3), seed=1, index=3))


def test_a_table_renames_the_parameters_of_foreign_weights(tmp_path):
    """The network under other names, as a state dict of somebody else has it."""
    ours = ResNet().state_dict()
    foreign = {"norm1": "bn1", "norm_a": "bn_a", "norm_b": "bn_b"}
    named = {
        ".".join(foreign.get(part, part) for part in key.split(".")).replace("carry.0", "proj"): v
        for key, v in ours.items()
    }
    path = tmp_path / "foreign.pth"
    torch.save(named, path)
    with pytest.raises(InputInvalidError, match=r"norm1\.weight .* foreign\.keys\.tsv"):
        load_state(ResNet(), read_parameters(path)[0], path, "resnet1d")
    table = tmp_path / "foreign.keys.tsv"
    rows = [*((theirs, mine) for mine, theirs in foreign.items()), ("proj", "carry.0")]
    table.write_text("theirs\tours\n" + "".join(f"{a}\t{b}\n" for a, b in rows))
    state, facts = read_parameters(path)
    assert facts["keys"] == "foreign.keys.tsv"
    load_state(ResNet(), state, path, "resnet1d")
    assert all(torch.equal(state[key], value) for key, value in ours.items())
    table.write_text("theirs\tours\nbn_a\tsame\nbn_b\tsame\n")
    with pytest.raises(InputInvalidError, match="give each its own"):
        read_parameters(path)
    table.write_text("theirs\tours\nbn1\tnorm1\nbn1\tnorm_a\n")
    with pytest.raises(InputInvalidError, match="bn1 is both norm1 and norm_a"):
        read_parameters(path)
    table.write_text("a\tb\n1\t2\n")
    with pytest.raises(InputInvalidError, match="write theirs and ours"):
        read_parameters(path)


@pytest.mark.parametrize("name", ["fc.weight", "conv1.weight"])
def test_a_first_or_last_layer_of_another_shape_is_refused(tmp_path, name):
    path = tmp_path / "other.pth"
    for shape in ((), (0, 1, 49)):
        torch.save({**ResNet().state_dict(), name: torch.ones(shape)}, path)
        with pytest.raises(InputInvalidError, match="give a state dict of resnet1d"):
            ResNet1d.from_file(path, 0.48)
