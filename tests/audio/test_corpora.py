from __future__ import annotations

import numpy as np
import pytest

from bidsapp.audio.corpora import READERS, read_corpus
from bidsapp.audio.tag_cleaning import SAME, contradictory, merged, richest_of_each
from bidsapp.errors import InputInvalidError, InputMissingError, UsageError


def write_clips(folder, rows, header="path\ttags\tsplit"):
    folder.mkdir(exist_ok=True)
    (folder / "clips.tsv").write_text("\n".join([header, *rows]) + "\n")
    for row in rows:
        path = folder / row.split("\t")[0]
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(b"sound")


ROWS = ["x/1.wav\tpiano|slow\ttrain", "2.wav\tslow\tvalidation", "3.wav\t\ttest"]


def test_table(tmp_path):
    write_clips(tmp_path, ROWS)
    corpus = read_corpus(tmp_path)
    assert corpus.name == "table"
    assert corpus.tags == ("slow", "piano")
    assert corpus.labels.tolist() == [[True, True], [True, False], [False, False]]
    assert corpus.split.tolist() == ["train", "validation", "test"]
    assert corpus.paths[0] == tmp_path / "x" / "1.wav"
    assert corpus.clips("validation").tolist() == [1]
    assert not corpus.notes
    assert read_corpus(tmp_path, "table", n_tags=1).tags == ("slow",)


def test_what_is_wrong_is_named(tmp_path):
    with pytest.raises(UsageError, match="magnatagatune"):
        read_corpus(tmp_path, "million")
    with pytest.raises(InputMissingError, match=r"clips\.tsv or annotations_final\.csv"):
        read_corpus(tmp_path)
    write_clips(tmp_path, ["1.wav\ta\ttrain", "2.wav\ta\tdev"])
    with pytest.raises(InputInvalidError, match="split 'dev'"):
        read_corpus(tmp_path)
    write_clips(tmp_path, ["1.wav\ta\ttrain"])
    with pytest.raises(InputInvalidError, match="no clip of split validation"):
        read_corpus(tmp_path)
    write_clips(tmp_path, ["1.wav\ttrain"], header="path\tsplit")
    with pytest.raises(InputInvalidError, match="lacks the column tags"):
        read_corpus(tmp_path)
    write_clips(tmp_path, ["1.wav\t\ttrain", "2.wav\t\tvalidation"])
    with pytest.raises(InputInvalidError, match="holds no tags"):
        read_corpus(tmp_path)
    write_clips(tmp_path, ROWS)
    for row in ROWS:
        (tmp_path / row.split("\t")[0]).unlink()
    with pytest.raises(InputMissingError, match="none of its 3 sounds"):
        read_corpus(tmp_path)


def test_songs_in_two_splits_are_counted(tmp_path):
    rows = [f"{row}\t{song}" for row, song in zip(ROWS, ("s", "s", ""), strict=True)]
    write_clips(tmp_path, rows, header="path\ttags\tsplit\tsong")
    assert read_corpus(tmp_path).shared_songs() == 1


def test_identity_does_not_see_the_test_clips(tmp_path):
    identities = []
    for tags in ("slow", "", "slow|piano"):
        write_clips(tmp_path, [*ROWS[:2], f"3.wav\t{tags}\ttest"])
        corpus = read_corpus(tmp_path)
        assert corpus.tags == ("slow", "piano")
        identities.append(corpus.identity())
    assert len(set(identities)) == 1
    write_clips(tmp_path, ["x/1.wav\tslow|piano\ttrain", "2.wav\tslow|piano\tvalidation"])
    assert read_corpus(tmp_path).identity() not in identities


TAGS = ["no vocals", "classical", "clasical", "female", "woman", "silence", "vocals", "drums"]
#        clip, part, tags, artist, album, title
MTT = [
    (2, "0", "classical", "a", "x", "one"),
    (3, "b", "clasical|woman", "a", "x", "one"),
    (5, "c", "female|woman|drums", "b", "y", "two"),
    (6, "d", "no vocals|vocals", "b", "y", "three"),
    (7, "f", "silence", "c", "z", "four"),
    (9, "e", "drums|classical", "c", "z", "five"),
    (11, "a", "drums", "d", "z", "six"),
]


@pytest.fixture
def magnatagatune(tmp_path):
    """Tables in the published form: quoted fields, tabs, tags as 0 and 1."""
    lines = ["\t".join(f'"{name}"' for name in ("clip_id", *TAGS, "mp3_path"))]
    info = ["\t".join(("clip_id", "track_number", "title", "artist", "album", "mp3_path"))]
    for clip, part, tags, artist, album, title in MTT:
        path = f"{part}/{artist}-{title}-0-29.mp3"
        values = [str(int(tag in tags.split("|"))) for tag in TAGS]
        lines.append("\t".join(f'"{value}"' for value in (clip, *values, path)))
        info.append("\t".join((str(clip), "1", title, artist, album, path)))
        (tmp_path / part).mkdir()
        (tmp_path / path).write_bytes(b"" if part == "a" else b"sound")
    (tmp_path / "annotations_final.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "clip_info_final.csv").write_text("\n".join(info) + "\n")
    return tmp_path


def test_magnatagatune_as_published(magnatagatune):
    corpus = read_corpus(magnatagatune, n_tags=3)
    assert corpus.name == "magnatagatune"
    assert corpus.tags == ("drums", "classical", "woman")
    assert corpus.split.tolist() == ["train", "train", "validation", "test", "test", "test"]
    assert corpus.labels[1].tolist() == [False, False, True]
    assert corpus.notes == ("1 of 7 sounds are absent or empty and left out",)
    assert corpus.shared_songs() == 0
    assert len(corpus.paths) == 6


def test_parts_of_the_paper(magnatagatune):
    from bidsapp.audio.corpora import _PARTS

    parts = "".join(_PARTS)
    assert parts == "0123456789abcdef"
    assert [list(_PARTS.values()).count(s) for s in ("train", "validation", "test")] == [12, 1, 3]
    table = magnatagatune / "annotations_final.csv"
    table.write_text(table.read_text().replace("c/b-two", "g/b-two"))
    with pytest.raises(InputInvalidError, match="part 'g'"):
        read_corpus(magnatagatune)


def test_magtag5k_cleans(magnatagatune):
    corpus = read_corpus(magnatagatune, "magtag5k")
    paths = [path.parent.name for path in corpus.paths]
    assert paths == ["b", "c", "e"]
    assert set(corpus.tags) == {"classical", "female vocal", "drum", "no vocal", "vocal"}
    first = dict(zip(corpus.tags, corpus.labels[0], strict=True))
    assert first["classical"]
    assert first["female vocal"]
    (magnatagatune / "clip_info_final.csv").unlink()
    with pytest.raises(InputMissingError, match="cleaned tags need the songs"):
        read_corpus(magnatagatune, "magtag5k")
    assert read_corpus(magnatagatune).songs == ("",) * 6


def test_synonyms_stand_once():
    every = [tag for synonyms in SAME.values() for tag in synonyms]
    assert len(every) == len(set(every))
    assert not set(every) & set(SAME)


def test_cleaning_parts():
    labels = np.array([[1, 0, 1], [1, 1, 0], [0, 0, 0]], dtype=bool)
    names, both = merged(["beat", "beats", "no beat"], labels)
    assert names == ["beat", "no beat"]
    assert both.tolist() == [[True, True], [True, False], [False, False]]
    assert contradictory(["beat", "beats", "no beat"], labels).tolist() == [True, False, False]
    chosen = richest_of_each(["a", "a", "", "b", "a"], np.array([1, 3, 0, 0, 3]))
    assert chosen.tolist() == [False, True, True, True, False]


def test_readers_are_listed():
    assert set(READERS) == {"table", "magnatagatune", "magtag5k"}
