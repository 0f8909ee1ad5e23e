"""Whether the inputs of one job can serve its settings, before anything is computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bidsapp.bids.records import Run
from bidsapp.config import Config
from bidsapp.engine.plan import Job
from bidsapp.errors import AppError, UsageError
from bidsapp.recipes.base.inputs import Inputs

if TYPE_CHECKING:
    from bidsapp.audio.networks import Choice


def job_error(job: Job, config: Config, networks: NetworkChecks) -> AppError | None:
    """Return why a participant's job cannot be done, as far as its inputs tell; None if it can.

    Parameters
    ----------
    job, config
        What is to be done.
    networks
        What is known of networks; shared by the jobs of a plan.
    """
    if job.level != "participant":
        return None
    try:
        for name in getattr(job.settings, "networks", ()):
            networks.refuse(name, job)
        _refuse_images(job, config)
    except AppError as error:
        return error
    return None


def _refuse_images(job: Job, config: Config) -> None:
    """Refuse runs whose confounds, mesh or atlas cannot serve the options."""
    from bidsapp.brain.confound_columns import refuse_confounds
    from bidsapp.brain.meshes import refuse_unknown_mesh

    runs: Sequence[Run] = getattr(job.inputs, "runs", ())
    for run in runs:
        if config.smoothing_fwhm_mm and run.kind != "volume":
            what = f"--smoothing-fwhm-mm is for volumes, the runs are {run.kind}"
            msg = f"{what}; smooth them beforehand or leave it out."
            raise UsageError(msg)
        refuse_confounds(run, config.confounds)
    if not runs:
        return
    if config.atlas is not None:
        from bidsapp.bids.templateflow import atlas_name

        if atlas_name(config.atlas) is None:
            from bidsapp.brain.atlas import refuse_atlas

            refuse_atlas(config.atlas, runs[0].kind)
        else:
            from bidsapp.brain.named_atlas import refuse_absent_atlas

            refuse_absent_atlas(config.atlas, runs[0])
    elif hasattr(job.settings, "n_parcels"):
        refuse_unknown_mesh(runs[0])


def named_files(settings: Any) -> tuple[Path, ...]:
    """Return the files that settings name, and those in the folders they name, sorted.

    Parameters
    ----------
    settings
        Of a recipe. Text names a file or folder that exists where it is free, that is empty by
        default; other text is a choice, whatever lies in the working directory.
    """
    free = [item.name for item in dataclasses.fields(settings) if item.default == ""]
    paths = [Path(text) for name in free if (text := getattr(settings, name))]
    inside = (path.rglob("*") if path.is_dir() else [path] for path in paths)
    return tuple(sorted({path for some in inside for path in some if path.is_file()}))


class NetworkChecks:
    """What is known of networks and their parameters; each is looked at once.

    Parameters
    ----------
    config
        ``--weights``, ``--weights-dir`` and the seed.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._known: dict[str, Path | AppError | None] = {}
        self._features: dict[str, Any] = {}

    def refuse(self, name: str, job: Job) -> None:
        """Refuse a network that cannot be built, or that has no features of the job's sounds.

        Raises
        ------
        AppError
            The message names the file.
        """
        if name not in self._known:
            try:
                self._known[name] = self._look(name)
            except AppError as error:
                self._known[name] = error
        known = self._known[name]
        if isinstance(known, AppError):
            raise known
        if name in self._features:
            self._refuse_sounds(name, job)

    def files(self, names: Iterable[str]) -> tuple[Path, ...]:
        """Return the files of parameters of networks, sorted."""
        paths = (path for name in names if isinstance(path := self._known.get(name), Path))
        files = {file for path in paths for file in (path.iterdir() if path.is_dir() else [path])}
        return tuple(sorted(files))

    def _look(self, name: str) -> Path | None:
        """Return the file of a network's parameters, or None if it has none of that kind."""
        from bidsapp.audio.networks import (
            FAMILIES,
            NETWORKS,
            Choice,
            network_entry,
            network_weights,
            refuse_without_package,
        )
        from bidsapp.audio.networks.weight_files import refuse_damaged

        entry = network_entry(name)
        refuse_without_package(name)
        wish = network_weights(name, self._config.weights)
        choice = Choice(name, wish, self._config.weights_dir, self._config.random_seed, 0.48)
        if entry is FAMILIES["features"]:
            from bidsapp.audio.feature_tables import read_features

            self._features[name] = read_features(choice.path)
            return None
        if entry is FAMILIES["onnx"]:
            entry.build(choice)
            return choice.path
        if not entry.weight_files or choice.is_random:
            return None
        path = choice.file()
        if path.is_file():
            refuse_damaged(path)
            if entry in NETWORKS.values() and _is_own_file(choice, entry.weight_files):
                entry.build(choice)
        return path

    def _refuse_sounds(self, name: str, job: Job) -> None:
        """Refuse a table of features that lacks a sound, or a moment of it that is asked for."""
        from bidsapp.audio.feature_tables import features_of, sampling_of
        from bidsapp.audio.networks import network_label
        from bidsapp.features.sampling import refuse_beyond
        from bidsapp.features.timeline import asked_times

        sounds, inputs = self._features[name], job.inputs
        if not isinstance(inputs, Inputs):
            return
        path = Path(name.partition(":")[2])
        for piece, _ in inputs.sounds:
            features_of(path, sounds, piece)
        hop_s, window_s = sampling_of(sounds)
        lag_sets = [getattr(job.settings, key, ()) for key in ("lags_s", "control_lags_s")]
        durations_s = {row["stim_file"]: float(row["sound_s"]) for row in inputs.alignment}
        for lags_s in filter(None, lag_sets):
            asked = asked_times(inputs.runs, inputs.presentations, lags_s, durations_s)
            for piece, times_s in asked.items():
                frames_s = features_of(path, sounds, piece).times_s
                what = f"{network_label(name)}, {piece}"
                refuse_beyond(frames_s, times_s, window_s + hop_s, what)


def _is_own_file(choice: Choice, known: Iterable[str]) -> bool:
    """Whether ``--weights`` names a file of the user's, which may belong to another network."""
    wish = choice.weights.partition(":")
    return not {choice.weights, wish[2] or wish[0]} & {*known, "permuted"}
