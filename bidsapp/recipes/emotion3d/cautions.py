"""Reasons to doubt the results of `emotion3d`, computed from what ran."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bidsapp.brain.stored_volumes import StoredVolumes
from bidsapp.recipes.base import cautions as shared
from bidsapp.recipes.emotion3d.decoding import Decoding
from bidsapp.recipes.emotion3d.inputs import EmotionInputs
from bidsapp.recipes.emotion3d.names import DECODERS, LEAKY, SplitInfo
from bidsapp.results.cautions import Caution
from bidsapp.results.inferences.base import smallest_p

if TYPE_CHECKING:
    from bidsapp.recipes.emotion3d.group_tests import Scored

_FEW_RUNS, _FEW_BLOCKS = 3, 10
_SIGNIFICANT, _FAR_S, _ALIKE, _BETTER = 0.05, 2.0, 0.5, 0.02
Rows = Sequence[Mapping[str, Any]]


def of_decodings(
    decodings: Sequence[Decoding], n_classes: int, *, has_motion: bool
) -> Iterator[Caution]:
    """Compare decoders with their chance, with controls that see no brain, and with each other.

    Parameters
    ----------
    decodings
        Every split and decoder.
    n_classes
        Number of classes.
    has_motion
        Whether the confound decoder knew motion.
    """
    for split in dict.fromkeys(item.split for item in decodings):
        if split.leaky:
            yield _leaky(split.note)
        elif split.name == "blocked":
            yield Caution("caution", "Blocks of one run", split.note)
    honest = {item.decoder: item for item in decodings if not item.split.leaky}
    for name in ("linear", "cnn"):
        if name not in honest or (test := honest[name].chance) is None:
            continue
        called = DECODERS[name].called.capitalize()
        yield _chance_level(honest[name], honest["majority"], n_classes)
        least = smallest_p(test.n_shifts)
        yield from shared.smallest_p(
            called, test.n_shifts, least, _SIGNIFICANT, draws="shifts of the labels"
        )
        if least <= _SIGNIFICANT < test.p:
            text = (
                f"{called} ({test.observed:.2f}) is not above its chance (p = {test.p:.3f}, "
                f"{test.n_shifts} shifts)."
            )
            yield Caution("serious", "Not above chance", text)
    yield from _of_controls(honest, has_motion=has_motion)
    if "cnn" in honest:
        network, linear = (honest[name].scores.balanced_accuracy for name in ("cnn", "linear"))
        if network <= linear:
            text = (
                f"The network ({network:.2f}) does not beat the linear decoder ({linear:.2f}) on "
                "the same folds and volumes."
            )
            yield Caution("serious", "The network adds nothing", text)
    if not has_motion:
        text = (
            "No motion parameters were found: the confound decoder knows the global signal only."
        )
        yield Caution("caution", "No motion parameters", text)


def _of_controls(honest: Mapping[str, Decoding], *, has_motion: bool) -> Iterator[Caution]:
    """Say which decoders that see no brain are above their chance.

    The one that knows the run counts where parts of a run are held out: a whole run that is held
    out was never learned, and all its volumes get one class.
    """
    for name in ("confounds", "time", "run"):
        control = honest.get(name)
        if control is None or (test := control.chance) is None or test.p > _SIGNIFICANT:
            continue
        if name == "run" and control.split.name == "leave_run_out":
            continue
        knows = DECODERS[name].called if has_motion or name != "confounds" else "the global signal"
        text = (
            f"A decoder that knows only {knows} is above its chance too (balanced accuracy "
            f"{test.observed:.2f}, p = {test.p:.3f})."
        )
        yield Caution("serious", "Decodable without the brain's pattern", text)


def _leaky(note: str) -> Caution:
    text = (
        f"{note.removeprefix(f'{LEAKY}: ')} These scores stand for comparison; do not report them."
    )
    return Caution("serious", f"{LEAKY} scores", text)


def _chance_level(item: Decoding, majority: Decoding, n_classes: int) -> Caution:
    test = item.chance
    assert test is not None
    where = SplitInfo(item.split.name).short
    text = (
        f"With the labels shifted in time {DECODERS[item.decoder].called} ({where}) has a "
        f"balanced accuracy of {test.mean:.2f} on average (95 % between {test.low:.2f} and "
        f"{test.high:.2f}), not 1/{n_classes} = {1 / n_classes:.2f}; always predicting the most "
        f"frequent class has {majority.scores.balanced_accuracy:.2f} (accuracy "
        f"{majority.scores.accuracy:.2f})."
    )
    return Caution("caution", "Chance is measured, not 1/K", text)


def of_labels(inputs: EmotionInputs) -> Iterator[Caution]:
    """Count independent samples of each class, and say what the labels are."""
    rows = inputs.count_rows()
    few = []
    for label in inputs.classes:
        counts = [row for row in rows if row["class"] == label]
        n_runs = sum(row["n_volumes"] > 0 for row in counts)
        n_blocks = sum(row["n_blocks"] for row in counts)
        if n_runs < _FEW_RUNS:
            few.append(
                f"{label} occurs in {n_runs} run{'s' * (n_runs != 1)}: when one is held out "
                "there is little or nothing to learn it from."
            )
        if n_blocks < _FEW_BLOCKS:
            few.append(
                f"{label} has {n_blocks} contiguous segment{'s' * (n_blocks != 1)}: that few "
                "independent samples."
            )
    if few:
        yield Caution("caution", "Few independent samples", " ".join(few))
    n_volumes, n_blocks = (sum(row[key] for row in rows) for key in ("n_volumes", "n_blocks"))
    text = (
        f"{n_volumes} labelled volumes are {n_blocks} contiguous segments of one class each: "
        "intervals of recalls are over these, and other listeners' or pieces' are not covered."
    )
    yield Caution("note", "Segments, not volumes, are independent", text)
    yield from what_labels_are([inputs])


def what_labels_are(members: Iterable[EmotionInputs]) -> Iterator[Caution]:
    """Say whose emotions the labels are, and what the observers knew.

    Parameters
    ----------
    members
        Inputs of one or several participants.
    """
    members = list(members)
    if any(item.settings.label_source == "annotations" for item in members):
        text = (
            "Labels are emotions that observers saw portrayed, not emotions that the scanned "
            "people felt."
        )
        yield Caution("caution", "Emotions portrayed, not felt", text)
    if any(item.modality == "audiovisual" for item in members):
        text = (
            "The observers saw and heard the film; if the scanned people only heard it, labels "
            "include what they could not know."
        )
        yield Caution("caution", "Audio-visual labels", text)


def of_timing(
    inputs: EmotionInputs, lags: Rows, *, stimulus_times_known: bool
) -> Iterator[Caution]:
    """Check that labels and volumes meet, and that no scene is in training and test.

    Parameters
    ----------
    inputs
        With the settings of the labels.
    lags
        Scores of the linear decoder over hemodynamic shifts.
    stimulus_times_known
        Whether it is known where in the stimulus volumes lie.
    """
    settings = inputs.settings
    if settings.purge_stimulus and not stimulus_times_known:
        text = (
            "Where in the stimulus each volume lies is not known: if runs overlap in the film, "
            "the same scenes are in training and test; give presentations.tsv."
        )
        yield Caution("serious", "Same stimulus in training and test", text)
    if lags:
        best = max(lags, key=lambda row: row["balanced_accuracy"])
        if abs(best["lag_s"] - settings.shift_s) > _FAR_S:
            text = (
                f"The linear decoder is best at a shift of {best['lag_s']:g} s, not at "
                f"{settings.shift_s:g} s; check the clocks, and do not choose the shift by this."
            )
            yield Caution("serious", "Clocks may disagree", text)
            return
        own = next((row for row in lags if row["lag_s"] == settings.shift_s), None)
        if own is None:
            return
        gain = best["balanced_accuracy"] - own["balanced_accuracy"]
        if gain > _BETTER:
            text = (
                "The linear decoder has a balanced accuracy of "
                f"{best['balanced_accuracy']:.3f} at a shift of "
                f"{best['lag_s']:g} s and {own['balanced_accuracy']:.3f} at the "
                f"{settings.shift_s:g} s that was used. A shift chosen by this scan would be "
                "biased on these data; choose it from other participants (emotion3d.shift_s)."
            )
            yield Caution("caution", "Another hemodynamic shift decodes better", text)


def of_maps(checks: Rows) -> Iterator[Caution]:
    """Say which attribution maps survive random layers or shifted labels.

    Parameters
    ----------
    checks
        Rows of the table of sanity checks.
    """
    by_method: dict[str, list[Mapping[str, Any]]] = {}
    for row in checks:
        by_method.setdefault(row["method"], []).append(row)
    for method, rows in by_method.items():
        layers = [row["similarity"] for row in rows if row["randomised"] != "labels"]
        shifted = [row["similarity"] for row in rows if row["randomised"] == "labels"]
        cases = (
            (layers[-1:], "with all layers random"),
            (shifted, "of networks trained on shifted labels"),
        )
        for values, what in cases:
            if values and values[0] > _ALIKE:
                text = (
                    f"Attribution maps ({method}) {what} resemble those of the trained network "
                    f"(rank correlation {values[0]:.2f}): they show the data more than what was "
                    "learned."
                )
                yield Caution("caution", "Maps show the data", text)


def of_data(inputs: EmotionInputs, stored: StoredVolumes, confounds: str) -> Iterator[Caution]:
    """Say how the images were treated and what is missing.

    Parameters
    ----------
    inputs, stored
        Runs and their volumes.
    confounds
        ``--confounds``.
    """
    yield from shared.raw_bold(inputs.runs)
    yield from shared.no_confounds(confounds, regressed=inputs.settings.denoise)
    yield from shared.freedom(inputs.runs, stored.confounds)
    if inputs.settings.normalise == "none":
        text = "Volumes were not standardised by run: a decoder can tell the run by its intensity."
        yield Caution("serious", "Runs can be told apart", text)
    n_constant = int(stored.constant.sum())
    yield from shared.without_data(n_constant, stored.units.n_units, "volume", "voxels")
    problems = [*stored.problems, *stored.units.problems, *inputs.problems]
    yield from shared.of_problems(problems)


def of_group(
    decodings: Sequence[Decoding],
    scored: Sequence[Scored],
    tests: Rows,
    n_classes: int,
    level: float,
) -> Iterator[Caution]:
    """Say what splits of a group mean, what chance is, and whether the network helps.

    Parameters
    ----------
    decodings
        Across participants.
    scored
        Of participants, within and across.
    tests
        Rows of the table of tests.
    n_classes
        Number of classes.
    level
        Of the tests over participants.
    """
    for split in dict.fromkeys(item.split for item in decodings):
        same = split.name == "leave_participant_out"
        title = "Same stimulus in training and test" if same else "New stimulus"
        yield Caution("serious" if same else "note", title, split.note)
    if any(item.leaky == LEAKY for item in scored):
        text = (
            "Participants also have scores of volumes drawn at random. Training and test volumes "
            "are neighbours in time: noise without any signal scores 80 to 97 % there."
        )
        yield _leaky(text)
    majority = {item.split: item for item in decodings if item.decoder == "majority"}
    for item in decodings:
        if item.chance is not None:
            yield _chance_level(item, majority[item.split], n_classes)
    for row in {row["test"]: row for row in tests}.values():
        smallest, draws = row["smallest_p"], "shifts of the labels in all participants"
        n_copies = round(1 / smallest) - 1
        yield from shared.smallest_p(row["test"], n_copies, smallest, level, draws=draws)
    for row in tests:
        if row["test"] == "cnn - linear" and row["difference"] <= 0:
            text = (
                f"{row['level'].capitalize()} participants ({SplitInfo(row['split']).short}), the "
                f"network does not beat the linear decoder (mean difference "
                f"{row['difference']:.2f}, p = {row['p']:.3f})."
            ).replace("-0.", "\u22120.")
            yield Caution("serious", "The network adds nothing", text)


def of_networks_across(decodings: Sequence[Decoding], trained: bool) -> Iterator[Caution]:
    """Say that the network across participants was not trained, or has no chance.

    Parameters
    ----------
    decodings
        Across participants.
    trained
        Whether the settings ask for it.
    """
    if not trained:
        text = (
            "Across participants only the linear decoder was trained: a network's score means "
            "nothing without its chance, and each shift costs a whole cross-validation. "
            "--set emotion3d_group.cnn=true trains it with its shifts."
        )
        yield Caution("note", "No network across participants", text)
    elif any(item.decoder == "cnn" and item.chance is None for item in decodings):
        text = (
            "The network across participants was not trained on shifted labels "
            "(emotion3d_group.n_cnn_shifts is 0, as in the paper): its scores have no chance and "
            "are not tested."
        )
        yield Caution("serious", "The network across participants has no chance", text)
