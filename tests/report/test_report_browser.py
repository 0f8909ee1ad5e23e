"""The report in a real browser: no errors, every picture decoded, nothing fetched."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bidsapp.report.participant import participant_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-sync", "--disable-background-networking", "--disable-component-update"),
    *("--enable-logging=stderr", "--window-size=1200,4000"),
)
#: runs after the page's own script and leaves what it saw in the document
PROBE = """<script>
addEventListener("load", () => {
  const images = [...document.images];
  const table = document.querySelector("#parcels table");
  const heads = [...table.tHead.rows[0].cells];
  const column = heads.findIndex((cell) => cell.textContent.trim() === "z");
  const orders = [0, 1].map(() => {
    heads[column].firstChild.click();
    return [...table.tBodies[0].rows].map((row) => Number(row.cells[column].dataset.key));
  });
  const free = [...document.querySelectorAll("main *")].filter(
    (item) => !item.closest(".table, .listing"));
  document.documentElement.dataset.seen = JSON.stringify({
    images: images.length,
    decoded: images.filter((image) => image.complete && image.naturalWidth >= 100).length,
    fetched: performance.getEntriesByType("resource").map((entry) => entry.name)
      .filter((name) => !name.startsWith("data:")),
    orders: orders,
    overflowing: free.filter((item) => item.getBoundingClientRect().right > innerWidth + 1).length,
  });
});
</script></body>"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


def _open(page: Path, profile: Path, *flags: str) -> tuple[str, str]:
    """Return the document after loading, and what the browser logged."""
    done = subprocess.run(
        [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", *flags, "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def probed(surface_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    html = participant_report(surface_tree, "01").read_text(encoding="utf-8")
    page = tmp_path_factory.mktemp("browser") / "probed.html"
    page.write_text(html.replace("</body>", PROBE), encoding="utf-8")
    return page


def test_report_in_a_browser(probed: Path, tmp_path: Path) -> None:
    document, log = _open(probed, tmp_path)
    console = [line for line in log.splitlines() if "CONSOLE" in line]
    assert not console
    match = re.search(r'data-seen="([^"]+)"', document)
    assert match, "the page's scripts did not run to the end"
    seen = json.loads(match[1].replace("&quot;", '"'))
    assert seen["images"] == seen["decoded"] >= 8
    assert seen["fetched"] == []
    assert seen["overflowing"] == 0
    falling, rising = seen["orders"]
    assert falling == sorted(falling, reverse=True)
    assert rising == sorted(rising)
    assert len(set(rising)) > 3


def test_the_probe_can_fail(tmp_path: Path) -> None:
    """A page with an error and a picture from elsewhere is caught by the same means."""
    page = tmp_path / "bad.html"
    page.write_text('<img src="missing.png"><script>undefined_name()</script>', encoding="utf-8")
    _, log = _open(page, tmp_path / "profile")
    assert "CONSOLE" in log
