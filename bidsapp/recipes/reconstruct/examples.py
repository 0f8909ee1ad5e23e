"""What was heard, and what was retrieved and generated from brain activity, to listen to.

Examples are the first held-out clips of each genre; they are not chosen by how well they are
identified. The page has players of the first of each genre. Where music was retrieved or
generated, FLAC files of several clips of each genre are written as well, in the folders that
``musicotopy-tools listening-test`` reads, and a listening test that is made of them.

Source: Denk et al. 2025, music retrieval and music reconstruction (section 3.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bidsapp.audio.excerpts import excerpt_flac, excerpt_mp3
from bidsapp.bids.atomic import write_bytes
from bidsapp.features.courses import CourseBank
from bidsapp.recipes.base.study import ParticipantStudy
from bidsapp.recipes.reconstruct import results
from bidsapp.recipes.reconstruct.clips import Clips
from bidsapp.recipes.reconstruct.inputs import refuse_space
from bidsapp.recipes.reconstruct.retrieval import Retrieved, unstandardised
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.recipes.reconstruct.space import Space
from bidsapp.results.write import Output
from bidsapp.stats.identification import row_correlations

if TYPE_CHECKING:
    from bidsapp.audio.generation import Generator

KEY_SUFFIX = "_key.tsv"
_ORIGINALS, _RECONSTRUCTIONS, _TEST = "originals", "reconstructions", "listening"
_N_CANDIDATES = 3
_UNUSUAL = re.compile(r"[^A-Za-z0-9]+")
Row = dict[str, Any]


def open_generator(
    settings: ReconstructSettings, banks: Sequence[CourseBank], device: str
) -> Generator | None:
    """Open the generator, if one is asked for.

    Parameters
    ----------
    settings
        ``generator``, ``generator_steps``.
    banks
        Of the networks, one of which must be the generator's CLAP.
    device
        Torch device.

    Raises
    ------
    UsageError
        No network has the embedding space that the generator was trained on.
    """
    if not settings.generator:
        return None
    from bidsapp.audio.generation import DiffusionGenerator, DiffusionSettings

    options = DiffusionSettings(settings.generator_steps, device=device)
    generator = DiffusionGenerator(Path(settings.generator), options)
    known = {bank.network: bank.weights for bank in banks}
    refuse_space(settings.generator, generator.space, known)
    return generator


def write_examples(
    out: Output,
    study: ParticipantStudy,
    space: Space,
    clips: Clips,
    retrieved: Retrieved | None,
    generator: Generator | None,
) -> None:
    """Write players and, where music was retrieved or generated, sound files.

    Parameters
    ----------
    out
        Writer.
    study
        The participant.
    space
        Predictions.
    clips
        The clips.
    retrieved
        What was retrieved from a corpus.
    generator
        Used where it was trained on this embedding space.

    Raises
    ------
    InputMissingError, InputInvalidError
        A sound of the corpus cannot be read, or nothing can be generated from an embedding.
    """
    settings: ReconstructSettings = study.settings
    network = space.bank.network
    by_genre = chosen_clips(space, clips, settings.n_listening)[: settings.n_players]
    shown = [own[0] for own in by_genre]
    if not shown:
        return
    if generator is not None and space.bank.weights.get("space") != generator.space:
        generator = None
    if not settings.corpus_sounds:
        retrieved = None
    folder = None
    if retrieved is not None or generator is not None:
        folder = out.folder(results.SOUND_FILES, network)
    paths = dict(study.inputs.sounds)
    examples: list[tuple[Row, bytes]] = []
    more = [] if folder is None else [clip for own in by_genre for clip in own]
    for number, clip in enumerate(dict.fromkeys([*shown, *more]), start=1):
        item = clips.clips[clip]
        stem = f"clip{number:02d}-{_UNUSUAL.sub('-', item.name).strip('-')}"
        made: list[tuple[Row, bytes]] = []
        for row, other in candidate_rows(space, clips, clip) if clip in shown else ():
            piece = clips.clips[other]
            sound = excerpt_mp3(paths[piece.piece], piece.start_s, settings.clip_s)
            made.append((row, sound))
        if folder is not None:
            original = excerpt_flac(paths[item.piece], item.start_s, settings.clip_s)
            write_bytes(folder / _ORIGINALS / f"{stem}.flac", original)
        if retrieved is not None and folder is not None:
            made += retrieved_sounds(retrieved, item.name, settings, folder, stem)
        if generator is not None and folder is not None:
            made += generated_sounds(generator, study, space, clip, folder, stem)
        examples += [({"example": number, **row}, x) for row, x in made if clip in shown]
    if folder is not None:
        write_listening_test(folder, study.config.random_seed, settings.generated_s)
    rows, sounds = [row for row, _ in examples], [sound for _, sound in examples]
    out.write(results.EXAMPLES, rows, network=network)
    arrays = {f"sound{k}": np.frombuffer(data, np.uint8) for k, data in enumerate(sounds)}
    out.arrays(results.SOUNDS, arrays, network=network)


def chosen_clips(space: Space, clips: Clips, n: int) -> list[list[int]]:
    """Return the first `n` held-out clips of each genre, or of each sound without genres."""
    first: dict[str, list[int]] = {}
    for clip in np.flatnonzero(space.judge.fold >= 0).tolist():
        first.setdefault(clips.genre[clip] or clips.clips[clip].piece, []).append(clip)
    return [first[key][:n] for key in sorted(first)]


def write_listening_test(folder: Path, seed: int, seconds: float) -> None:
    """Write the page of a listening test and its key beside the sounds it is made of.

    Parameters
    ----------
    folder
        With originals, and reconstructions in one folder per condition; of several samples the
        first is taken. Nothing is written where there are fewer than two originals.
    seed
        Of options and names.
    seconds
        Longest excerpt.
    """
    from bidsapp.audio.listening import Excerpt, make_trials, write_key
    from bidsapp.report.listening import write_listening_page

    originals = {path.stem: Excerpt(path) for path in sorted((folder / _ORIGINALS).iterdir())}
    conditions: dict[str, dict[str, Excerpt]] = {}
    for path in sorted((folder / _RECONSTRUCTIONS).glob("*/*.flac")):
        stem = next(name for name in originals if path.stem.startswith(name))
        conditions.setdefault(path.parent.name, {}).setdefault(stem, Excerpt(path))
    if len(originals) < 2 or not conditions:
        return
    trials = make_trials(originals, conditions, seed=seed)
    title = "Which music does this belong to?"
    write_listening_page(trials, folder / f"{_TEST}.html", title=title, seed=seed, seconds=seconds)
    write_key(trials, folder / f"{_TEST}{KEY_SUFFIX}", seed)


def candidate_rows(space: Space, clips: Clips, clip: int) -> Iterator[tuple[Row, int]]:
    """Yield a clip and the candidates most like its prediction, with their positions."""
    judge = space.judge
    predicted = judge.compared(space.decoded.ensemble)[clip]
    candidates = np.flatnonzero(judge.fold == judge.fold[clip])
    r = row_correlations(predicted[None], judge.compared(judge.target)[candidates])[0]
    best = candidates[np.argsort(-r, kind="stable")[:_N_CANDIDATES]]
    for place, other in enumerate([clip, *best.tolist()]):
        row = {
            "kind": "candidate" if place else "heard",
            "place": place,
            "clip": clips.clips[other].name,
            "genre": clips.genre[other],
            "r": float(r[candidates == other][0]),
        }
        yield row, other


def retrieved_sounds(
    retrieved: Retrieved, clip: str, settings: ReconstructSettings, folder: Path, stem: str
) -> Iterator[tuple[Row, bytes]]:
    """Write the nearest and a random piece of the corpus; yield the row and MP3 of the first."""
    for source, condition in (("decoded", "retrieved"), ("random", "random")):
        nearest = retrieved.first(clip, source)
        if nearest is None:
            continue
        where = Path(settings.corpus_sounds) / nearest["piece"], nearest["start_s"]
        sound = excerpt_flac(*where, retrieved.window_s)
        write_bytes(folder / _RECONSTRUCTIONS / condition / f"{stem}.flac", sound)
        if source == "decoded":
            row = {"kind": condition, "place": 1, "clip": nearest["piece"], "genre": ""}
            yield row | {"r": np.nan}, excerpt_mp3(*where, retrieved.window_s)


def generated_sounds(
    generator: Generator, study: ParticipantStudy, space: Space, clip: int, folder: Path, stem: str
) -> Iterator[tuple[Row, bytes]]:
    """Write what is generated from the decoded embedding; yield rows and MP3."""
    from bidsapp.audio.generation import write_samples

    settings: ReconstructSettings = study.settings
    written = write_samples(
        generator,
        unstandardised(space)[clip],
        generator.space,
        folder / _RECONSTRUCTIONS / "generated",
        stem,
        n_samples=settings.n_generated,
        duration_s=settings.generated_s,
        seed=study.config.random_seed,
        about={"participant": study.inputs.subject, "clip": stem},
    )
    for place, path in enumerate(written, start=1):
        row = {"kind": "generated", "place": place, "clip": f"sample {place}", "genre": ""}
        yield row | {"r": np.nan}, excerpt_mp3(path, 0.0, settings.generated_s)
