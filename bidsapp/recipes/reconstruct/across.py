"""`reconstruct`, group level: clips of one participant decoded by what others' brains answered.

BOLD of all participants is read again, because patterns of all clips and regions are too large to
be kept with the results. The regions of each fold are those with the best inner score, averaged
over participants; inner scores come from training clips. The other steps are those of
`bidsapp.models.across_participants`, with responses and embeddings averaged over the windows of a
clip.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from bidsapp.brain.clean import BoldMatrix, Cleaning, load_bold
from bidsapp.brain.geometry import UnitSpace, VolumeGrid
from bidsapp.brain.units import unit_space
from bidsapp.errors import InputInvalidError
from bidsapp.models.across_participants import SOURCES, Source, decode_across
from bidsapp.models.region_decoder import ClipRows, best_regions
from bidsapp.progress import track
from bidsapp.recipes.base.group import participant_settings
from bidsapp.recipes.base.study import GroupStudy
from bidsapp.recipes.reconstruct import results
from bidsapp.recipes.reconstruct.clips import Clips, ReconstructInputs
from bidsapp.recipes.reconstruct.decode import Judge, make_judge
from bidsapp.recipes.reconstruct.folds import allowed_gap
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.recipes.reconstruct.windows import response_weights, response_window, scanned_clips
from bidsapp.results.write import Output
from bidsapp.stats.clip_exchange import Exchange, averaged, difference, shifted_interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_PERCENTILES = (2.5, 97.5)
_GAINS: tuple[tuple[Source, Source], ...] = (("aligned", "anatomical"), ("pooled", "within"))


@dataclass(frozen=True, eq=False)
class Member:
    """Responses of one participant, read again.

    Attributes
    ----------
    clips, rows
        Clips; blocks and folds.
    weights
        (n_clips, n_volumes) which average the volumes of each clip.
    bold
        Clean BOLD.
    column
        (n_units,) column of each of the group's units; -1 for none.
    region
        (n_units,) region of each of the group's units, counted over all participants; -1 for none.
    """

    clips: Clips
    rows: ClipRows
    weights: csr_array
    bold: BoldMatrix
    column: Ints
    region: Ints

    def responses(self, units: Ints) -> NDArray[np.float32]:
        """Mean response to each clip of some of the group's units, (n_clips, n_units)."""
        data = np.asarray(self.bold.data[:, self.column[units]])
        return np.asarray(self.weights.astype(np.float32) @ data)


def write_across(out: Output, study: GroupStudy, units: UnitSpace) -> None:
    """Decode across participants, and write both tables of every embedding space.

    Parameters
    ----------
    out
        Writer.
    study
        The group; nothing is written where it has one participant.
    units
        Of the group.

    Raises
    ------
    InputInvalidError
        Participants share no region, or their clips are not those of their results.
    """
    inputs = study.inputs
    if len(inputs.participants) < 2:
        return
    names = region_names(study)
    members = [read_member(study, number, units, names) for number in range(len(inputs.subjects))]
    settings = participant_settings(inputs.recipe, inputs.participants[0], inputs.at)
    label = common_regions([member.region for member in members], settings.min_units)
    for network in inputs.networks:
        scores = shared_scores(study, network, names, label)
        chosen = best_regions(scores, settings.n_best)
        judge = judge_of(study, network, members, settings)
        predicted = decode_everybody(study, members, judge.rows, label, chosen, settings)
        exchanges = exchange_everybody(judge, predicted)
        out.write(results.ACROSS, across_rows(exchanges), network=network)
        out.write(results.GAINS, gain_rows(exchanges), network=network)
    for member in members:
        member.bold.remove()


def region_names(study: GroupStudy) -> list[str]:
    """Return the names of all regions that any participant was decoded from."""
    inputs = study.inputs
    network = next(iter(inputs.networks))
    tables = [person.table(results.REGIONS, inputs.at, network) for person in inputs.participants]
    return list(dict.fromkeys(name for table in tables for name in table["region"]))


def read_member(study: GroupStudy, number: int, units: UnitSpace, names: Sequence[str]) -> Member:
    """Read the BOLD of one participant again.

    Parameters
    ----------
    study
        The group.
    number
        Position of the participant.
    units
        Of the group.
    names
        Of all regions.

    Raises
    ------
    InputInvalidError
        The clips are not those of the participant's results.
    """
    inputs = study.inputs
    person = inputs.participants[number]
    member: ReconstructInputs = inputs.members[person.subject]
    settings = participant_settings(inputs.recipe, person, inputs.at)
    clips, rows = scanned_clips(member, settings)
    before = list(person.table(results.FOLDS, inputs.at)["clip"])
    if [clip.name for clip in clips.clips] != before:
        msg = (
            f"sub-{person.subject}: {len(clips.clips)} clips were found, its results have "
            f"{len(before)}, or others; run the participant level with --overwrite"
        )
        raise InputInvalidError(msg)
    config = person.facts(inputs.at)["config"]
    bold = load_bold(
        member.runs,
        unit_space(member.runs),
        Cleaning(config["confounds"], config["high_pass_hz"], config["smoothing_fwhm_mm"]),
        study.scratch / "bold",
        memory_bytes=study.memory_bytes // 3,
        quiet=study.config.quiet,
    )
    windows = response_weights(clips, member.runs, **response_window(settings))
    of_clips = np.kron(
        np.eye(len(clips.clips)), np.full((1, clips.n_windows), 1 / clips.n_windows)
    )
    own = list(person.table(results.REGIONS, inputs.at, next(iter(inputs.networks)))["region"])
    place = np.array([-1, *(names.index(name) for name in own)])
    written = person.values(results.REGION_LABELS, inputs.at, units=units)[0]
    region = place[np.nan_to_num(written).astype(int)]
    weights = csr_array(of_clips @ windows)
    return Member(clips, rows, weights, bold, _columns(bold.units, units), region)


def _columns(own: UnitSpace, units: UnitSpace) -> Ints:
    """Column of the participant's matrix for each of the group's units; -1 for none."""
    if not isinstance(own.geometry, VolumeGrid) or not isinstance(units.geometry, VolumeGrid):
        return np.arange(units.n_units)
    column = np.full(own.geometry.mask.shape, -1)
    column[own.geometry.mask] = np.arange(own.n_units)
    return np.asarray(column[units.geometry.mask], np.int64)


def common_regions(regions: Sequence[Ints], min_units: int) -> Ints:
    """Keep the units that are in the same region in all participants.

    Parameters
    ----------
    regions
        Per participant (n_units,); -1 for none.
    min_units
        Regions with fewer units in common are left out.

    Returns
    -------
    array, (n_units,)
        Region of each unit; -1 for none.

    Raises
    ------
    InputInvalidError
        No region is left.
    """
    same = np.all([own == regions[0] for own in regions], axis=0)
    label = np.where(same, regions[0], -1)
    size = np.bincount(label[label >= 0], minlength=int(label.max()) + 2)
    label = np.where((label >= 0) & (size[label] >= min_units), label, -1)
    if not (label >= 0).any():
        msg = (
            f"{len(regions)} participants share no region with {min_units} units; give one "
            "--atlas for all, or --set reconstruct_group.across=false"
        )
        raise InputInvalidError(msg)
    return label


def shared_scores(study: GroupStudy, network: str, names: Sequence[str], label: Ints) -> Floats:
    """Average the inner scores of regions over participants, fold by fold.

    Returns
    -------
    array, (n_folds, n_regions)
        -inf for regions that the participants do not share.
    """
    inputs = study.inputs
    each = []
    for person in inputs.participants:
        arrays = person.arrays(results.EMBEDDINGS, inputs.at, network) or {}
        scores = np.asarray(arrays["inner_score"])
        own = list(person.table(results.REGIONS, inputs.at, network)["region"])
        full = np.full((len(scores), len(names)), -np.inf)
        full[:, [names.index(name) for name in own]] = scores
        each.append(full)
    shared = np.isin(np.arange(len(names)), label)
    return np.where(shared, np.mean(each, axis=0), -np.inf)


def judge_of(
    study: GroupStudy, network: str, members: Sequence[Member], settings: ReconstructSettings
) -> Judge:
    """Prepare the comparison of predictions with the embeddings of clips.

    Nobody's decoders learn from clips that anybody heard near the held-out ones, unless orders
    differ so much that little would be left.
    """
    inputs = study.inputs
    person = inputs.participants[0]
    arrays = person.arrays(results.EMBEDDINGS, inputs.at, network) or {}
    embedding = np.asarray(arrays["clips"], np.float64)[:, None]
    first = members[0]
    near = [member.rows.near for member in members if member.rows.near is not None]
    together = (
        allowed_gap(np.any(near, axis=0), first.rows.block, first.rows.folds) if near else None
    )
    rows = replace(first.rows, embedding=embedding, near=together)
    seed = int(person.facts(inputs.at)["config"]["random_seed"])
    return make_judge(rows, first.clips, settings, seed)


def decode_everybody(
    study: GroupStudy,
    members: Sequence[Member],
    rows: ClipRows,
    label: Ints,
    chosen: NDArray[np.bool_],
    settings: ReconstructSettings,
) -> dict[Source, Floats]:
    """Average the predictions of the chosen regions.

    Parameters
    ----------
    study
        The group.
    members
        Participants.
    rows
        Embeddings of clips, blocks, folds.
    label
        (n_units,) regions that participants share.
    chosen
        (n_folds, n_regions) regions of each fold.
    settings
        Of the participant level: penalties.

    Returns
    -------
    dict
        Source → (n_participants, n_clips, n_dimensions); NaN for clips that no fold holds out.
    """
    shape = (len(members), len(rows.block), rows.embedding.shape[2])
    predicted: dict[Source, Floats] = {source: np.full(shape, np.nan) for source in SOURCES}
    for source in SOURCES:
        predicted[source][:, rows.fold >= 0] = 0.0
    regions = np.flatnonzero(chosen.any(axis=0) & np.isin(np.arange(chosen.shape[1]), label))
    shared = chosen & np.isin(np.arange(chosen.shape[1]), regions)
    described = f"{study.label}: decoders of others"
    for region in track(regions, total=len(regions), label=described, quiet=study.config.quiet):
        units = np.flatnonzero(label == region)
        responses = [member.responses(units) for member in members]
        for fold in np.flatnonzero(shared[:, region]):
            decoded = decode_across(
                responses,
                rows,
                int(fold),
                [10.0**x for x in settings.log10_alpha],
                n_components=study.settings.n_components,
                metric=settings.alpha_metric,
            )
            for source, values in decoded.items():
                predicted[source][:, rows.fold == fold] += values / shared[fold].sum()
    return predicted


def exchange_everybody(
    judge: Judge, predicted: Mapping[Source, Floats]
) -> dict[tuple[Source, str], list[Exchange]]:
    """Compare predictions of every participant with clips exchanged alike.

    Returns
    -------
    dict
        Source and candidates → one comparison per participant.
    """
    return {
        (source, candidates): [judge.exchange(own, within_genre=within) for own in values]
        for source, values in predicted.items()
        for candidates, within in ((results.ALL, False), (results.SAME_GENRE, True))
    }


def across_rows(
    exchanges: Mapping[tuple[Source, str], Sequence[Exchange]],
) -> Iterator[dict[str, Any]]:
    """Yield the mean accuracy of each source and set of candidates that has several."""
    for (source, candidates), each in exchanges.items():
        accuracy = np.array([float(item.observed) for item in each])
        if np.isnan(accuracy).all():
            continue
        mean = averaged(each)
        row: dict[str, Any] = {
            "source": source,
            "candidates": candidates,
            "n_participants": len(each),
            "identification": float(mean.observed),
            "smallest": accuracy.min(),
            "largest": accuracy.max(),
        }
        if len(mean.null):
            row["null_low"], row["null_high"] = np.percentile(mean.null, _PERCENTILES)
            row["p"] = float(mean.p)
        yield {column.name: row.get(column.name) for column in results.ACROSS.columns}


def gain_rows(
    exchanges: Mapping[tuple[Source, str], Sequence[Exchange]],
) -> Iterator[dict[str, Any]]:
    """Yield how much better one source is than another, for each set of candidates."""
    for better, worse in _GAINS:
        for candidates in (results.ALL, results.SAME_GENRE):
            each = [
                difference(first, second)
                for first, second in zip(
                    exchanges[better, candidates], exchanges[worse, candidates], strict=True
                )
            ]
            values = np.array([float(item.observed) for item in each])
            if np.isnan(values).all():
                continue
            mean = averaged(each)
            row: dict[str, Any] = {
                "gain": f"{better} − {worse}",  # noqa: RUF001
                "candidates": candidates,
                "difference": float(mean.observed),
                "n_positive": int((values > 0).sum()),
            }
            if len(mean.null):
                row["difference_low"], row["difference_high"] = shifted_interval(mean)
                row["p"] = float(mean.p)
            yield {column.name: row.get(column.name) for column in results.GAINS.columns}
