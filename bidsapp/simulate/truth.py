"""Compare results with the planted truth of a simulated dataset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bidsapp.errors import InputMissingError
from bidsapp.simulate.checks.shared import Check, Found, plain
from bidsapp.simulate.planted import read_truth


def check_truth(
    data_dir: Path, output_dir: Path, checks: Mapping[str, Check], *, oracle: bool = True
) -> dict[str, Any]:
    """Say how well the planted truth came back.

    Parameters
    ----------
    data_dir
        Dataset made by `simulate`.
    output_dir
        Results of some recipes on it.
    checks
        Recipe → how its results are compared with the truth.
    oracle
        Also analyse the data by plain pipelines that know the design.

    Returns
    -------
    dict
        Ready for JSON, None for what is undefined: recipe → what its check found.

    Raises
    ------
    InputMissingError
        The dataset has no truth, or `output_dir` holds no result for any of its participants.
    """
    truth = read_truth(data_dir)
    found = {
        name: check.run(data_dir, output_dir, truth, oracle=oracle)
        for name, check in checks.items()
        if check.design == truth.design
    }
    known = {name: facts for name, facts in found.items() if facts is not None}
    if not known:
        network = truth.options.get("network")
        planted = f", in which layers of {network} are planted" if network else ""
        chosen = f" --network {network}" if network else ""
        msg = (
            f"{output_dir}: no results of {', '.join(checks)} that fit the design {truth.design}"
            f"{planted}; run `musicotopy {data_dir} {output_dir} participant{chosen}` first, with "
            "the weights that were planted"
        )
        raise InputMissingError(msg)
    return dict(plain(known))


def findings(found: Found, checks: Mapping[str, Check]) -> list[str]:
    """Say what `check_truth` found in plain words, one line per finding."""
    return [f"{name}: {line}" for name in found for line in checks[name].say(found[name])]
