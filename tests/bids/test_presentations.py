"""Which sound was played when."""

from __future__ import annotations

import pytest

from bidsapp.bids.adapters import adapter_names, load_adapter, recognise
from bidsapp.bids.dataset import open_dataset
from bidsapp.bids.index import find_runs
from bidsapp.bids.presentations import find_presentations
from bidsapp.bids.records import Run
from bidsapp.errors import InputInvalidError, UsageError
from tests.runs import make_run as run_with


def make_run(n_trs: int = 100, tr_s: float = 1.0, **entities: str) -> Run:
    return run_with(entities=entities, n_trs=n_trs, tr_s=tr_s)


@pytest.fixture
def raw(tree):
    dataset = tree("raw")
    dataset.description()
    dataset.text("sub-01/func/x")
    return dataset


def rows(presentations) -> list[tuple]:
    return [
        (item.stim_file, item.onset_s, item.duration_s, item.stim_start_s)
        for item in presentations
    ]


MUSIC = {"sub": "01", "task": "music", "run": "1"}
EVENTS = "sub-01/func/sub-01_task-music_run-1_events.tsv"


class TestEvents:
    def test_stim_file_and_stim_start(self, raw) -> None:
        raw.tsv(
            EVENTS,
            "onset duration trial_type stim_file stim_start",
            "30 10 music b.wav 5",
            "0 20.5 music sub/a.wav n/a",
            "20.5 9.5 silence n/a n/a",
        )
        raw.wav("stimuli/sub/a.wav")
        raw.wav("stimuli/b.wav")
        found, problems = find_presentations(open_dataset(raw.root), [make_run(**MUSIC)])
        assert problems == []
        assert rows(found) == [("sub/a.wav", 0, 20.5, 0), ("b.wav", 30, 10, 5)]
        assert found[0].path == raw.root / "stimuli" / "sub" / "a.wav"
        assert {item.source for item in found} == {"events.tsv"}
        assert {item.run_name for item in found} == {"sub-01_task-music_run-1"}

    def test_derivatives_take_the_events_of_the_raw_data(self, study) -> None:
        raw, prep = study
        raw.tsv("task-music_events.tsv", "onset duration stim_file", "0 10 a.wav")
        raw.tsv(EVENTS, "onset duration stim_file", "4 10 b.wav")
        raw.wav("stimuli/a.wav")
        raw.wav("stimuli/b.wav")
        for folder in (raw.root, prep.root):
            dataset = open_dataset(folder)
            runs, _ = find_runs(dataset, "01", space="fsLR")
            found, problems = find_presentations(dataset, runs)
            assert problems == []
            assert [(item.run_name[-5:], item.stim_file) for item in found] == [
                ("run-1", "b.wav"),
                ("run-2", "a.wav"),
            ]

    def test_one_sound_under_several_spellings_is_one_piece(self, raw) -> None:
        raw.tsv(
            EVENTS,
            "onset duration stim_file",
            "0 5 a/b.wav",
            "5 5 ./a/b.wav",
            "10 5 stimuli/a/b.wav",
            "15 5 a\\b.wav",
        )
        raw.wav("stimuli/a/b.wav")
        found, problems = find_presentations(open_dataset(raw.root), [make_run(**MUSIC)])
        assert {item.piece for item in found} == {"a/b.wav"}
        assert len(found) == 4
        assert problems == []

    @pytest.mark.parametrize(
        "path", ["../secret.wav", "/etc/passwd", "a/../../b.wav", "C:\\x.wav"]
    )
    def test_paths_that_lead_out_are_left_out(self, raw, path) -> None:
        raw.wav("secret.wav")
        raw.tsv(EVENTS, "onset duration stim_file", f"0 5 {path}", "5 5 a.wav")
        raw.wav("stimuli/a.wav")
        found, problems = find_presentations(open_dataset(raw.root), [make_run(**MUSIC)])
        assert [item.stim_file for item in found] == ["a.wav"]
        assert "leads out" in problems[0].what
        assert problems[0].path == raw.root / EVENTS

    def test_missing_sounds_are_told_once(self, raw) -> None:
        lines = [f"{5 * i} 5 piece{i}.wav" for i in range(9)]
        raw.tsv(EVENTS, "onset duration stim_file", *lines)
        found, problems = find_presentations(open_dataset(raw.root), [make_run(**MUSIC)])
        assert [item.path for item in found] == [None] * 9
        assert len(problems) == 1
        assert "9 sounds not found: piece0.wav" in problems[0].what

    def test_sounds_without_content(self, raw) -> None:
        raw.tsv(EVENTS, "onset duration stim_file", "0 5 a.wav", "5 5 b.wav")
        raw.text("stimuli/a.wav")
        (raw.root / "stimuli" / "b.wav").symlink_to("nowhere")
        found, problems = find_presentations(open_dataset(raw.root), [make_run(**MUSIC)])
        assert [item.path for item in found] == [None, None]
        assert sorted(problem.path.name for problem in problems) == ["a.wav", "b.wav"]
        assert all("datalad get" in problem.remedy for problem in problems)

    def test_unusable_rows_are_told(self, raw) -> None:
        raw.tsv(EVENTS, "onset duration stim_file", "n/a 5 a.wav", "zero 5 a.wav", "1 5 a.wav")
        raw.wav("stimuli/a.wav")
        found, problems = find_presentations(open_dataset(raw.root), [make_run(**MUSIC)])
        assert len(found) == 1
        assert "2 presentations without a numeric onset" in problems[0].what

    def test_a_duration_that_is_not_stated(self, raw) -> None:
        raw.tsv(
            EVENTS,
            "onset duration stim_file stim_start",
            "0 n/a a.wav 0",
            "40 0 a.wav 1.5",
            "98 n/a a.wav 0",
            "99 n/a gone.wav 0",
            "200 n/a a.wav 0",
        )
        raw.wav("stimuli/a.wav", seconds=4)
        found, problems = find_presentations(open_dataset(raw.root), [make_run(**MUSIC)])
        assert [item.duration_s for item in found] == [4.0, 2.5, 2.0, 1.0]
        assert len(problems) == 6  # four assumed, one left out, one sound missing

    def test_rows_of_annotations_are_no_presentations(self, raw) -> None:
        raw.tsv(EVENTS, "onset duration stim_file annot", "0 5 a.wav n/a", "0 2 a.wav mood")
        raw.wav("stimuli/a.wav")
        found, _ = find_presentations(open_dataset(raw.root), [make_run(**MUSIC)])
        assert len(found) == 1

    @pytest.mark.parametrize(
        ("content", "what"),
        [
            ("", "0 bytes"),
            ("onset\tstim_file\n0\ta.wav\n", "no column duration"),
            ("onset\tduration\n0\t1\n", "neither stim_file nor stim_id (its columns: onset, dur"),
            ("onset\tduration\tStim_File\n0\t1\ta.wav\n", "nor stim_id (nearly: 'Stim_File')"),
            ("onset\tduration\tstimfile\n0\t1\ta.wav\n", "nor stim_id (nearly: 'stimfile')"),
            ("Onset\tduration\tstim_file\n0\t1\ta.wav\n", "no column onset (nearly: 'Onset')"),
            (None, "no events.tsv"),
        ],
    )
    def test_runs_of_which_nothing_is_known(self, raw, content, what) -> None:
        if content is not None:
            raw.text(EVENTS, content)
        found, problems = find_presentations(open_dataset(raw.root), [make_run(**MUSIC)])
        assert found == []
        assert what in problems[0].what


class TestLookup:
    def test_another_extension_or_folder_if_unique(self, raw) -> None:
        raw.tsv(EVENTS, "onset duration stim_file", "0 5 a.wav", "5 5 b", "9 5 deep/c.mp3")
        raw.wav("stimuli/a.flac")
        raw.wav("stimuli/sub/b.wav")
        raw.wav("stimuli/other/c.wav")
        found, problems = find_presentations(open_dataset(raw.root), [make_run(**MUSIC)])
        assert problems == []
        assert [item.path.name for item in found] == ["a.flac", "b.wav", "c.wav"]
        assert [item.stim_file for item in found] == ["a.wav", "b", "deep/c.mp3"]

    def test_ambiguity_is_told(self, raw) -> None:
        raw.tsv(EVENTS, "onset duration stim_file", "0 5 a.wav", "5 5 pop/a.wav")
        raw.wav("stimuli/pop/a.wav")
        raw.wav("stimuli/rock/a.wav")
        found, problems = find_presentations(open_dataset(raw.root), [make_run(**MUSIC)])
        assert [item.path is None for item in found] == [True, False]
        assert "several sounds match" in problems[0].what
        assert len(problems) == 1

    def test_dots_in_names_are_no_extensions(self, raw) -> None:
        raw.tsv(EVENTS, "onset duration stim_file", "0 5 pop.00001.wav", "5 5 pop.00002")
        raw.wav("stimuli/pop/pop.00001.wav")
        raw.wav("stimuli/pop/pop.00002.wav")
        found, _ = find_presentations(open_dataset(raw.root), [make_run(**MUSIC)])
        assert [item.path.name for item in found] == ["pop.00001.wav", "pop.00002.wav"]

    def test_the_given_folder_comes_first(self, raw, tree) -> None:
        raw.tsv(EVENTS, "onset duration stim_file", "0 5 a.wav", "5 5 b.wav")
        raw.wav("stimuli/a.wav")
        raw.wav("stimuli/b.wav")
        other = tree("sounds")
        other.wav("a.wav")
        found, _ = find_presentations(
            open_dataset(raw.root), [make_run(**MUSIC)], stimuli_dir=other.root
        )
        assert [item.path.parent for item in found] == [other.root, raw.root / "stimuli"]


class TestOverlay:
    @pytest.fixture
    def overlay(self, tree):
        sounds = tree("sounds")
        sounds.wav("a.wav", 4)
        sounds.wav("b.wav", 4)
        return sounds

    def find(self, raw, overlay, *runs: Run):
        return find_presentations(open_dataset(raw.root), runs, stimuli_dir=overlay.root)

    def test_it_comes_before_events(self, raw, overlay) -> None:
        raw.tsv(EVENTS, "onset duration stim_file", "0 5 b.wav")
        overlay.tsv("presentations.tsv", "task onset duration stim_file", "music 3 4 a.wav")
        found, problems = self.find(raw, overlay, make_run(**MUSIC))
        assert problems == []
        assert rows(found) == [("a.wav", 3, 4, 0)]
        assert found[0].source == "presentations.tsv"

    def test_rows_speak_of_tasks_runs_subjects_and_sessions(self, raw, overlay) -> None:
        overlay.wav("a.wav", 1)
        overlay.tsv(
            "presentations.tsv",
            "subject session task run onset duration stim_file",
            "n/a n/a music n/a 0 1 a.wav",
            "n/a n/a music 2 1 1 a.wav",
            "sub-02 n/a task-music n/a 2 1 a.wav",
            "n/a b music n/a 3 1 a.wav",
            "n/a n/a other 1 4 1 a.wav",
        )
        runs = [
            make_run(sub="01", task="music", run="01"),
            make_run(sub="01", task="music", run="02"),
            make_run(sub="02", task="music", run="1"),
            make_run(sub="01", ses="b", task="music", run="1"),
            make_run(sub="01", task="other"),
        ]
        onsets = [[item.onset_s for item in self.find(raw, overlay, run)[0]] for run in runs]
        assert onsets == [[0], [0, 1], [0, 2], [0, 3], [4]]

    def test_runs_it_says_nothing_of_fall_back_to_events(self, raw, overlay) -> None:
        raw.tsv(EVENTS, "onset duration stim_file", "7 1 b.wav")
        overlay.tsv("presentations.tsv", "task onset duration stim_file", "other 3 4 a.wav")
        assert rows(self.find(raw, overlay, make_run(**MUSIC))[0]) == [("b.wav", 7, 1, 0)]

    def test_it_may_lie_in_the_dataset(self, raw) -> None:
        raw.tsv("stimuli/presentations.tsv", "onset duration stim_file", "0 1 a.wav")
        found, _ = find_presentations(open_dataset(raw.root), [make_run(**MUSIC)])
        assert rows(found) == [("a.wav", 0, 1, 0)]

    def test_a_broken_one_is_told(self, raw, overlay) -> None:
        overlay.tsv("presentations.tsv", "task start", "music 3")
        assert (
            "no column onset, stim_file" in self.find(raw, overlay, make_run(**MUSIC))[1][0].what
        )


class TestIdentifiers:
    @pytest.mark.parametrize("key", ["stim_id", "stimulus_id"])
    def test_the_catalogue_resolves_them(self, raw, key) -> None:
        raw.tsv(EVENTS, "onset duration stim_id", "0 5 jazz1", "5 5 n/a", "9 5 stim-jazz2")
        raw.tsv("stimuli/stimuli.tsv", f"{key} stim_file", "stim-jazz1 x/one.wav", "jazz2 two.wav")
        raw.wav("stimuli/x/one.wav")
        raw.wav("stimuli/two.wav")
        found, problems = find_presentations(open_dataset(raw.root), [make_run(**MUSIC)])
        assert problems == []
        assert [item.stim_file for item in found] == ["x/one.wav", "two.wav"]

    def test_file_names_resolve_them(self, raw) -> None:
        raw.tsv(EVENTS, "onset duration stim_id", "0 5 jazz1", "9 5 gone")
        raw.wav("stimuli/stim-jazz1_audio.wav")
        raw.wav("stimuli/stim-jazz10_audio.wav")
        found, problems = find_presentations(open_dataset(raw.root), [make_run(**MUSIC)])
        assert [item.stim_file for item in found] == ["stim-jazz1_audio.wav", "gone"]
        assert "gone" in problems[0].what


class TestAdapters:
    @pytest.mark.parametrize("name", adapter_names())
    def test_every_adapter_says_what_it_stands_on(self, name) -> None:
        adapter = load_adapter(name)
        assert adapter.name == name
        assert len(adapter.source.strip()) > 100
        assert adapter.recognise_names
        assert adapter.played or adapter.events

    def test_fixed_presentations(self, raw, tree) -> None:
        sounds = tree("sounds")
        sounds.wav("happy.flac")
        runs = [make_run(sub="01", task=task) for task in ("happy", "sadln", "sadsh", "rest")]
        found, problems = find_presentations(
            open_dataset(raw.root), runs, stimuli_dir=sounds.root, adapter="ds003085"
        )
        assert rows(found) == [
            ("happy.wav", 0, 168, 0),
            ("sadln.wav", 0, 515, 0),
            ("sadsh.wav", 0, 256, 0),
        ]
        assert found[0].path == sounds.root / "happy.flac"
        assert len(problems) == 1
        assert "2 sounds not found" in problems[0].what

    def test_options_override_numbers(self, raw) -> None:
        found, _ = find_presentations(
            open_dataset(raw.root),
            [make_run(sub="01", task="happy")],
            adapter="ds003085:onset_shift_s=7.5",
        )
        assert rows(found) == [("happy.wav", 7.5, 168, 0)]

    def test_an_overlay_comes_before_the_adapter(self, raw, tree) -> None:
        sounds = tree("sounds")
        sounds.tsv("presentations.tsv", "task onset duration stim_file", "happy 15 168 x.wav")
        found, _ = find_presentations(
            open_dataset(raw.root),
            [make_run(sub="01", task="happy"), make_run(sub="01", task="sadsh")],
            stimuli_dir=sounds.root,
            adapter="ds003085",
        )
        assert [(item.stim_file, item.onset_s) for item in found] == [
            ("x.wav", 15),
            ("sadsh.wav", 0),
        ]

    def test_genres_with_quotes_and_a_dropped_event(self, raw) -> None:
        raw.text(
            "sub-01/func/sub-01_task-Training_run-01_events.tsv",
            "onset\tduration\tgenre\ttrack\tstart\tend\n"
            "0\t15\t'disco'\t9\t4.21\t19.21\n15\t15\t'blues'\t98\t6.46\t21.46",
        )
        run = make_run(sub="01", task="Training", run="01")
        dataset = open_dataset(raw.root)
        found, _ = find_presentations(dataset, [run], adapter="ds003720")
        assert rows(found) == [("blues/blues.00098.wav", 15, 15, 6.46)]
        found, _ = find_presentations(dataset, [run], adapter="ds003720:drop_first=0")
        assert rows(found)[0] == ("disco/disco.00009.wav", 0, 15, 4.21)

    def test_a_delay_column_and_catch_trials(self, raw) -> None:
        raw.tsv(
            "sub-01/func/sub-01_task-auditoryperception_run-01_events.tsv",
            "onset duration stim catch sound_soa",
            "0.01 6 rocknroll_002.wav 0 0.0072",
            "12 6 symphonic_003.wav 1 n/a",
        )
        run = make_run(sub="01", task="auditoryperception", run="01")
        name, dataset = "ds000113-auditoryperception", open_dataset(raw.root)
        found, problems = find_presentations(dataset, [run], adapter=name)
        assert [item.onset_s for item in found] == pytest.approx([0.0172, 12])
        assert any("known to be wrong" in problem.what for problem in problems)
        found, _ = find_presentations(dataset, [run], adapter=f"{name}:drop_where.catch=1")
        assert [item.stim_file for item in found] == ["rocknroll_002.wav"]

    def test_an_adapter_of_one_s_own(self, raw, tree) -> None:
        path = tree("x").text(
            "mine.toml",
            'title = "t"\nsource = "s"\n[events]\nstim_file = "{who}/{n:02d}.ogg"\n',
        )
        raw.tsv(EVENTS, "onset duration who n", "0 5 bach 3", "5 5 n/a 4", "9 5 ../x 5")
        found, problems = find_presentations(
            open_dataset(raw.root), [make_run(**MUSIC)], adapter=str(path)
        )
        assert [item.stim_file for item in found] == ["bach/03.ogg"]
        assert any("leads out" in problem.what for problem in problems)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("ds99", "known are"),
            ("ds003085:speed=2", "unknown option"),
            ("ds003085:onset_shift_s=late", "not a number"),
        ],
    )
    def test_what_does_not_exist(self, text, message) -> None:
        with pytest.raises(UsageError, match=message):
            load_adapter(text)

    def test_a_broken_file(self, tree) -> None:
        path = tree("x").text("bad.toml", "title = 3\n")
        with pytest.raises(InputInvalidError, match=r"bad\.toml"):
            load_adapter(str(path))

    def test_a_column_that_runs_of_another_task_lack(self, raw) -> None:
        raw.tsv(EVENTS, "onset duration stim_file", "0 5 a.wav")
        found, _ = find_presentations(
            open_dataset(raw.root), [make_run(**MUSIC)], adapter="ds003720"
        )
        assert [item.source for item in found] == ["events.tsv"]

    def test_datasets_are_recognised_by_name_and_tasks(self) -> None:
        tasks = {"happy", "sadln", "sadsh", "rest"}
        assert recognise("ds003085-fmriprep", tasks) == ["ds003085"]
        assert recognise("ds003085-fmriprep", {"happy"}) == []
        assert recognise("Another study", tasks) == []
