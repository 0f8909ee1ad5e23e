"""The reports of `rsa` in a real browser: no errors, every picture decoded, nothing fetched."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--enable-logging=stderr", "--window-size=1200,4000"),
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
)
#: runs after the page's own scripts and leaves what it saw in the document
PROBE = """<script>
addEventListener("load", () => {
  const images = [...document.images];
  const free = [...document.querySelectorAll("main *")].filter(
    (item) => !item.closest(".table, .listing, .cortex"));
  const links = [...document.querySelectorAll(".toc a")].map((link) => link.hash.slice(1));
  document.documentElement.dataset.seen = JSON.stringify({
    images: images.length,
    decoded: images.filter((image) => image.complete && image.naturalWidth >= 100).length,
    fetched: performance.getEntriesByType("resource").map((entry) => entry.name)
      .filter((name) => !name.startsWith("data:")),
    overflowing: free.filter((item) => item.getBoundingClientRect().right > innerWidth + 1).length,
    dead: links.filter((name) => !document.getElementById(name)),
    canvases: document.querySelectorAll("canvas").length,
  });
});
</script></body>"""

_DRIVER = r"GPU stall|software WebGL"  # what the browser says of its own renderer

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


def look(page: Path, folder: Path) -> dict[str, object]:
    """Load a page, expect silence on the console, and return what the probe saw."""
    probed = folder / "probed.html"
    probed.write_text(page.read_text(encoding="utf-8").replace("</body>", PROBE), "utf-8")
    done = subprocess.run(
        [str(CHROMIUM), *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom",
         probed.as_uri()],
        capture_output=True, text=True, timeout=180, check=True,
    )  # fmt: skip
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert not [line for line in console if not re.search(_DRIVER, line)]
    match = re.search(r'data-seen="([^"]+)"', done.stdout)
    assert match, "the page's scripts did not run to the end"
    seen: dict[str, object] = json.loads(match[1].replace("&quot;", '"'))
    return seen


@pytest.mark.parametrize("level", ["participant", "group"])
def test_report_in_a_browser(
    level: str, participant_page: Path, group_page: Path, tmp_path: Path
) -> None:
    page = participant_page if level == "participant" else group_page
    seen = look(page, tmp_path)
    assert seen["images"] == seen["decoded"]
    assert isinstance(seen["images"], int)
    assert seen["images"] >= 9
    assert seen["fetched"] == []
    assert seen["overflowing"] == 0
    assert seen["dead"] == []
    assert seen["canvases"]
