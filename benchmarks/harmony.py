"""Benchmarks of the harmonic network; each prints the table that docs/harmony.md quotes.

    python benchmarks/harmony.py bands
    python benchmarks/harmony.py chorales FOLDER --soundfont FILE.sf2
    python benchmarks/harmony.py cost
    python benchmarks/harmony.py notes SOUNDS --model nmp.onnx
    python benchmarks/harmony.py surprise FOLDER

``chorales`` needs music21, tinysoundfont and a General MIDI soundfont: it renders Bach chorales,
and the same chorales with random inner voices or with the bass a tritone higher, at the same
tempo and loudness, and cross-validates on whole chorales. ``--unrelated`` shuffles the labels.
``notes`` compares pitch classes with those of a note model, Basic Pitch (the wheel of basic-pitch
0.4.0 holds ``nmp.onnx``, Apache-2.0; Bittner et al. 2022, ICASSP). ``surprise`` takes the sounds
that ``chorales`` rendered: half of the chorales as they are, the other half altered, then the
other way round, so that no chorale is learned from its own other version.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from bidsapp.audio.networks.harmonic import GRID
from bidsapp.audio.training.emotion import DEFAULT_MODELS, EmotionSettings

RATE = 44_100
SECONDS = 24.0
PROGRAMS = (0, 19, 48, 52, 71)
"""Piano, church organ, strings, choir, clarinet: one for both versions of a chorale."""
TEMPO_BPM = 80.0


def chorale_notes(work, seed: int) -> list[list[tuple[float, float, int]]]:
    """Return the notes (onset s, duration s, MIDI number) of the four voices of a chorale."""
    voices = []
    for part in work.parts[:4]:
        notes = []
        for element in part.flatten().notes:
            pitch = element.pitches[-1].midi
            beats = 60.0 / TEMPO_BPM
            notes.append(
                (float(element.offset) * beats, float(element.quarterLength) * beats, pitch)
            )
        voices.append(notes)
    return voices


def altered(voices, seed: int):
    """Keep the rhythm, with random inner voices (even seeds) or the bass a tritone higher."""
    rng = np.random.default_rng(seed)
    changed = [list(voice) for voice in voices]
    if seed % 2:
        changed[3] = [(onset, length, pitch + 6) for onset, length, pitch in voices[3]]
        return changed
    for number in (1, 2):
        pitches = [pitch for _, _, pitch in voices[number]]
        low, high = min(pitches), max(pitches)
        changed[number] = [
            (onset, length, int(rng.integers(low, high + 1)))
            for onset, length, _ in voices[number]
        ]
    return changed


def render(voices, program: int, soundfont: Path) -> np.ndarray:
    """Play voices through a soundfont for `SECONDS`, at one loudness."""
    import tinysoundfont

    synth = tinysoundfont.Synth(samplerate=RATE)
    synth.program_select(0, synth.sfload(str(soundfont)), 0, program)
    events = []
    for voice in voices:
        for onset, length, pitch in voice:
            events += [(onset, 1, pitch), (onset + 0.97 * length, 0, pitch)]
    events = sorted(event for event in events if event[0] < SECONDS)
    blocks, position = [], 0
    for when, starts, pitch in [*events, (SECONDS, -1, 0)]:
        target = round(when * RATE)
        if target > position:
            block = np.frombuffer(bytes(synth.generate(target - position)), np.float32)
            blocks.append(block.reshape(-1, 2).mean(axis=1))
            position = target
        if starts == 1:
            synth.noteon(0, pitch, 90)
        elif starts == 0:
            synth.noteoff(0, pitch)
    sound = np.concatenate(blocks)
    return 0.05 * sound / np.sqrt(np.mean(sound**2))


def write_chorales(folder: Path, soundfont: Path, n_chorales: int, unrelated: bool) -> None:
    """Render chorales and write ``ratings.tsv``; sounds that are there are kept."""
    from music21 import corpus

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    lines = ["path\tsong\tvalence\tarousal\tkind"]
    number = 0
    for work in corpus.chorales.Iterator():
        if number == n_chorales:
            break
        if len(work.parts) != 4 or work.highestTime * 60 / TEMPO_BPM < SECONDS:
            continue
        names = [f"chorale{number:03d}_{version}.flac" for version in ("asis", "altered")]
        if not all((folder / name).is_file() for name in names):
            voices = chorale_notes(work, number)
            program = PROGRAMS[number % len(PROGRAMS)]
            for name, notes in zip(names, (voices, altered(voices, number)), strict=True):
                soundfile.write(folder / name, render(notes, program, soundfont), RATE)
        signs = rng.permutation([1, -1]) if unrelated else (1, -1)
        lines += [
            f"{n}\tchorale{number:03d}\t{s}\t-1\tperceived"
            for n, s in zip(names, signs, strict=True)
        ]
        number += 1
    (folder / "ratings.tsv").write_text("\n".join(lines) + "\n")
    print(f"{number} chorales, {2 * number} sounds of {SECONDS:g} s")


def chorales(options: argparse.Namespace) -> None:
    """Cross-validate on chorales as they are against altered ones."""
    from bidsapp.audio.training.emotion_run import train_harmony

    write_chorales(options.folder, options.soundfont, options.chorales, options.unrelated)
    out = options.out or options.folder / ("unrelated" if options.unrelated else "related")
    settings = EmotionSettings(
        models=tuple(options.models), epochs=options.epochs, patience=6, n_folds=options.folds
    )
    started = time.monotonic()
    facts = train_harmony(options.folder, "table", out, settings, cache_dir=options.folder)
    print(f"{facts['windows']} windows of {facts['songs']} chorales, {options.folds} folds")
    for row in facts["scores"]:
        print(
            f"{row['model']:12} macro F1 {row['macro_f1']:.3f} [{row['macro_f1_low']:.3f}, "
            f"{row['macro_f1_high']:.3f}] chance {row['chance_macro_f1']:.3f} "
            f"p {row['p_macro_f1']:.4f}"
        )
    for row in facts["comparisons"]:
        if row["measure"] == "macro_f1":
            print(
                f"harmonic - {row['second']:12} {row['difference']:+.3f} "
                f"[{row['difference_low']:+.3f}, {row['difference_high']:+.3f}] p {row['p']:.4f}"
            )
    print(json.dumps({key: facts.get(key) for key in ("brightness", "sanity_checks")}))
    print(f"{time.monotonic() - started:.0f} s")


def bands(options: argparse.Namespace) -> None:
    """Share of harmonic tones that excite the branch of their own pitch class most."""
    import torch

    from bidsapp.audio.networks.mel_db import mel_db
    from bidsapp.models.harmonic.bands import excitation, harmonic_bands, note_hz
    from bidsapp.models.mel_filters import mel_edges

    notes = range(28, 109)
    print("rate\tscale\trule\tlowest\tbands\tall\tfrom E3")
    for rate in (22_050, 44_100):
        for scale in ("htk", "slaney"):
            grid = replace(GRID, sampling_hz=rate, scale=scale)
            spectra = []
            for note in notes:
                time_s = np.arange(rate) / rate
                partials = np.arange(1, min(20, int(grid.highest_hz / note_hz(note))) + 1)
                phases = 2 * np.pi * note_hz(note) * partials[:, None] * time_s
                sound = (np.sin(phases + partials[:, None] ** 2) / partials[:, None]).sum(axis=0)
                levels = mel_db(torch.from_numpy(0.2 * sound.astype(np.float32))[None], grid)
                spectra.append(np.maximum(levels[0].mean(dim=1).numpy(), -80.0))
            centres = mel_edges(grid.n_bands, grid.highest_hz, scale)[1:-1]
            for rule in ("octaves", "harmonics", "all"):
                for lowest in (40, 52, 60):
                    octaves = int(np.log2(centres[-1] / note_hz(lowest + 11))) + 1
                    rows = harmonic_bands(
                        centres, rule=rule, lowest_note=lowest, n_octaves=octaves
                    )
                    winners = excitation(np.array(spectra, np.float64), rows).argmax(axis=1)
                    right = np.array(
                        [w == (n - 69) % 12 for w, n in zip(winners, notes, strict=True)]
                    )
                    high = right[np.array(notes) >= 52]
                    print(
                        f"{rate}\t{scale}\t{rule}\t{lowest}\t{(rows >= 0).sum(axis=1).mean():.1f}"
                        f"\t{right.mean():.2f}\t{high.mean():.2f}"
                    )


def note_levels(model: Path, waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Basic Pitch's probability of each pitch class, A first, and the samples of frames."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    length = int(given.shape[1])
    windows = waveform[: len(waveform) // length * length].reshape(-1, length)
    keys = [
        session.run(["StatefulPartitionedCall:1"], {given.name: window[None, :, None]})[0][0]
        for window in windows.astype(np.float32)
    ]
    starts = length * np.arange(len(keys))[:, None] + 256 * np.arange(keys[0].shape[0])
    kept = starts[0] < length
    levels = np.concatenate([part[kept] for part in keys])  # from A0
    folded = np.stack([levels[:, k::12].max(axis=1) for k in range(12)], axis=1)
    return folded, starts[:, kept].ravel()


def agreement(ours: np.ndarray, theirs: np.ndarray, present: np.ndarray) -> list[float]:
    """Return how often the strongest class is a note, r over classes, F1 of classes above 0."""
    top = np.take_along_axis(present, ours.argmax(axis=1)[:, None], 1).mean()
    x, y = (values - values.mean(axis=1, keepdims=True) for values in (ours, theirs))
    norm = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    r = np.nanmean((x * y).sum(axis=1) / np.where(norm > 0, norm, np.nan))
    f1 = 2 * ((ours > 0) & present).sum() / ((ours > 0).sum() + present.sum())
    return [float(top), float(r), float(f1)]


def notes(options: argparse.Namespace) -> None:
    """Agreement of pitch classes with a note model, beside that of the same transposed."""
    from bidsapp.audio.io import load_audio
    from bidsapp.audio.networks.consonance import describe, pitch_class_sets

    step = round(0.96 * GRID.sampling_hz)
    sounds = [p for p in sorted(options.sounds.iterdir()) if p.suffix in (".flac", ".ogg", ".wav")]
    filters, theirs, sets = [], [], []
    for path in sounds[: options.most]:
        waveform = load_audio(path, GRID.sampling_hz)
        levels, samples = note_levels(options.model, waveform)
        n = int(samples[-1]) // step
        theirs += [levels[samples // step == k].mean(axis=0) for k in range(n)]
        filters.append(describe(waveform[: n * step].reshape(n, step))[:, 2:14])
        sets += pitch_class_sets(path, 0.96)[:n]
    notes_there = np.array(theirs) >= options.least
    known = notes_there.any(axis=1)
    print(f"{len(filters)} sounds, {known.sum()} of {len(known)} windows of .96 s with a note")
    members = np.array(sets)[:, None] >> np.arange(12) & 1
    for name, values in (("filters", np.concatenate(filters)), ("sets", members.astype(float))):
        rows = [
            agreement(
                np.roll(values[known], shift, axis=1), np.array(theirs)[known], notes_there[known]
            )
            for shift in range(12)
        ]
        shown = "top {:.3f}, r {:.3f}, F1 {:.3f}"
        print(f"{name}: {shown.format(*rows[0])}; transposed, mean and best of 11:")
        print(f"  {shown.format(*np.mean(rows[1:], 0))}; {shown.format(*np.max(rows[1:], 0))}")


def surprise(options: argparse.Namespace) -> None:
    """Bits of chorales as they are and altered, each learned from other chorales."""
    from bidsapp.audio.networks.consonance import pitch_class_sets
    from bidsapp.models.pitch_class_sets import surprises

    versions = ("asis", "altered")
    stems = sorted({path.name.partition("_")[0] for path in options.folder.glob("chorale*.flac")})
    sets = {
        (stem, version): pitch_class_sets(options.folder / f"{stem}_{version}.flac", 0.5)
        for stem in stems
        for version in versions
    }
    bits = np.zeros((2, len(stems)))
    for turn in (0, 1):
        chosen = [(k + turn) % 2 for k in range(len(stems))]
        pieces = [sets[stem, versions[k]] for stem, k in zip(stems, chosen, strict=True)]
        bits[chosen, range(len(stems))] = [piece.mean() for piece in surprises(pieces)]
    difference = bits[1] - bits[0]
    drawn = np.random.default_rng(0).choice(difference, (10_000, len(stems))).mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    print(
        f"{len(stems)} chorales: {bits[0].mean():.2f} bits as they are, {bits[1].mean():.2f} "
        f"altered, difference {difference.mean():+.2f} [{low:+.2f}, {high:+.2f}]; higher in "
        f"{(difference > 0).mean():.2f} of them"
    )


def cost(options: argparse.Namespace) -> None:
    """Seconds of one epoch at the size of DEAM: 1,802 excerpts with 30 s rated, 5 windows each."""
    import torch

    from bidsapp.audio.training.emotion import fit_network
    from bidsapp.audio.training.windows import WindowContents
    from bidsapp.stats.song_folds import song_folds

    torch.set_num_threads(options.threads)
    n = 1_802 * 5
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        shape = (n, GRID.n_bands, 259)
        mel = np.lib.format.open_memmap(Path(folder) / "mel.npy", "w+", np.float16, shape)
        for start in range(0, n, 500):
            mel[start : start + 500] = rng.normal(-30, 20, (min(500, n - start), *shape[1:]))
        contents = WindowContents(mel, np.empty((n, 0)))
        classes, songs = rng.integers(0, 4, n), np.repeat(np.arange(1_802), 5)
        fold = song_folds(classes, songs, 10, 0)[0]
        for model in options.models:
            settings = EmotionSettings(models=(model,), epochs=1)
            began = time.process_time()
            row = fit_network(model, classes, contents, fold, settings, seed=0).history[0]
            cpu_s = time.process_time() - began
            words = f"{len(fold.train):,} windows, {options.threads} threads"
            print(f"{model:12} {words}: {row['seconds']:.0f} s, {cpu_s:.0f} s of CPU time")


def main() -> None:
    """Run one of the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__)
    tools = parser.add_subparsers(required=True)
    tools.add_parser("bands").set_defaults(function=bands)
    tool = tools.add_parser("chorales")
    tool.add_argument("folder", type=Path)
    tool.add_argument("--soundfont", type=Path, required=True)
    tool.add_argument("--chorales", type=int, default=120)
    tool.add_argument("--folds", type=int, default=5)
    tool.add_argument("--epochs", type=int, default=30)
    tool.add_argument("--unrelated", action="store_true")
    tool.add_argument("--out", type=Path)
    tool.add_argument(
        "--models",
        nargs="+",
        default=[*DEFAULT_MODELS],
    )
    tool.set_defaults(function=chorales)
    tool = tools.add_parser("notes")
    tool.add_argument("sounds", type=Path)
    tool.add_argument("--model", type=Path, required=True)
    tool.add_argument("--least", type=float, default=0.3, help="probability of a note that sounds")
    tool.add_argument("--most", type=int, default=40, help="sounds")
    tool.set_defaults(function=notes)
    tool = tools.add_parser("surprise")
    tool.add_argument("folder", type=Path)
    tool.set_defaults(function=surprise)
    tool = tools.add_parser("cost")
    tool.add_argument("--threads", type=int, default=2)
    tool.add_argument("--models", nargs="+", default=["harmonic"])
    tool.set_defaults(function=cost)
    options = parser.parse_args()
    options.function(options)


if __name__ == "__main__":
    main()
