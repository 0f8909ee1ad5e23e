"""Compare results with the planted truth of a simulated dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bidsapp.errors import InputMissingError
from bidsapp.simulate.checks.emotions import check_emotions, say_emotions
from bidsapp.simulate.checks.gradients import check_gradients, say_gradients
from bidsapp.simulate.checks.rsa import check_rsa, say_rsa
from bidsapp.simulate.checks.shared import Found, plain
from bidsapp.simulate.planted import read_truth


@dataclass(frozen=True, slots=True)
class Check:
    """How the results of one recipe are compared with the truth, and how that is said.

    Attributes
    ----------
    run
        Takes the dataset, the results and the truth, and ``oracle=``; None where there are no
        results of the recipe.
    say
        One line per finding.
    """

    run: Callable[..., dict[str, Any] | None]
    say: Callable[[Found], list[str]]


CHECKS: dict[str, Check] = {
    "gradients": Check(check_gradients, say_gradients),
    "rsa": Check(check_rsa, say_rsa),
    "emotion3d": Check(check_emotions, say_emotions),
}


def check_truth(data_dir: Path, output_dir: Path, *, oracle: bool = True) -> dict[str, Any]:
    """Say how well the planted truth came back.

    Parameters
    ----------
    data_dir
        Dataset made by `simulate`.
    output_dir
        Results of some recipes on it.
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
        for name, check in CHECKS.items()
    }
    known = {name: facts for name, facts in found.items() if facts is not None}
    if not known:
        msg = (
            f"{output_dir}: no results of {', '.join(CHECKS)} that fit the design "
            f"{truth.design}; run `musicotopy {data_dir} {output_dir} participant` first"
        )
        raise InputMissingError(msg)
    return dict(plain(known))


def findings(found: Found) -> list[str]:
    """Say what `check_truth` found in plain words, one line per finding."""
    return [f"{name}: {line}" for name in found for line in CHECKS[name].say(found[name])]
