from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import rankdata

from bidsapp.errors import InputInvalidError
from bidsapp.recipes.rsa.design import Design, group_units, keep_patterns, read_design
from bidsapp.recipes.rsa.results import ITEMS, MODELS
from bidsapp.scratch import Scratch


@pytest.fixture
def design_of(collected) -> Callable[..., Design]:
    """Return a function that reads the design of an output folder."""

    def read(output: Path, **options: Any) -> Design:
        (inputs,) = collected(output, **options)
        return read_design(inputs)

    return read


def table_of(inputs, subject: int, result, network: str = "") -> Path:
    (path,) = (
        path
        for path in inputs.participants[subject].files(result, inputs.at, network)
        if path.suffix == ".tsv"
    )
    return path


def test_reads_what_participants_share(written, collected, design_of, people, models) -> None:
    design = design_of(written(people(2)))
    np.testing.assert_allclose(design.models["toy"], models, atol=1e-6)
    assert design.clip.size == 24
    assert design.smallest_correlation == 1
    assert design.time_difference_s == 0
    np.testing.assert_array_equal(design.clip, np.repeat(np.arange(6), 4))
    assert design.pairs.sum() == 15 * 16


def test_models_that_differ_a_little_are_averaged(
    written, collected, design_of, people, models
) -> None:
    persons = people(2)
    noise = 0.02 * np.random.default_rng(0).standard_normal(models.shape)
    persons[1].models = (models + noise).round(6)
    persons[1].shift_s = 0.7
    design = design_of(written(persons))
    np.testing.assert_allclose(design.models["toy"], models + noise / 2, atol=2e-6)
    assert 0.8 < design.smallest_correlation < 1
    assert design.time_difference_s == pytest.approx(0.7)


def test_other_models_are_refused(written, collected, design_of, people, models) -> None:
    persons = people(3)
    persons[2].models = np.random.default_rng(0).permuted(models, axis=1).round(6)
    with pytest.raises(InputInvalidError, match=r"sub-03_model-toy.* sub-01"):
        design_of(written(persons))


def test_other_times_are_refused(written, collected, people) -> None:
    (inputs,) = collected(written(people(3)))
    path = table_of(inputs, 1, ITEMS)
    path.write_text(path.read_text().replace("\t13.0\t", "\t15.5\t"))
    with pytest.raises(InputInvalidError, match=r"sub-02_desc-rsaitems.*2\.5 s off"):
        read_design(inputs)


def test_a_table_of_another_size_is_refused(written, collected, design_of, people) -> None:
    (inputs,) = collected(written(people(2)))
    path = table_of(inputs, 1, MODELS, "toy")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(InputInvalidError, match="has 275 rows, not 276"):
        read_design(inputs)


def test_a_table_that_lacks_a_layer_or_numbers_is_refused(
    written, collected, design_of, people
) -> None:
    (inputs,) = collected(written(people(1)))
    path = table_of(inputs, 0, MODELS, "toy")
    text = path.read_text()
    path.write_text(text.replace("conv2", "other"))
    with pytest.raises(InputInvalidError, match="no column conv2"):
        read_design(inputs)
    path.write_text(text.replace("\n1\t2\t", "\n1\t2\tx"))
    with pytest.raises(InputInvalidError, match="no table of numbers"):
        read_design(inputs)


def test_nuisance_matrices_are_mean_ranks(written, collected, design_of, people) -> None:
    persons, rng = people(3), np.random.default_rng(3)
    rdms = rng.random((2, 2, 276)).round(6)
    persons[0].nuisance, persons[2].nuisance = rdms[0], rdms[1][:1]
    design = design_of(written(persons))
    assert design.nuisance_names == ("n0", "n1")
    ranks = [rankdata(values[design.pairs]) for values in rdms[:, 0]]
    np.testing.assert_allclose(design.nuisance[0, design.pairs], np.mean(ranks, axis=0))
    assert np.isfinite(design.nuisance).all()


def test_orders_of_participants_are_compared(written, collected, design_of, people) -> None:
    persons = people(4)
    output = written(persons)
    assert not design_of(output).common_order
    assert not design_of(output, participant_label=("01",)).common_order
    for person in persons:
        person.order = persons[0].order
    assert design_of(written(persons)).common_order


def test_patterns_are_read_in_blocks_and_found_again(
    written, collected, people, units, tmp_path
) -> None:
    persons = people(2)
    persons[1].size = persons[1].size.copy()
    persons[1].size[:7] = np.nan
    (inputs,) = collected(written(persons))
    common, n = group_units(inputs)
    assert common.identity() == units.identity()
    np.testing.assert_array_equal(n, np.where(np.arange(units.n_units) < 7, 1, 2))
    first = inputs.participants[0]
    for memory_bytes in (1, 10**9):
        scratch = Scratch(tmp_path / str(memory_bytes))
        kept = keep_patterns(first, inputs.at, common, 24, scratch, memory_bytes=memory_bytes)
        np.testing.assert_array_equal(kept, persons[0].patterns.astype(np.float32))
    again = keep_patterns(first, inputs.at, common, 24, scratch, memory_bytes=1)
    np.testing.assert_array_equal(again, kept)


def test_another_number_of_patterns_is_refused(written, collected, people, tmp_path) -> None:
    (inputs,) = collected(written(people(1)))
    common, _ = group_units(inputs)
    with pytest.raises(InputInvalidError, match="24 maps for 23 items"):
        keep_patterns(
            inputs.participants[0],
            inputs.at,
            common,
            23,
            Scratch(tmp_path / "x"),
            memory_bytes=10**6,
        )
