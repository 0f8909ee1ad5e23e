"""Players: what they hold, and that the line in a picture is where the sound is."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib.figure import Figure

from bidsapp.audio.excerpts import excerpt_mp3
from bidsapp.report.html import Page, Section, picture, render
from bidsapp.report.sounds import player, timed_sound
from tests.report.browser import check_page, needs_chromium


def figure() -> Figure:
    """Two panels over 2 to 12 s, a colour bar beside the second."""
    made = Figure((6.0, 3.0), layout="constrained")
    top, bottom = made.subplots(2, 1, sharex=True)
    top.plot([2, 12], [0, 1e6])
    image = bottom.imshow(np.eye(2), extent=(2, 12, 0, 1), aspect="auto")
    made.colorbar(image, ax=bottom)
    top.set_xlim(2, 12)
    return made


@pytest.fixture(scope="module")
def mp3(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sound") / "a.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(22_050 * 12), 22_050)
    return excerpt_mp3(path, 0.0, 12.0, compact=True)


def test_the_axis_of_the_sound_is_that_of_the_figure(mp3: bytes) -> None:
    made = figure()
    sound = timed_sound(made, mp3, "noise")
    assert (sound.start_s, sound.stop_s) == (2.0, 12.0)
    width = made.bbox.width
    for axes in made.axes[:2]:  # both panels: the colour bar makes both narrower
        left, right = (axes.transData.transform((t, 0))[0] / width for t in (2, 12))
        assert left == pytest.approx(sound.left, abs=1e-3)
        assert right == pytest.approx(sound.right, abs=1e-3)
    assert 0 < sound.left < sound.right < 0.95


def test_a_player_holds_its_sound_and_its_name(mp3: bytes) -> None:
    markup = str(player(mp3, 'a "quoted" <name>', width="13em"))
    assert base64.b64decode(re.search(r"base64,([^\"]+)", markup)[1]) == mp3
    assert "<name>" not in markup
    assert "controls" in markup


def test_pictures_without_a_sound_have_no_player(mp3: bytes) -> None:
    def shown(sound: bytes | None) -> str:
        part = picture(figure(), alt="alt", caption="caption", mp3=sound)
        return render(Page("title", "subtitle", sections=[Section("one", "one", [part])]))

    assert shown(mp3).count("<audio") == 1
    assert "<audio" not in shown(None)
    assert "picture timed" not in shown(None)


@pytest.mark.parametrize("time_s", [2.0, 7.0, 12.5])
class TestInABrowser:
    pytestmark = needs_chromium

    def test_the_line_follows_the_player(self, mp3: bytes, tmp_path: Path, time_s: float) -> None:
        part = picture(figure(), alt="alt", caption="caption", mp3=mp3)
        page = tmp_path / "page.html"
        page.write_text(
            render(Page("title", "subtitle", sections=[Section("one", "one", [part])]))
        )
        script = f"""
        const audio = document.querySelector("audio");
        Object.defineProperty(audio, "currentTime", {{ value: {time_s} }});
        audio.dispatchEvent(new Event("timeupdate"));
        const line = document.querySelector(".now");
        const box = document.querySelector(".timed img").getBoundingClientRect();
        seen.hidden = line.hidden;
        seen.share = line.hidden ? 0 : (line.getBoundingClientRect().left - box.left) / box.width;
        """
        seen = check_page(page, tmp_path, script)
        sound = part.sound
        assert sound is not None
        assert seen["hidden"] == (time_s > 12)
        if not seen["hidden"]:
            expected = sound.left + (time_s - 2) / 10 * (sound.right - sound.left)
            assert seen["share"] == pytest.approx(expected, abs=0.003)
