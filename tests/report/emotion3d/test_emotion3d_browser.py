"""The reports of `emotion3d` in a real browser: no errors, every picture decoded."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from bidsapp.report.emotion3d import group_report, participant_report

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
  const inside = (item) => item.getBoundingClientRect().right <= innerWidth + 1;
  const links = [...document.querySelectorAll(".toc a")].map((link) => link.hash.slice(1));
  document.documentElement.dataset.seen = JSON.stringify({
    images: images.length,
    decoded: images.filter((image) => image.complete && image.naturalWidth >= 100).length,
    fetched: performance.getEntriesByType("resource").map((entry) => entry.name)
      .filter((name) => !name.startsWith("data:")),
    overflowing: [...document.querySelectorAll("main *")]
      .filter((item) => !item.closest(".table, .listing") && !inside(item)).length,
    cut: [...document.querySelectorAll(".table")]
      .filter((item) => item.scrollWidth > item.clientWidth + 1).map((item) => item.ariaLabel),
    dead: links.filter((name) => !document.getElementById(name)),
  });
});
</script></body>"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


@pytest.mark.parametrize("level", ["participant", "group"])
def test_report_in_a_browser(
    level: str, emotion_tree: Path, emotion_group: Path, tmp_path: Path
) -> None:
    page = (
        participant_report(emotion_tree, "01")
        if level == "participant"
        else group_report(emotion_group)
    )
    probed = tmp_path / "probed.html"
    text = page.read_text(encoding="utf-8")
    probed.write_text(text.replace("</body>", PROBE), encoding="utf-8")
    done = subprocess.run(
        [str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom",
         probed.as_uri()],
        capture_output=True, text=True, timeout=180, check=True,
    )  # fmt: skip
    assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    match = re.search(r'data-seen="([^"]+)"', done.stdout)
    assert match, "the page's scripts did not run to the end"
    seen = json.loads(match[1].replace("&quot;", '"'))
    assert seen["images"] == seen["decoded"] >= 14
    assert seen["fetched"] == []
    assert seen["overflowing"] == 0
    assert seen["dead"] == []
    assert not [label for label in seen["cut"] if "what the paper did" not in label]
