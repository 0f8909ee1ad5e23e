"""The shared blocks of methods texts say what ran, and cite it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bidsapp.report.html import environment
from bidsapp.report.methods import (
    confounds_text,
    first_participant,
    inference_sentences,
    lag_text,
    references,
    shared_context,
    weights_text,
)
from bidsapp.report.sections import used_inferences
from bidsapp.results.inferences import INFERENCES
from bidsapp.results.read import Results
from tests.report.toy import surface, volume, write_toy


@pytest.fixture(scope="module")
def participant(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_toy(tmp_path_factory.mktemp("toy"), [surface()])


def say(block: str, results: Results, **more: Any) -> tuple[str, list[str]]:
    """Fill one macro and return its text and what it cites."""
    cited: list[str] = []

    def cite(*keys: str) -> str:
        cited.extend(keys)
        return f"[{len(cited)}]"

    source = f'{{% import "methods_blocks.txt.j2" as b with context %}}{{{{ b.{block} }}}}'
    made = environment().from_string(source)
    text = made.render(cite=cite, **(shared_context(results) | more))
    return " ".join(text.split(" ")).strip().replace("\n", ""), cited


def test_the_opening_names_recipe_variant_and_paper(participant: Results) -> None:
    text, cited = say('opening("Kim and colleagues")', participant)
    assert "musicotopy 0.1" in text
    assert "recipe “toy”, variant “robust”, after Kim and colleagues." in text
    assert cited == ["gorgolewski2016", "gorgolewski2017"]


def test_data_are_counted(participant: Results) -> None:
    text, cited = say('data("24 clips")', participant)
    assert "1 run (TR 2 s) with 24 clips was analysed in fsaverage5 surface" in text
    assert "(20\u00a0484 vertices)" in text
    assert cited == ["fischl1999"]


def test_cleaning_says_what_was_and_was_not_done(participant: Results) -> None:
    text, cited = say("cleaning()", participant)
    assert "Images had been preprocessed with fMRIPrep" in text
    assert "No confounds were regressed out." in text
    assert "(cut-off 100 s)" in text
    assert "No spatial smoothing was applied." in text
    assert cited == ["esteban2019"]


def test_raw_images_are_not_said_to_be_preprocessed(participant: Results) -> None:
    text, cited = say("cleaning()", participant, fmriprep=False, confounds="24 motion parameters")
    assert "Images had not been preprocessed with fMRIPrep." in text
    assert "From each run, 24 motion parameters were regressed out" in text
    assert cited == ["abraham2014"]


def test_layers_name_their_network_and_weights(participant: Results) -> None:
    (network,) = shared_context(participant)["networks"]
    text, cited = say("layers(network)", participant, network=network)
    assert text == (
        "Activations of 3 layers of VGGish [1], with random weights (seed 0), were computed "
        "for each sound"
    )
    assert cited == ["hershey2017"]
    assert "architecture" in say("random_weights(network)", participant, network=network)[0]
    trained = {**network, "control": ""}
    assert say("random_weights(network)", participant, network=trained)[0] == ""
    permuted = {**network, "control": "permuted"}
    text, _ = say("random_weights(network)", participant, network=permuted)
    assert text.startswith("Because the weights were permuted")


def test_inferences_are_described_by_their_entry_with_its_citations(participant: Results) -> None:
    used = used_inferences(participant)
    sentences = inference_sentences(used, {"circular_shift": 12000})
    text, cited = say("inference(sentences)", participant, sentences=sentences)
    assert "12\u00a0000 circular shifts" in text
    assert cited == list(INFERENCES["circular_shift"].cites)
    assert text.endswith("].")
    assert ".." not in text


def test_a_number_of_draws_may_not_be_forgotten(participant: Results) -> None:
    with pytest.raises(KeyError, match="n_draws"):
        inference_sentences(used_inferences(participant), {})


def test_software_is_cited(participant: Results) -> None:
    text, cited = say('software("scikit-learn " ~ cite("pedregosa2011"))', participant)
    assert text.endswith("scikit-learn [1].")
    assert set(cited) <= set(references())
    assert "harris2020" in cited


def test_a_group_speaks_of_its_first_participant(tmp_path: Path) -> None:
    units = [volume()]
    group = write_toy(tmp_path, units, subject="")
    assert first_participant(group) is None
    assert not shared_context(group)["has_participant"]
    write_toy(tmp_path, units, subject="02")
    own = first_participant(group)
    assert own is not None
    assert own.subject == "02"
    context = shared_context(group)
    assert (context["n"], context["n_left_out"]) == (2, 1)
    assert context["spaces"][0]["units"] == "voxels"
    text, _ = say("participants()", group)
    assert "2 participants took part in the group analysis; 1 was left out" in text


def test_a_participant_stands_for_itself(participant: Results) -> None:
    assert first_participant(participant) is participant


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"source": "random", "seed": 3}, "random weights (seed 3)"),
        ({"source": "file", "file": "v.pt", "sha256": "0123456789abcdef"},
         "pretrained weights (v.pt, sha256 0123456789ab…)"),
        ({"source": "permuted", "file": "v.pt", "sha256": "01", "seed": 3},
         "the weights of v.pt permuted within kernels (seed 3)"),
        ({"source": "table", "file": "clap.npz", "sha256": "0123456789abcdef"},
         "features read from clap.npz (sha256 0123456789ab…)"),
        ({"source": "none"}, ""),
    ],
)  # fmt: skip
def test_weights_in_words(record: dict[str, Any], text: str) -> None:
    assert weights_text(record) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [("none", "no confounds"), ([], "no confounds"), (["trans_x", "csf"], "trans_x, csf")],
)
def test_confounds_in_words(value: Any, text: str) -> None:
    assert confounds_text(value) == text


@pytest.mark.parametrize(
    ("lags", "text"), [((4.0, 5.0, 6.0), "4, 5 and 6 s"), ([-5], "\u22125 s"), ((), None)]
)
def test_lags_in_words(lags: Any, text: str | None) -> None:
    assert lag_text(lags) == text
