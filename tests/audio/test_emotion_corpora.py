"""Readers of rated corpora, on files of the published shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bidsapp.audio.emotion_corpora import read_ratings
from bidsapp.errors import InputInvalidError, InputMissingError, UsageError

DYNAMIC = Path("annotations/annotations averaged per song/dynamic (per second annotations)")
STATIC = Path("annotations/annotations averaged per song/song_level")


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"sound")


@pytest.fixture
def deam(tmp_path):
    """Three songs of different lengths, as DEAM's tables have them."""
    for song in (2, 3, 2001):
        touch(tmp_path / "MEMD_audio" / f"{song}.mp3")
    (tmp_path / DYNAMIC).mkdir(parents=True)
    header = "song_id, sample_15000ms,sample_15500ms,sample_16000ms,sample_16500ms\n"
    (tmp_path / DYNAMIC / "valence.csv").write_text(
        header + "2,0.1,0.2,,\n3,-0.1,-0.2,-0.3\n2001,0.5,0.5,0.5,0.5,,,\n"
    )
    (tmp_path / DYNAMIC / "arousal.csv").write_text(
        header + "2,0.3,0.4,0.5,\n3,-0.1,,-0.3,\n2001,0.1,0.1,0.1,0.1\n"
    )
    (tmp_path / STATIC).mkdir(parents=True)
    (tmp_path / STATIC / "static_annotations_averaged_songs_1_2000.csv").write_text(
        "song_id, valence_mean, valence_std, arousal_mean, arousal_std\n"
        "2, 3.1, 0.94, 3, 0.63\n3, 5, 1.2, 6.5, 1.1\n"
    )
    (tmp_path / STATIC / "static_annotations_averaged_songs_2000_2058.csv").write_text(
        "song_id, valence_mean, valence_std, valence_max_mean, valence_max_std, arousal_mean, "
        "arousal_std, arousal_max_mean\n2001, 7, 1, 9, 0, 6, 1.5, 9\n"
    )
    return tmp_path


def test_dynamic_ratings_of_deam(deam):
    corpus = read_ratings(deam, "deam")
    assert [sound.song for sound in corpus.sounds] == ["2", "3", "2001"]
    assert corpus.thresholds == (0.0, 0.0)
    assert corpus.kind == "perceived"
    two, three, long = corpus.sounds
    np.testing.assert_array_equal(two.times_s, [15.0, 15.5])
    np.testing.assert_array_equal(two.arousal, [0.3, 0.4])
    np.testing.assert_array_equal(three.times_s, [15.0, 16.0])
    np.testing.assert_array_equal(three.valence, [-0.1, -0.3])
    assert len(long.valence) == 4
    assert two.path == deam / "MEMD_audio" / "2.mp3"


def test_static_ratings_of_deam_with_stray_spaces(deam):
    corpus = read_ratings(deam, "deam", static=True)
    assert len(corpus.sounds) == 3
    assert corpus.thresholds == (5.0, 5.0)
    first = corpus.sounds[0]
    assert (first.valence.tolist(), first.arousal.tolist()) == ([3.1], [3.0])
    assert first.spread == (0.94, 0.63)
    assert first.n_raters == 10
    wide = corpus.sounds[2]  # the second table of DEAM has columns of maxima in between
    assert (wide.valence[0], wide.arousal[0], wide.spread) == (7.0, 6.0, (1.0, 1.5))
    assert first.times_s.size == 0


def test_absent_sounds_are_counted(deam):
    (deam / "MEMD_audio" / "3.mp3").unlink()
    corpus = read_ratings(deam, "deam")
    assert [sound.song for sound in corpus.sounds] == ["2", "2001"]
    assert "1 of 3 rated sounds are absent" in corpus.notes[0]
    assert corpus.identity() != read_ratings(deam, "deam", static=True).identity()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("song_id,a\n2,1\n", "no columns sample_15000ms"),
        ("id,sample_15000ms\n2,1\n", "lacks the column song_id"),
        ("song_id,sample_15000ms\n2,high\n", "line 2: 'high' is no number"),
        ("song_id,sample_15000ms\n2.5,1\n", "line 2: '2.5' is no number of a song"),
    ],
)
def test_wrong_dynamic_tables_are_refused(deam, text, message):
    (deam / DYNAMIC / "valence.csv").write_text(text)
    with pytest.raises(InputInvalidError, match=message):
        read_ratings(deam, "deam")


def soundtracks(folder: Path) -> None:
    for number in (1, 2):
        touch(folder / "set1" / "set1" / "mp3" / "Soundtrack360_mp3" / f"{number:03d}.mp3")
    for number in (1, 10, 84, 88, 95):
        touch(folder / "Set 2" / f"{number:03d}.mp3")
    (folder / "mean_ratings_set1.csv").write_text(
        "Number,valence,energy,tension,anger,fear,happy,sad,tender,TARGET,Unnamed: 10,\n"
        "1,5.83,2.5,4.1,1,1,3,4,5,TENDER_HIGH,,\n2,4.0,7.5,6.0,1,1,1,1,1,FEAR_HIGH,,\n,,,\n"
    )
    (folder / "mean_ratings_set2.csv").write_text(
        "Number;valence;energy;tension;Beauty;soundtrack\n"
        "1;6;6;3;5;Alien\n10;6;6;3;5;\n84;3;3;3;3;\n88;3;3;3;3;\n95;6;6;3;5;\n"
    )


def test_soundtracks_with_both_sets(tmp_path):
    soundtracks(tmp_path)
    corpus = read_ratings(tmp_path, "soundtracks")
    assert len(corpus.sounds) == 7
    first, other = corpus.sounds[0], corpus.sounds[2]
    assert first.path.parent.name == "Soundtrack360_mp3"
    assert other.path.parent.name == "Set 2"
    assert (first.valence[0], first.arousal[0]) == (5.83, 2.5)
    assert read_ratings(tmp_path, "soundtracks", arousal="tension").sounds[0].arousal[0] == 4.1
    songs = {sound.path.stem: sound.song for sound in corpus.sounds[2:]}
    assert songs["010"] == songs["095"]
    assert songs["084"] == songs["088"]
    assert songs["001"] == "set2 Alien"


def test_an_older_copy_of_soundtracks_says_what_to_do(tmp_path):
    (tmp_path / "mean_ratings_set1.xls").write_bytes(b"old")
    with pytest.raises(InputMissingError, match=r"save mean_ratings_set1\.xls as \.csv"):
        read_ratings(tmp_path, "soundtracks")


def test_any_table(tmp_path):
    for name in ("a.wav", "b.wav"):
        touch(tmp_path / name)
    (tmp_path / "ratings.tsv").write_text(
        "path\tonset\tvalence\tarousal\tkind\tsong\n"
        "a.wav\t6\t2\t3\tfelt\tS\na.wav\t0\t1\t1\tfelt\tS\nb.wav\t0\tn/a\t1\tfelt\t\n"
    )
    corpus = read_ratings(tmp_path, "table")
    assert corpus.kind == "felt"
    a, b = corpus.sounds
    assert (a.times_s.tolist(), a.valence.tolist(), a.song) == ([0.0, 6.0], [1.0, 2.0], "S")
    assert np.isnan(b.valence).all()
    assert b.song == "b.wav"
    assert read_ratings(tmp_path, str(tmp_path / "ratings.tsv")).identity() == corpus.identity()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path\tvalence\na.wav\t1\n", "lacks the column arousal"),
        ("path\tvalence\tarousal\n", "has no rows"),
        ("path\tvalence\tarousal\na.wav\t1\t1\na.wav\t2\t2\n", "line 3: a.wav stands twice"),
        ("path\tvalence\tarousal\tkind\na.wav\t1\t1\timagined\n", "write perceived or felt"),
        ("path\tvalence\tarousal\tvalence_middle\na.wav\t1\t1\t5\nb.wav\t1\t1\t4\n", "one middle"),
    ],
)
def test_wrong_tables_are_refused(tmp_path, text, message):
    touch(tmp_path / "a.wav")
    (tmp_path / "ratings.tsv").write_text(text)
    with pytest.raises(InputInvalidError, match=message):
        read_ratings(tmp_path, "table")


def test_wrong_names_and_empty_folders_are_refused(tmp_path):
    with pytest.raises(UsageError, match="choose deam"):
        read_ratings(tmp_path, "emomusic")
    with pytest.raises(InputMissingError, match="dynamic"):
        read_ratings(tmp_path, "deam")
    with pytest.raises(InputMissingError, match="static_annotations"):
        read_ratings(tmp_path, "deam", static=True)
    with pytest.raises(InputMissingError, match="no such folder"):
        read_ratings(tmp_path / "nothing", "deam")
    (tmp_path / "ratings.tsv").write_text("path\tvalence\tarousal\nx.wav\t1\t1\n")
    with pytest.raises(InputMissingError, match="none of its 1 rated sounds"):
        read_ratings(tmp_path, "table")
