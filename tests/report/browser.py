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
  const seen = {
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
    done = subprocess.run(
        [str(CHROMIUM), *_FLAGS, *flags, f"--user-data-dir={folder / 'profile'}", "--dump-dom",
         probed.as_uri()],
        capture_output=True, text=True, timeout=180, check=True,
    )  # fmt: skip
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    console = [line for line in console if not _OF_THE_DRIVER.search(line)]
    match = re.search(r'data-seen="([^"]+)"', done.stdout)
    assert match, f"the page's scripts did not run to the end: {console}"
    return json.loads(html.unescape(match[1])), console


def check_page(page: Path, folder: Path, script: str = "") -> dict[str, Any]:
    """Load a page and expect a whole one; return what was seen.

    Nothing on the console, every picture decoded, nothing fetched, nothing wider than the
    window, no dead link, no anchor twice.
    """
    seen, console = browse(page, folder, script)
    assert not console
    assert seen["images"] == seen["decoded"]
    for what in ("fetched", "overflowing", "dead", "doubled"):
        assert seen[what] == [], what
    return seen
