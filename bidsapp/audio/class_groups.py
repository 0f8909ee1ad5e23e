"""Groups of the classes that networks tell: genres, instruments and moods.

Of AudioSet the groups are those of the paper; of the tags of MagnaTagATune and of the Million Song
Dataset they are ours, in the same spirit: tags of voices, eras and tempo without a mood are left
out.

Source: Denk et al. 2025, AudioSet class groups (appendix A.1.6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

GENRES, INSTRUMENTS, MOODS = "genres", "instruments", "moods"
TOP_N: Mapping[str, int] = MappingProxyType({GENRES: 2, INSTRUMENTS: 2, MOODS: 1})
"""How many of the most probable classes of a group are compared."""

_AUDIOSET = {
    GENRES: "Pop music; Hip hop music; Rock music; Rhythm and blues; Soul music; Reggae; Country; "
    "Funk; Folk music; Middle Eastern music; Jazz; Disco; Classical music; Electronic music; "
    "Music of Latin America; Blues; Music for children; New-age music; Vocal music; "
    "Music of Africa; Christian music; Music of Asia; Ska; Traditional music; Independent music",
    INSTRUMENTS: "Plucked string instrument; Keyboard (musical); Percussion; Orchestra; "
    "Brass instrument; Bowed string instrument; Wind instrument, woodwind instrument; Harp; "
    "Choir; Bell; Harmonica; Accordion; Bagpipes; Didgeridoo; Shofar; Theremin; Singing bowl; "
    "Scratching (performance technique)",
    MOODS: "Happy music; Sad music; Tender music; Exciting music; Angry music; Scary music",
}
_TAGS = {
    GENRES: "classical; techno; electronic; rock; ambient; indian; opera; pop; new age; dance; "
    "country; metal; alternative; indie; alternative rock; jazz; classic rock; soul; indie rock; "
    "electronica; folk; punk; blues; hard rock; experimental; Hip-Hop; funk; electro; "
    "heavy metal; Progressive rock; rnb; indie pop; House",
    INSTRUMENTS: "guitar; strings; drums; piano; violin; synth; harpsichord; flute; sitar; choir; "
    "harp; cello; acoustic",
    MOODS: "loud; quiet; soft; weird; beautiful; chillout; Mellow; chill; party; easy listening; "
    "sexy; catchy; sad; happy",
}


@dataclass(frozen=True)
class ClassGroup:
    """Classes of one network that are compared with each other.

    Attributes
    ----------
    name
        ``genres``, ``instruments`` or ``moods``.
    columns
        Their positions among the network's classes.
    n
        How many of the most probable are compared.
    """

    name: str
    columns: tuple[int, ...]
    n: int


def class_groups(classes: Sequence[str]) -> list[ClassGroup]:
    """Find the groups among the classes of a network.

    Parameters
    ----------
    classes
        Their names, in the order of the network's output.

    Returns
    -------
    list
        Groups of which the network has more classes than are compared; none for classes of
        another vocabulary.
    """
    found = []
    for name, n in TOP_N.items():
        known = {
            item.strip() for text in (_AUDIOSET[name], _TAGS[name]) for item in text.split(";")
        }
        columns = tuple(k for k, item in enumerate(classes) if item in known)
        if len(columns) > n:
            found.append(ClassGroup(name, columns, n))
    return found
