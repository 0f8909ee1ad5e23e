"""The group report in a real browser: it draws, turns, answers, and fetches nothing."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from bidsapp.report.group import group_report
from bidsapp.report.group.cortex import largest
from bidsapp.report.group.results import load_group

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--enable-logging=stderr", "--window-size=1200,3000"),
)
SOFTWARE_GL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
NO_GL = ("--disable-gpu", "--disable-3d-apis")
#: runs after the page's own scripts; what it saw is left in the document
PROBE = """<script>
addEventListener("load", () => {
  const root = document.getElementById("cortex");
  const canvas = root.querySelector(".cortex-stage canvas");
  const seen = { state: root.dataset.state };
  seen.message = root.querySelector(".cortex-message").textContent;
  const images = [...document.images];
  seen.images = images.length;
  seen.decoded = images.filter((image) => image.complete && image.naturalWidth >= 100).length;
  const free = [...document.querySelectorAll("main *")].filter(
    (item) => !item.closest(".table, .listing"));
  seen.overflowing = free.filter((item) =>
    item.getBoundingClientRect().right > innerWidth + 1).length;
  if (seen.state === "ready") {
    const radios = [...root.querySelectorAll("input[name=cortex-map]")];
    const titled = (text) => radios.find(
      (radio) => radio.parentElement.textContent.trim() === text);
    const picture = () => canvas.toDataURL(); // right after drawing, in the same task
    const press = (selector) => { root.querySelector(selector).click(); return picture(); };
    const pointer = (kind, x, y) => {
      const box = canvas.getBoundingClientRect();
      canvas.dispatchEvent(new PointerEvent(kind, { clientX: box.left + x * box.width,
        clientY: box.top + y * box.height, bubbles: true, pointerId: 1 }));
    };
    const pictures = {};
    pictures.start = press("[data-view=lateral]");
    pictures.again = press("[data-view=lateral]");
    pictures.medial = press("[data-view=medial]");
    press("[data-view=lateral]");
    titled("Best layer").click();
    pictures.best = picture();
    seen.map = root.dataset.map;
    seen.label = canvas.getAttribute("aria-label");
    pointer("pointermove", 0.25, 0.5);
    seen.hovered = root.querySelector(".cortex-value").textContent;
    seen.value = Number(root.dataset.value);
    pointer("pointermove", 0.01, 0.01);
    seen.outside = root.querySelector(".cortex-value").textContent.trim();
    titled("Largest mean r over layers").click();
    root.querySelector("[data-peak]").click();
    seen.peak = Number(root.dataset.value);
    seen.profile = !root.querySelector(".cortex-profile").hidden;
    seen.profileLabel = root.querySelector(".cortex-profile svg").getAttribute("aria-label");
    titled("Components 1 to 3 as red, green, blue").click();
    pictures.rgb = press("[data-view=lateral]");
    pointer("pointerdown", 0.25, 0.5);
    pointer("pointermove", 0.45, 0.5);
    pictures.dragged = picture();
    pointer("pointerup", 0.45, 0.5);
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp", bubbles: true }));
    pictures.key = picture();
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "Home", bubbles: true }));
    pictures.home = picture();
    const names = Object.keys(pictures);
    seen.pictures = Object.fromEntries(names.map((name) =>
      [name, names.find((other) => pictures[other] === pictures[name])]));
    const pixels = document.createElement("canvas").getContext("2d");
    pixels.canvas.width = canvas.width; pixels.canvas.height = canvas.height;
    titled("Best layer").click();
    pixels.drawImage(canvas, 0, 0);
    const { data } = pixels.getImageData(0, 0, canvas.width, canvas.height);
    const colours = new Set();
    for (let i = 0; i < data.length; i += 4) colours.add(data.slice(i, i + 3).join());
    seen.colours = colours.size;
  }
  document.documentElement.dataset.seen = JSON.stringify(seen);
});
</script></body>"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


def browse(page: Path, profile: Path, *flags: str) -> tuple[dict[str, Any], list[str]]:
    """Open a page; return what its probe saw and the lines of the console."""
    done = subprocess.run(
        [CHROMIUM, *FLAGS, *flags, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=180, check=True,
    )  # fmt: skip
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    match = re.search(r'data-seen="([^"]+)"', done.stdout)
    assert match, f"the page's scripts did not run to the end: {console}"
    return json.loads(html.unescape(match[1])), console


@pytest.fixture(scope="module")
def probed(analysed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = group_report(analysed).read_text(encoding="utf-8")
    page = tmp_path_factory.mktemp("browser") / "probed.html"
    page.write_text(source.replace("</body>", PROBE), encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def seen(probed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found, console = browse(probed, tmp_path_factory.mktemp("profile"), *SOFTWARE_GL)
    assert not console
    return found


def test_it_is_drawn_whole_and_offline(seen: dict[str, Any]) -> None:
    # the page forbids itself to fetch anything: a try would stand in the console
    assert seen["state"] == "ready"
    assert seen["images"] == seen["decoded"] >= 12
    assert seen["overflowing"] == 0


def test_clicks_drags_and_keys_change_the_picture(seen: dict[str, Any]) -> None:
    first_equal = seen["pictures"]
    assert first_equal.pop("again") == "start"  # a picture depends on what is shown, only
    assert first_equal.pop("home") == "rgb"
    assert all(first == name for name, first in first_equal.items()), first_equal


def test_another_map_is_told_and_labels_are_not_mixed(seen: dict[str, Any]) -> None:
    assert seen["map"] == "1"
    assert seen["label"] == "Both hemispheres, lateral: VGGish, positive lags, Best layer"
    assert seen["value"] in range(1, 25)
    assert seen["hovered"].startswith(f"{seen['value']:.0f} ")
    assert "left hemisphere, vertex" in seen["hovered"]
    assert seen["outside"] == ""
    assert seen["colours"] > 200


def test_the_largest_value_is_that_of_the_files(seen: dict[str, Any], analysed: Path) -> None:
    (_, model), *_ = load_group(analysed).models()
    scores = model.scores("positive")
    assert scores is not None
    expected = float(np.nanmax(largest(scores.values)))
    assert seen["peak"] == pytest.approx(expected, abs=1e-4)
    assert seen["profile"]
    assert "24 layers" in seen["profileLabel"]
    assert f"{expected:.3f}" in seen["profileLabel"]


def test_without_webgl_it_says_so_and_figures_remain(probed: Path, tmp_path: Path) -> None:
    found, console = browse(probed, tmp_path, *NO_GL)
    assert not console
    assert found["state"] == "failed"
    assert "no WebGL" in found["message"]
    assert found["images"] == found["decoded"] >= 12


def test_the_probe_can_fail(probed: Path, tmp_path: Path) -> None:
    """An error, and a picture from elsewhere, are caught by the same means."""
    policy = re.search(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>", probed.read_text())
    assert policy
    plt.imsave(tmp_path / "other.png", np.zeros((4, 4)))
    page = tmp_path / "bad.html"
    page.write_text(
        f'{policy[0]}<div id="cortex" data-state="waiting"><p class="cortex-message"></p>'
        '<div class="cortex-stage"><canvas></canvas></div></div><img src="other.png">'
        f"<main></main><script>undefined_name()</script>{PROBE}",
        encoding="utf-8",
    )
    found, console = browse(page, tmp_path / "profile", *SOFTWARE_GL)
    assert any("undefined_name" in line for line in console)
    assert any("Content Security Policy" in line for line in console)
    assert found["decoded"] < found["images"]
