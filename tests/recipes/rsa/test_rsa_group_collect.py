from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bidsapp.brain.geometry import volume_units
from bidsapp.errors import AppError, InputInvalidError, InputMissingError, OutputError
from bidsapp.recipes.rsa.results import MODELS, NUISANCE, PATTERNS, SIZE


def test_finds_participants_layers_and_files(written, collected, people) -> None:
    persons = people(3)
    persons[0].nuisance = persons[0].models[:2]
    (inputs,) = collected(written(persons))
    assert inputs.subjects == ("01", "02", "03")
    assert inputs.networks == {"toy": ("conv1", "conv2", "fc")}
    assert inputs.kind == "volume"
    assert inputs.space == "MNI152NLin2009cAsym"
    first = inputs.participants[0]
    for result, network in ((MODELS, "toy"), (PATTERNS, ""), (SIZE, "")):
        files = first.files(result, inputs.at, network)
        assert files
        assert set(files) <= set(inputs.files)
    assert first.written(NUISANCE)
    assert not inputs.participants[1].written(NUISANCE)
    assert "3 participants: 01 02 03" in inputs.overview()


def other_code(person) -> None:
    person.code = "bbbb2222"


def other_seed(person) -> None:
    person.seed = 5


def other_layers(person) -> None:
    person.layers = ("a", "b", "c")


def other_grid(person) -> None:
    mask = np.zeros((17, 6, 5), dtype=bool)
    mask[:16] = person.units.geometry.mask
    person.units = volume_units(
        mask, person.units.geometry.affine, space=person.units.space, resolution="2"
    )


@pytest.mark.parametrize(
    ("change", "error", "what"),
    [
        (other_code, OutputError, r"configuration: sub-01 sub-02 \(aaaa1111\); sub-03"),
        (other_seed, OutputError, "random seed"),
        (other_layers, InputInvalidError, "differ in layers"),
        (other_grid, InputInvalidError, "17 x 6 x 5"),
    ],
)
def test_refuses_mixtures_by_name(
    written: Callable[..., Path], collected, people, change, error: type[AppError], what: str
) -> None:
    persons = people(3)
    change(persons[2])
    output = written(persons)
    with pytest.raises(error, match=what) as raised:
        collected(output)
    assert "sub-03" in str(raised.value)
    (inputs,) = collected(output, exclude_participant_label=("03",))
    assert inputs.subjects == ("01", "02")


def test_refuses_other_clips_and_names_them(written, collected, people) -> None:
    persons = people(3)
    persons[1].clips = persons[1].order = ("other.wav", *persons[1].clips[1:])
    message = "unlike sub-01 sub-03 with 24 rows, sub-02 lacks clip0.wav and adds other"
    with pytest.raises(InputInvalidError, match=message) as raised:
        collected(written(persons))
    assert "(--exclude-participant-label 02)" in str(raised.value)


def test_refuses_another_number_of_items(written, collected, people) -> None:
    persons = people(3)
    kept = [k for k in range(24) if k % 4]
    persons[2].patterns = persons[2].patterns[kept]
    persons[2].models = persons[2].models[:, : 18 * 17 // 2]
    persons[2].clip_s = 18.5
    with pytest.raises(InputInvalidError, match="sub-03 has 18 rows of the same content"):
        collected(written(persons))


def test_incomplete_participants_are_left_out_with_the_reason(written, collected, people) -> None:
    output = written(people(3))
    next((output / "sub-02").rglob("*rsamodels_stats.tsv")).unlink()
    (inputs,) = collected(output)
    assert inputs.subjects == ("01", "03")
    ((subject, reason),) = inputs.left_out
    assert subject == "02"
    assert "rsamodels" in reason


def test_nobody_complete_is_an_error(written, collected, people) -> None:
    output = written(people(1))
    next(output.rglob("*stat-pattern*.nii.gz")).unlink()
    with pytest.raises(InputMissingError, match="patterns of the items"):
        collected(output)
