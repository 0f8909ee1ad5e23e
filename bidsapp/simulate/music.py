"""A composer: the same number and seed give the same piece, sample for sample.

Pieces differ in tempo, register, mode, timbre, density and percussion. Inside a piece phrases of
5 to 10 s switch voices, octave, brightness and loudness, and sections of a few phrases switch
mood, so that what a network hears changes on the time scales of notes, beats, phrases and
sections. That matters for encoding models: the haemodynamic response passes little that is faster
than 10 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bidsapp.simulate import synth
from bidsapp.simulate.styles import SCALES, STYLES, Style

SAMPLING_HZ = 22_050
_PHRASE_S = (4.5, 9.0)
_PHRASES_PER_SECTION = 2
_VOICE_SETS = (
    ("lead", "chords", "bass", "drums"),
    ("lead", "bass"),
    ("chords", "drums"),
    ("lead", "chords"),
    ("lead", "drums", "bass"),
    ("chords", "bass"),
    ("arpeggio", "bass", "drums"),
    ("arpeggio", "chords"),
    ("lead",),
    ("lead", "arpeggio", "chords", "bass", "drums"),
)


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of one mood.

    Attributes
    ----------
    onset_s, duration_s
        In piece time.
    emotion
        Label of the mood.
    contrasting
        Whether the contrasting mode and mood are on.
    """

    onset_s: float
    duration_s: float
    emotion: str
    contrasting: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """A composed piece.

    Attributes
    ----------
    name
        File stem.
    style
        What it is.
    waveform
        (n,) float32, peak 0.9.
    sections
        In order; together they cover the piece.
    """

    name: str
    style: Style
    waveform: synth.Wave
    sections: tuple[Section, ...]

    @property
    def seconds(self) -> float:
        """Length in s."""
        return len(self.waveform) / SAMPLING_HZ


def compose(number: int, seconds: float, seed: int = 0) -> Piece:
    """Compose piece `number` (0, 1, …); the styles repeat after eight with other notes.

    Parameters
    ----------
    number
        Which piece.
    seconds
        Its length.
    seed
        Seed of the whole collection.

    Returns
    -------
    Piece
        Waveform at 22 050 Hz and its sections.
    """
    rng = np.random.default_rng([seed, number])
    style = STYLES[number % len(STYLES)]
    track = np.zeros(round(seconds * SAMPLING_HZ), dtype=np.float32)
    sections = []
    phrases = _phrase_lengths(style, seconds, rng)
    starts = np.concatenate([[0.0], np.cumsum(phrases)])
    for index, (start, length) in enumerate(zip(starts, phrases, strict=False)):
        section, inner = divmod(index, _PHRASES_PER_SECTION)
        contrasting = section % 2 == 1
        if inner == 0:
            end = starts[min(index + _PHRASES_PER_SECTION, len(phrases))]
            emotion = style.contrast if contrasting else style.emotion
            sections.append(Section(float(start), float(end - start), emotion, contrasting))
        _play_phrase(track, style, float(start), float(length), contrasting, rng)
    track *= _swell(len(track), rng)
    track *= 0.9 / max(float(np.abs(track).max()), 1e-9)
    suffix = "" if number < len(STYLES) else str(number // len(STYLES) + 1)
    return Piece(style.name + suffix, style, track, tuple(sections))


def write_piece(piece: Piece, folder: Path) -> Path:
    """Write `piece` as 16-bit FLAC into `folder` and return the file."""
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{piece.name}.flac"
    soundfile.write(path, piece.waveform, SAMPLING_HZ, subtype="PCM_16")
    return path


def write_pieces(
    folder: Path, lengths_s: Sequence[float], seed: int
) -> tuple[list[Piece], list[tuple[str, Path]]]:
    """Compose pieces of some lengths into a folder.

    Parameters
    ----------
    folder
        For the sounds.
    lengths_s
        Length of each piece.
    seed
        Of the collection.

    Returns
    -------
    pieces, stimuli
        The pieces, and (stim_file, path) of each, sorted by name.
    """
    composed = (compose(number, seconds, seed) for number, seconds in enumerate(lengths_s))
    pieces = sorted(composed, key=lambda piece: piece.name)
    paths = [write_piece(piece, folder) for piece in pieces]
    return pieces, [(path.name, path) for path in paths]


def _phrase_lengths(style: Style, seconds: float, rng: np.random.Generator) -> list[float]:
    bar_s = 60.0 / style.tempo_bpm * style.beats
    lengths: list[float] = []
    while sum(lengths) < seconds - 1e-6:
        bars = max(1, round(rng.uniform(*_PHRASE_S) / bar_s))
        lengths.append(min(bars * bar_s, seconds - sum(lengths)))
    return lengths


def _swell(n_samples: int, rng: np.random.Generator) -> synth.Wave:
    """Slow changes of loudness (periods of 12 to 45 s), 0.4 to 1."""
    time = np.arange(n_samples) / SAMPLING_HZ
    rates = 1.0 / rng.uniform(12.0, 45.0, size=3)
    waves = np.sin(2 * np.pi * (rates[:, None] * time + rng.uniform(size=(3, 1))))
    return np.asarray(0.7 + 0.1 * waves.sum(axis=0), dtype=np.float32)


def _play_phrase(
    track: synth.Wave,
    style: Style,
    start_s: float,
    length_s: float,
    contrasting: bool,
    rng: np.random.Generator,
) -> None:
    """Add one phrase to `track` in place."""
    voices = _VOICE_SETS[rng.integers(len(_VOICE_SETS))]
    scale = SCALES[style.other_scale if contrasting else style.scale]
    octave = 12 * int(rng.integers(-1, 2))
    first = int(start_s * SAMPLING_HZ)
    scratch = np.zeros(min(int((length_s + 1.0) * SAMPLING_HZ), len(track) - first), np.float32)
    bar_s = 60.0 / style.tempo_bpm * style.beats
    shift = int(rng.integers(len(style.progression)))
    for bar in range(max(1, int(np.ceil(length_s / bar_s - 1e-6)))):
        degree = style.progression[(bar + shift) % len(style.progression)]
        for voice in voices:
            notes = _VOICES[voice](style, degree, rng)
            _play_notes(scratch, notes, style, scale, octave, bar * bar_s, bar_s, rng)
    if rng.uniform() < 0.5:
        scratch = synth.darken(scratch, float(rng.uniform(300, 1500)), SAMPLING_HZ)
    track[first : first + len(scratch)] += float(rng.uniform(0.35, 1.0)) * scratch


# A note of a bar: (instrument, scale step from the tonic or None, start and length in bars,
# gain, semitones of transposition)
_Note = tuple[str, int | None, float, float, float, int]


def _play_notes(
    scratch: synth.Wave,
    notes: list[_Note],
    style: Style,
    scale: tuple[int, ...],
    octave: int,
    bar_start_s: float,
    bar_s: float,
    rng: np.random.Generator,
) -> None:
    for instrument, step, start, length, gain, transpose in notes:
        at = bar_start_s + start * bar_s
        if step is None:
            wave = synth.DRUMS[instrument](SAMPLING_HZ, rng)
        else:
            turns, place = divmod(step, len(scale))
            midi = style.root + 12 * turns + scale[place] + transpose
            midi += octave if transpose >= 0 else 0
            wave = synth.pitched(synth.TIMBRES[instrument], midi, length * bar_s, SAMPLING_HZ, rng)
        synth.mix(scratch, wave, at, SAMPLING_HZ, gain)


def _lead(style: Style, degree: int, rng: np.random.Generator) -> list[_Note]:
    """Walk at random on the scale, starting on a chord tone."""
    n_notes = max(1, int(style.density * style.beats))
    instrument = style.leads[int(rng.integers(len(style.leads)))]
    step = degree + int(rng.choice((0, 2, 4)))
    notes: list[_Note] = []
    for index in range(n_notes):
        if rng.uniform() < 0.85:
            notes.append((instrument, step + 7, index / n_notes, 0.95 / n_notes, 0.5, 0))
        step += int(rng.choice((-2, -1, -1, 1, 1, 2)))
    return notes


def _chords(style: Style, degree: int, rng: np.random.Generator) -> list[_Note]:
    """Hold a triad, or strike it on each beat."""
    strikes = 1 if synth.TIMBRES[style.chords].attack_s > 0.1 else style.beats
    return [
        (style.chords, degree + tone, hit / strikes, 0.9 / strikes, 0.22, 0)
        for hit in range(strikes)
        for tone in (0, 2, 4)
    ]


def _bass(style: Style, degree: int, rng: np.random.Generator) -> list[_Note]:
    """Root and fifth, an octave or two below."""
    return [(style.bass, degree + tone, at, 0.45, 0.5, -12) for tone, at in ((0, 0.0), (4, 0.5))]


def _arpeggio(style: Style, degree: int, rng: np.random.Generator) -> list[_Note]:
    """Broken chords, four notes to the beat."""
    steps = 4 * style.beats
    instrument = style.leads[-1]
    return [
        (instrument, degree + (0, 2, 4, 7)[index % 4] + 7, index / steps, 1.2 / steps, 0.3, 0)
        for index in range(steps)
    ]


def _drums(style: Style, degree: int, rng: np.random.Generator) -> list[_Note]:
    """Play the groove of the style, or a soft heartbeat where it has none."""
    if not style.groove:
        return [("kick", None, 0.0, 0.1, 0.25, 0)]
    return [
        (drum, None, step / 16, 0.1, 0.6 * float(rng.uniform(0.7, 1.0)), 0)
        for drum, steps in style.groove.items()
        for step in steps
    ]


_VOICES = {
    "lead": _lead,
    "chords": _chords,
    "bass": _bass,
    "arpeggio": _arpeggio,
    "drums": _drums,
}
