"""Load a page in chromium and ask it what is there: for the tests of all reports."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SOFTWARE_GL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
NO_GL = ("--disable-gpu", "--disable-3d-apis")
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--enable-logging=stderr", "--window-size=1200,3000"),
)
_OF_THE_DRIVER = re.compile(r"GPU stall|software WebGL")  # what chromium says of its renderer
#: runs after the page's own scripts; what it saw is left in the document
_PROBE = """<script>
addEventListener("load", () => {
  const images = [...document.images];
  const links = [...document.querySelectorAll(".toc a")].map((link) => link.hash.slice(1));
  const ids = [...document.querySelectorAll("[id]")].map((item) => item.id);
  const free = [...document.querySelectorAll("main *")].filter(
    (item) => !item.closest(".table, .listing, .cortex, .picture img"));
  const figure = document.querySelector(".answer img");
  const seen = {
    figure: figure ? figure.getBoundingClientRect().top + scrollY : 0,
    images: images.length,
    decoded: images.filter((image) => image.complete && image.naturalWidth >= 100).length,
    fetched: performance.getEntriesByType("resource").map((entry) => entry.name)
      .filter((name) => !name.startsWith("data:")),
    overflowing: free.filter((item) => item.getBoundingClientRect().right > innerWidth + 1)
      .map((item) => item.outerHTML.slice(0, 80)),
    dead: links.filter((name) => !document.getElementById(name)),
    doubled: ids.filter((id, place) => ids.indexOf(id) !== place),
    sections: links,
  };
  %s
  document.documentElement.dataset.seen = JSON.stringify(seen);
});
</script></body>"""

NARROW_PX = 390
FIRST_FIGURE_PX = 1200
A4_PAGES = 12
_DARK = "--blink-settings=preferredColorScheme=0"
#: runs inside a narrow frame, in the dark scheme, and tells the page around it
_NARROW = """<script>
addEventListener("load", () => {
  const light = (rgb) => rgb.map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const colour = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (item) => {
    for (let at = item; at; at = at.parentElement) {
      const found = colour(getComputedStyle(at).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const contrast = (item) => {
    const [a, b] = [light(colour(getComputedStyle(item).color).slice(0, 3)), light(ground(item))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  const texts = [...document.querySelectorAll("body *")].filter((item) =>
    item.checkVisibility() &&
    !item.closest("svg, .cortex-stage, :disabled, script, style, audio") &&
    [...item.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()));
  const free = [...document.querySelectorAll("main *")].filter(
    (item) => !item.closest(".table, .listing, .cortex-stage, .picture img"));
  const figure = document.querySelector(".answer img");
  parent.postMessage(JSON.stringify({
    width: innerWidth,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    scrolls: document.documentElement.scrollWidth - innerWidth,
    wide: free.filter((item) => item.getBoundingClientRect().right > innerWidth + 1)
      .map((item) => item.outerHTML.slice(0, 80)),
    pale: texts.filter((item) => contrast(item) < 4.5)
      .map((item) => item.outerHTML.slice(0, 80)),
    figure: figure ? figure.getBoundingClientRect().top + scrollY : 0,
    cut: figure ? figure.getBoundingClientRect().right - innerWidth : 0,
  }), "*");
});
</script></body>"""

needs_chromium = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


def browse(
    page: Path, folder: Path, script: str = "", flags: tuple[str, ...] = SOFTWARE_GL
) -> tuple[dict[str, Any], list[str]]:
    """Load a page.

    Parameters
    ----------
    page
        HTML file.
    folder
        Empty folder for the probed page and the profile.
    script
        JavaScript that runs after loading and may add to ``seen``.
    flags
        Of chromium.

    Returns
    -------
    seen : dict
        ``images``, ``decoded``, ``fetched``, ``overflowing``, ``dead`` (links of the contents
        that lead nowhere), ``doubled`` (anchors), ``sections``, and what the script added.
    console : list of str
        Lines of the browser's console.
    """
    probed = folder / "probed.html"
    text = page.read_text(encoding="utf-8")
    probed.write_text(text.replace("</body>", _PROBE % script), encoding="utf-8")
    done = _chromium(folder, *flags, "--dump-dom", probed.as_uri())
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    console = [line for line in console if not _OF_THE_DRIVER.search(line)]
    return _seen(done), console


def check_page(page: Path, folder: Path, script: str = "") -> dict[str, Any]:
    """Load a page and expect a whole one; return what was seen.

    Nothing on the console, every picture decoded, nothing fetched, nothing wider than the
    window, no dead link, no anchor twice; the first figure within 1,200 px, also where the window
    is narrow, where nothing is cut off and dark text can be read; a group prints on 12 pages.
    """
    seen, console = browse(page, folder, script)
    assert not console
    assert seen["images"] == seen["decoded"]
    for what in ("fetched", "overflowing", "dead", "doubled"):
        assert seen[what] == [], what
    check_narrow(page, folder)
    assert seen["figure"] <= FIRST_FIGURE_PX
    if "group, N = " in page.read_text(encoding="utf-8"):
        assert pages_in_print(page, folder) <= A4_PAGES
    return seen


def check_narrow(page: Path, folder: Path) -> None:
    """Load a page 390 px wide in the dark scheme; expect it readable, its first figure whole."""
    seen = narrow(page, folder)
    assert (seen["width"], seen["dark"]) == (NARROW_PX, True)
    assert seen["scrolls"] <= 0
    assert seen["wide"] == []
    assert seen["pale"] == []
    assert seen["figure"] <= FIRST_FIGURE_PX
    assert seen["cut"] <= 0  # what was found is not to be scrolled for


def narrow(page: Path, folder: Path) -> dict[str, Any]:
    """Return what a page says of itself in a frame of 390 px (windows are wider)."""
    inside, around = folder / "inside.html", folder / "around.html"
    text = page.read_text(encoding="utf-8")
    inside.write_text(text.replace("</body>", _NARROW), encoding="utf-8")
    around.write_text(
        "<script>addEventListener('message', (event) => "
        "{ document.documentElement.dataset.seen = event.data; });</script>"
        f"<iframe src='inside.html' width='{NARROW_PX}' height='1500' frameborder='0'></iframe>",
        encoding="utf-8",
    )
    flags = (*NO_GL, _DARK, "--virtual-time-budget=3000", "--dump-dom")
    return _seen(_chromium(folder, *flags, around.as_uri()))


def pages_in_print(page: Path, folder: Path) -> int:
    """Return on how many A4 pages a page is printed."""
    target = folder / "printed.pdf"
    _chromium(folder, *NO_GL, f"--print-to-pdf={target}", page.as_uri())
    return len(re.findall(rb"/Type\s*/Page[^s]", target.read_bytes()))


def _chromium(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(CHROMIUM), *_FLAGS, f"--user-data-dir={folder / 'profile'}", *words],
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )


def _seen(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    match = re.search(r'data-seen="([^"]+)"', done.stdout)
    assert match, f"the page's scripts did not run to the end: {done.stderr}"
    found: dict[str, Any] = json.loads(html.unescape(match[1]))
    return found
