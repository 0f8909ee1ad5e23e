"""Eight styles of simulated music: texture, mood and the words a catalogue needs."""

from __future__ import annotations

from dataclasses import dataclass

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
}


@dataclass(frozen=True, slots=True)
class Style:
    """What makes a piece sound like itself.

    Attributes
    ----------
    name, genre, tags, caption
        For the catalogue of stimuli.
    emotion, contrast
        Mood of the piece and of its contrasting sections.
    valence, arousal
        -1 to 1, of the piece as a whole.
    tempo_bpm, beats
        Beats per minute, and beats per bar.
    root
        MIDI number of the tonic.
    scale, other_scale
        Mode of the piece and of its contrasting sections.
    progression
        Scale degrees (0-based) of the chords, one per bar.
    leads, chords, bass
        Timbres: melodies alternate between the leads.
    groove
        Per drum, the sixteenth-of-a-bar steps on which it sounds.
    density
        Melody notes per beat.
    """

    name: str
    genre: str
    tags: tuple[str, ...]
    caption: str
    emotion: str
    contrast: str
    valence: float
    arousal: float
    tempo_bpm: float
    beats: int
    root: int
    scale: str
    other_scale: str
    progression: tuple[int, ...]
    leads: tuple[str, ...]
    chords: str
    bass: str
    groove: dict[str, tuple[int, ...]]
    density: float


STYLES: tuple[Style, ...] = (
    Style(
        name="lullaby", genre="classical", tags=("slow", "bells", "quiet"),
        caption="A slow lullaby on bells and flute over a soft pad.",
        emotion="tenderness", contrast="sadness", valence=0.6, arousal=-0.7,
        tempo_bpm=72, beats=3, root=65, scale="major", other_scale="minor",
        progression=(0, 3, 4, 0, 5, 1, 4, 0), leads=("bell", "flute"), chords="pad", bass="piano",
        groove={}, density=1.0,
    ),
    Style(
        name="dance", genre="electronic", tags=("fast", "synthesizer", "beat", "drums"),
        caption="A fast electronic dance with square-wave melody and four-on-the-floor drums.",
        emotion="joy", contrast="tension", valence=0.7, arousal=0.8,
        tempo_bpm=128, beats=4, root=60, scale="dorian", other_scale="phrygian",
        progression=(0, 5, 2, 6), leads=("square", "pluck"), chords="organ", bass="bass",
        groove={"kick": (0, 4, 8, 12), "snare": (4, 12), "hat": tuple(range(0, 16, 2))},
        density=2.0,
    ),
    Style(
        name="lament", genre="classical", tags=("slow", "strings", "sad"),
        caption="A slow lament of low strings in a minor key.",
        emotion="sadness", contrast="tenderness", valence=-0.7, arousal=-0.5,
        tempo_bpm=58, beats=4, root=50, scale="minor", other_scale="major",
        progression=(0, 5, 3, 4, 0, 3, 6, 4), leads=("strings", "flute"), chords="strings",
        bass="strings", groove={}, density=0.75,
    ),
    Style(
        name="storm", genre="soundtrack", tags=("fast", "brass", "drums", "dark"),
        caption="A threatening orchestral storm with brass, thunder and running strings.",
        emotion="fear", contrast="tension", valence=-0.8, arousal=0.9,
        tempo_bpm=144, beats=4, root=45, scale="phrygian", other_scale="minor",
        progression=(0, 1, 0, 6, 0, 1, 3, 1), leads=("brass", "strings"), chords="brass",
        bass="brass", groove={"rumble": (0, 7, 10), "snare": (2, 6, 11, 14, 15)}, density=2.0,
    ),
    Style(
        name="rag", genre="jazz", tags=("piano", "syncopated", "happy"),
        caption="A syncopated rag for piano and plucked bass with brushes.",
        emotion="joy", contrast="tenderness", valence=0.8, arousal=0.4,
        tempo_bpm=96, beats=4, root=63, scale="major", other_scale="dorian",
        progression=(0, 0, 3, 0, 4, 1, 4, 0), leads=("piano", "pluck"), chords="piano",
        bass="pluck", groove={"hat": (4, 7, 12, 15)}, density=2.0,
    ),
    Style(
        name="drone", genre="ambient", tags=("ambient", "slow", "weird"),
        caption="A floating drone with scattered bells.",
        emotion="calm", contrast="fear", valence=0.1, arousal=-0.9,
        tempo_bpm=50, beats=4, root=48, scale="lydian", other_scale="phrygian",
        progression=(0, 0, 1, 0), leads=("bell", "pad"), chords="pad", bass="organ",
        groove={}, density=0.5,
    ),
    Style(
        name="march", genre="military", tags=("brass", "drums", "loud"),
        caption="A bright march for brass and snare drum.",
        emotion="triumph", contrast="sadness", valence=0.6, arousal=0.7,
        tempo_bpm=112, beats=4, root=58, scale="major", other_scale="minor",
        progression=(0, 4, 0, 3, 0, 1, 4, 0), leads=("brass", "flute"), chords="organ",
        bass="brass", groove={"kick": (0, 8), "snare": (4, 6, 7, 12, 14)}, density=1.5,
    ),
    Style(
        name="funk", genre="funk", tags=("bass", "guitar", "drums", "groove"),
        caption="A funk groove of bass, plucked chords and busy hi-hats.",
        emotion="joy", contrast="calm", valence=0.5, arousal=0.6,
        tempo_bpm=104, beats=4, root=52, scale="dorian", other_scale="minor",
        progression=(0, 3), leads=("pluck", "organ"), chords="pluck", bass="bass",
        groove={"kick": (0, 3, 10), "snare": (4, 12), "hat": tuple(range(16))}, density=1.5,
    ),
)  # fmt: skip
