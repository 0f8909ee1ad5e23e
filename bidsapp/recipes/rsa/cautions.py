"""Reasons to doubt the results of `rsa`, of a participant and of a group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.recipes.base import cautions as shared
from bidsapp.recipes.base.study import GroupStudy, ParticipantStudy
from bidsapp.recipes.rsa.items import Items
from bidsapp.recipes.rsa.layer_models import LayerModels
from bidsapp.recipes.rsa.nuisances import Nuisances
from bidsapp.results.cautions import Caution
from bidsapp.results.networks import network_title
from bidsapp.stats.rsa.clip_permutation import is_enumerated, smallest_p
from bidsapp.stats.rsa.inference import maximum_of_noise
from bidsapp.stats.rsa.order import OrderCheck

NO_GREY = "brain mask: no grey-matter segmentation was found in this space"
"""Where searchlights lie if there is no segmentation; written into the summary."""
TEMPLATE_GREY = "grey matter of the template"
"""First words of the mask if the segmentation is the template's."""
_FEW_ITEMS, _FEW_PARTICIPANTS = 16, 12
_SAFE_BORDER_S = 12.0
_TRIMMED = 1 / 3
"""Share of the volumes above which those left out of longer clips are a reason to doubt."""
_WORDS = {"volume": "voxels", "gifti": "vertices", "cifti": "grayordinates"}


def of_data(study: ParticipantStudy, lights: Neighbourhoods, mask: str) -> Iterator[Caution]:
    """Yield cautions about the BOLD of a participant and its searchlights.

    Parameters
    ----------
    study
        Runs, cleaned BOLD, configuration.
    lights, mask
        Searchlights, and the mask they lie in.
    """
    bold, settings = study.bold, study.settings
    words = _WORDS[bold.units.kind]
    missing, n_units = bold.n_constant + bold.n_nan, bold.units.n_units
    yield from shared.without_data(missing, n_units, bold.units.kind, words)
    yield from shared.raw_bold(study.inputs.runs)
    yield from shared.no_confounds(study.config.confounds)
    yield from shared.freedom(study.inputs.runs, bold.confounds)
    yield from of_mask(mask, study.inputs.runs[0].space)
    few = int(np.sum(lights.sizes < settings.searchlight_count))
    if few and settings.searchlight_radius_mm <= 0:
        text = (
            f"{few} of {lights.n_centres} searchlights have fewer than "
            f"{settings.searchlight_count} {words}: their mask has no more within reach."
        )
        yield Caution("note", "Small searchlights", text)
    yield from shared.of_problems([*study.inputs.problems, *bold.problems, *bold.units.problems])


def of_mask(mask: str, space: str) -> Iterator[Caution]:
    """Yield cautions about where grey matter was taken from.

    Parameters
    ----------
    mask
        From `bidsapp.recipes.rsa.participant.searchlight_mask`.
    space
        Of the runs.
    """
    if mask == NO_GREY:
        text = (
            "No grey-matter segmentation was found in this space: searchlights cover the whole "
            "brain mask, white matter and ventricles included. fMRIPrep writes one for each of "
            f"its --output-spaces; `musicotopy-tools fetch templates {space}` brings that of the "
            "template where TemplateFlow has it."
        )
        yield Caution("caution", "No grey-matter mask", text)
    elif mask.startswith(TEMPLATE_GREY):
        text = (
            f"fMRIPrep's segmentation in {space} is not there; grey matter is that of the "
            "template, the same for every participant."
        )
        yield Caution("note", "Grey matter of the template", text)


def of_items(items: Items, orders: OrderCheck, *, is_tested: bool) -> Iterator[Caution]:
    """Yield cautions about the clips a participant heard: how many, how often, in which order.

    Parameters
    ----------
    items
        Rows of the matrices.
    orders
        Of the clips in the runs.
    is_tested
        Whether clips are permuted.
    """
    for sentence in items.left_out:
        yield Caution("caution", "Clips left out", sentence)
    per_clip, n_clips = items.n_volumes_per_clip, len(items.clips)
    if is_tested or items.tested.all():
        yield from of_lengths(items.n_trimmed, per_clip, n_clips, items.tested)
    if items.n_items < _FEW_ITEMS:
        yield Caution("caution", "Few items", f"Matrices have {items.n_items} rows only.")
    repeats = items.n_repeats
    if repeats.max() == 1:
        yield Caution("caution", "No repeats", "Items are single presentations: noise stays in.")
    elif repeats.min() < repeats.max():
        text = f"Clips were heard {repeats.min()} to {repeats.max()} times and differ in noise."
        yield Caution("caution", "Unequal repeats", text)
    if orders.n_participants > 1 and orders.common:
        text = (
            "The clips came in (nearly) the same order in all runs: drift makes clips alike that "
            "are near in time, and only the permutation of clips allows for it."
        )
        yield Caution("serious", "One order of the clips", text)


def of_lengths(
    n_trimmed: int, per_clip: int, n_clips: int, tested: NDArray[np.bool_]
) -> Iterator[Caution]:
    """Say how many volumes of longer clips are in no test, or in no item where all are tested.

    Parameters
    ----------
    n_trimmed, per_clip
        These volumes, and those that every clip has.
    n_clips
        Clips.
    tested
        (n_items,) items that are tested.
    """
    if not n_trimmed:
        return
    text = (
        f"Clips differ in length: {n_trimmed} volumes of the longer ones are left out, {per_clip} "
        "of each remain."
        if tested.all()
        else f"Clips differ in length: scores are of all volumes, p-values of the {per_clip} that "
        f"every clip has; {n_trimmed} volumes of the longer ones are in no test."
    )
    much = n_trimmed > _TRIMMED * (per_clip * n_clips + n_trimmed)
    yield Caution("caution" if much else "note", "Clips of different length", text)


def of_test(
    own: Mapping[str, Any], n_clips: int, n_permutations: int, wanted: int, level: float
) -> Iterator[Caution]:
    """Yield cautions about the permutation of clips and the pairs that are compared.

    Parameters
    ----------
    own
        Settings of the participant level.
    n_clips
        Clips.
    n_permutations, wanted
        Permutations that were made, and asked for.
    level
        Family-wise level.
    """
    smallest = smallest_p(n_clips, max(wanted, 0))
    orders = f"{n_clips} clips have {n_permutations + 1} orders"
    if not n_permutations:
        yield Caution("serious", "No test", "No permutations were asked for: nothing was tested.")
    elif smallest > level:
        text = f"{orders}: no searchlight can be significant at {level:g}."
        yield Caution("serious", "Too few clips", text)
    elif is_enumerated(n_clips, wanted):
        yield Caution("caution", "Few clips", f"{orders}: no p-value is below {smallest:.2g}.")
    if own["pairs"] == "all":
        text = (
            "Pairs within clips are compared, too: neighbours in time are alike in brain and "
            "sound without any coupling, which raises every score and the noise ceilings."
        )
        yield Caution("serious", "Autocorrelation", text)
    if own["drop_s"] < _SAFE_BORDER_S and n_permutations:
        text = (
            f"Only {own['drop_s']:g} s of each clip are dropped: the response to the clip before "
            "reaches into it, and permutations of clips do not reproduce that."
        )
        yield Caution("caution", "Carry-over between clips", text)


def of_models(
    trained: Iterable[LayerModels], beside: Nuisances, pairs: NDArray[np.bool_]
) -> Iterator[Caution]:
    """Yield cautions about layers and nuisances that cannot be compared.

    Parameters
    ----------
    trained
        Model RDMs of each network.
    beside
        Nuisance RDMs.
    pairs
        (n_pairs,) those that are compared.
    """
    if beside.left_out:
        names = ", ".join(beside.left_out)
        text = f"Constant over the compared pairs, unknown, or the same as another: {names}."
        yield Caution("caution", "Nuisances not removed", text)
    for models in trained:
        network = models.bank.network
        yield from shared.random_weights({network: models.bank.weights})
        empty = [
            layer
            for layer, rdm in zip(models.layers, models.rdms, strict=True)
            if not np.isfinite(rdm[pairs]).all() or np.ptp(rdm[pairs]) == 0
        ]
        yield from _empty(network, empty)


def _empty(network: str, layers: Sequence[str]) -> Iterator[Caution]:
    if layers:
        text = (
            f"{network_title(network)}: activations of {', '.join(layers)} are silent or constant."
        )
        yield Caution("caution", "Layers without a score", text)


def of_acoustics(
    removed: Sequence[str], left_out: Sequence[str], n_clips: int
) -> Iterator[Caution]:
    """Say which acoustic features the test beyond acoustics does not remove.

    Parameters
    ----------
    removed, left_out
        Features that are regressed out of the responses, and those that are not.
    n_clips
        Clips.
    """
    if left_out:
        names = ", ".join(removed)
        kept = (
            f"beside {names} (three clips for each regressor), or they do not vary: beyond "
            f"{names} a searchlight may still resemble a layer by these features alone."
            if names
            else "(three clips for each regressor), or they do not vary: nothing is tested beyond "
            "acoustics, and a searchlight may resemble a layer by these features alone."
        )
        text = f"{n_clips} clips do not allow for {', '.join(left_out)} {kept}"
        yield Caution("caution", "Acoustic features not removed", text)


def of_maximum(
    network: str, n_layers: int, maxima: tuple[float, float], n_participants: int = 0
) -> Caution:
    """Say what the largest of several layers is without any effect.

    Parameters
    ----------
    network, n_layers
        Name, and number of layers.
    maxima
        Mean of the largest score over layers: observed, and with clips permuted (NaN unknown).
    n_participants
        Of a group whose participants' largest scores are tested; 0 for one participant.
    """
    observed, expected = maxima
    name = network_title(network)
    text = f"{name}: the largest score over {n_layers} layers is {observed:.4f} on average"
    if np.isfinite(expected):
        text += f"; with clips permuted, when no layer explains anything, it is {expected:.4f}"
    text += ". A maximum of several scores is above zero without any effect"
    if n_participants:
        noise = maximum_of_noise(n_layers, n_participants, correlation=0.5)
        text += (
            ", and more participants make that more certain: for layers whose scores correlate "
            f"by .5 and {n_participants} participants the expected t is {noise.t:.1f}"
        )
    text += ": judge by the permutation of clips (stat-p_desc-rsafwe)."
    return Caution("serious", "The maximum over layers is biased", text)


def of_participants(study: GroupStudy, mean_lower_ceiling: float) -> Iterator[Caution]:
    """Yield cautions about who takes part, and whether participants agree.

    Parameters
    ----------
    study
        Participants.
    mean_lower_ceiling
        Mean over units of the lower noise ceiling; NaN with one participant.
    """
    inputs = study.inputs
    n = len(inputs.participants)
    if 1 < n < _FEW_PARTICIPANTS:
        text = f"With {n} participants intervals are coarse."
        yield Caution("caution", "Few participants", text)
    yield from shared.few_participants(n, 2)
    yield from shared.left_out(inputs.not_chosen)
    if mean_lower_ceiling <= 0:
        text = (
            "The lower noise ceiling is not above zero on average: participants' dissimilarities "
            "do not agree, and no model can explain them."
        )
        yield Caution("serious", "No agreement of participants", text)
    yield from shared.of_problems(inputs.problems)


def of_design(
    own: Mapping[str, Any], order: OrderCheck, smallest_correlation: float, time_s: float
) -> Iterator[Caution]:
    """Yield cautions about what participants' clips and models have in common.

    Parameters
    ----------
    own
        Settings of the participant level.
    order
        Of the clips, over participants.
    smallest_correlation
        Of a participant's model RDM with the first one's.
    time_s
        Largest difference of participants in the time of an item.
    """
    if order.n_participants > 1 and order.common:
        text = (
            "All participants heard the clips in (nearly) one order: drift makes clips alike that "
            "are near in time, in all of them; only the permutation of clips allows for it."
        )
        yield Caution("serious", "One order of the clips", text)
    if smallest_correlation < 1:
        text = (
            "Model dissimilarities differ between participants, as clips began at other phases of "
            f"the volumes (up to {time_s:.2g} s; smallest correlation {smallest_correlation:.3f})"
            ": their mean was used."
        )
        yield Caution("caution", "Models differ between participants", text)
    if own["dissimilarity"] == "crossnobis":
        text = (
            "Participants were analysed with crossnobis distances, the group with Euclidean "
            "distances: patterns are averaged over repetitions here."
        )
        yield Caution("caution", "Other distances than in participants", text)


def of_group_network(
    network: str, mean: NDArray[np.float64], layers: Sequence[str], *, has_gyrus: bool
) -> Iterator[Caution]:
    """Yield cautions about one network in a group.

    Parameters
    ----------
    network, layers
        Names.
    mean
        (n_layers, n_units) mean scores.
    has_gyrus
        Whether there is a profile along the superior temporal gyrus.
    """
    known = np.asarray(np.isfinite(mean).any(axis=1))
    yield from _empty(network, [layer for layer, ok in zip(layers, known, strict=True) if not ok])
    if not has_gyrus:
        text = (
            f"{network_title(network)}: no profile along the superior temporal gyrus, the space "
            "has no voxels or vertices there or no MNI coordinates."
        )
        yield Caution("note", "No profile of the gyrus", text)
