"""The parts of a page in a real browser: drawn, turned, sorted, and nothing fetched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from bidsapp.report.brain.draw import BrainMap, draw
from bidsapp.report.brain.scales import largest
from bidsapp.report.brain.viewer import MapGroup, layer_maps, viewer
from bidsapp.report.html import Number, Section, write_page
from bidsapp.report.sections import about, cautions, claims, fidelity, found, glance, page
from bidsapp.report.tables import table
from bidsapp.results.kinds import CORRELATION
from tests.report.browser import (
    FIRST_FIGURE_PX,
    NO_GL,
    browse,
    check_page,
    narrow,
    needs_chromium,
    pages_in_print,
)
from tests.report.toy import BEST, FEW, LAYERS, LONG, PARCELS, RANDOM, ROWS, surface, write_toy
from tests.report.toy import scores_of as smooth

pytestmark = needs_chromium

#: looks at the viewer: pictures after clicks, drags and keys; values under the pointer
VIEWER = """
  const root = document.getElementById("cortex");
  const canvas = root.querySelector(".cortex-stage canvas");
  seen.state = root.dataset.state;
  seen.message = root.querySelector(".cortex-message").textContent;
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
    titled("Largest r").click();
    root.querySelector("[data-peak]").click();
    seen.peak = Number(root.dataset.value);
    seen.profile = !root.querySelector(".cortex-profile").hidden;
    seen.profileLabel = root.querySelector(".cortex-profile svg").getAttribute("aria-label");
    titled("Red, green, blue").click();
    pictures.rgb = press("[data-view=lateral]");
    pointer("pointerdown", 0.25, 0.5);
    pointer("pointermove", 0.45, 0.5);
    pictures.dragged = picture();
    pointer("pointerup", 0.45, 0.5);
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp", bubbles: true }));
    pictures.key = picture();
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "Home", bubbles: true }));
    pictures.home = picture();
    titled("Largest r").click();
    pictures.all = picture();
    pictures.only = press("[data-only]");
    pictures.every = press("[data-only]");
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
  const head = [...document.querySelectorAll("#parcels th")].find(
    (item) => item.textContent.trim() === "r");
  const column = [...head.parentElement.cells].indexOf(head);
  seen.orders = [0, 1].map(() => {
    head.firstElementChild.click();
    return [...head.closest("table").tBodies[0].rows].map((row) =>
      row.cells[column].textContent.trim());
  });
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("toy")
    units = surface()
    results = write_toy(root, [units], cautions=[(RANDOM, FEW, LONG)])
    scores = smooth(units)
    best = np.where(np.isfinite(scores[0]), 1 + np.nan_to_num(scores).argmax(axis=0), 0)
    maps = [
        BrainMap("Largest r", largest(scores), CORRELATION),
        BrainMap.of(BEST, best, LAYERS),
        BrainMap("Red, green, blue", np.clip(scores.T * 10, 0, 1)),
    ]
    passed = scores[0] > 0.05
    layers = layer_maps(scores, LAYERS, CORRELATION)
    group = MapGroup("VGGish", units, maps, layers, passed)
    negative = replace(group, title="Other", maps=maps[:2], layers=(), significant=None)
    sections = [
        glance([Number("Runs", "3")]),
        cautions(results),
        viewer([group, negative]),
        Section("Maps", "maps", draw(maps[:2], units, scores[0] > 0.05, "Outlined.")),
        Section("Parcels", "parcels", [table(ROWS, PARCELS.columns, "Parcels")]),
        claims(results),
        fidelity(results),
        about(results),
    ]
    answer = found(results, ["One."], sections[3])
    made = page(results, "Which layer?", sections, heading="Layers", answer=answer)
    return write_page(made, root / "page.html")


@pytest.fixture(scope="module")
def seen(made: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return check_page(made, tmp_path_factory.mktemp("browser"), VIEWER)


def test_it_is_whole_and_its_contents_lead_somewhere(seen: dict[str, Any]) -> None:
    assert seen["state"] == "ready"
    assert seen["images"] == 2  # below the title, and in its section
    assert seen["sections"] == [
        *("answer", "glance", "cautions", "cortex-section", "maps", "parcels", "claims"),
        *("fidelity", "about"),
    ]


def test_clicks_drags_and_keys_change_the_picture(seen: dict[str, Any]) -> None:
    first_equal = dict(seen["pictures"])
    assert first_equal.pop("again") == "start"  # a picture depends on what is shown, only
    assert first_equal.pop("home") == "rgb"
    assert first_equal.pop("all") == first_equal.pop("every") == "start"  # what was hidden is back
    assert all(first == name for name, first in first_equal.items()), first_equal


def test_another_map_is_named_and_labels_are_not_mixed(seen: dict[str, Any]) -> None:
    assert seen["map"] == "1"
    assert seen["label"] == "Both hemispheres, lateral: VGGish, Best layer"
    assert seen["value"] in (1, 2, 3)
    assert seen["hovered"].startswith(f"{seen['value']:.0f} ")
    assert "left hemisphere, vertex" in seen["hovered"]
    assert seen["hovered"].endswith("significant")
    assert seen["outside"] == ""
    assert seen["colours"] > 40  # three labels, shaded


def test_the_largest_value_is_that_of_the_map(seen: dict[str, Any]) -> None:
    expected = float(np.nanmax(smooth(surface())))
    assert seen["peak"] == pytest.approx(expected, abs=1e-4)
    assert seen["profile"]
    assert "3 layers" in seen["profileLabel"]
    assert f"{expected:.3f}" in seen["profileLabel"]


def test_tables_sort_numbers_with_missing_ones_last(seen: dict[str, Any]) -> None:
    falling = ["0.125", "\u22120.050", "\u2013"]
    assert seen["orders"] == [falling, [falling[1], falling[0], falling[2]]]


def test_without_webgl_it_says_so_and_figures_remain(made: Path, tmp_path: Path) -> None:
    found, console = browse(made, tmp_path, VIEWER, NO_GL)
    assert not console
    assert found["state"] == "failed"
    assert "no WebGL" in found["message"]
    assert found["images"] == found["decoded"] == 2


def test_the_probe_can_fail(made: Path, tmp_path: Path) -> None:
    """An error, a picture from elsewhere, a dead link and a wide part are caught alike."""
    plt.imsave(tmp_path / "other.png", np.zeros((4, 4)))
    bad = tmp_path / "bad.html"
    text = made.read_text(encoding="utf-8").replace('id="claims"', 'id="cautions"')
    text = text.replace(
        '<main id="main">',
        '<main id="main"><img src="other.png"><div style="width: 9000px">wide</div>'
        "<script>undefined_name()</script>",
    )
    bad.write_text(text, encoding="utf-8")
    found, console = browse(bad, tmp_path)
    assert any("undefined_name" in line for line in console)
    assert any("Content Security Policy" in line for line in console)
    assert found["decoded"] < found["images"]
    assert found["dead"] == ["claims"]
    assert found["doubled"] == ["cautions"]
    assert any("wide" in item for item in found["overflowing"])


def test_the_narrow_probe_can_fail(made: Path, tmp_path: Path) -> None:
    """A part that is cut off, text that cannot be read, and a figure far below are caught."""
    bad = tmp_path / "bad.html"
    text = made.read_text(encoding="utf-8").replace(
        '<section class="answer"',
        '<div style="height: 2000px; width: 500px">wide</div>'
        '<p style="color: #333">pale</p><section class="answer"',
    )
    bad.write_text(text, encoding="utf-8")
    seen = narrow(bad, tmp_path)
    assert seen["scrolls"] > 0
    assert any("wide" in item for item in seen["wide"])
    assert ["pale" in item for item in seen["pale"]] == [True]
    assert seen["figure"] > FIRST_FIGURE_PX
    assert pages_in_print(bad, tmp_path) > pages_in_print(made, tmp_path)
