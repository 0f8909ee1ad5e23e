"""Write the first figure of a report as PNG: `python tools/page_figure.py PAGE.html FIGURE.png`.

`docs/demo_group.png`, which the README shows, is that of `make demo`:
`python tools/page_figure.py demo/out/group_gradients.html docs/demo_group.png`.
"""

from __future__ import annotations

import base64
import io
import re
import sys
from pathlib import Path

from PIL import Image

_WIDTH = 840  # pixels
_PICTURE = re.compile(r'<img src="data:image/png;base64,([^"]+)"')


def main(page: str, figure: str) -> None:
    """Write the first PNG that a page holds, narrow enough to stay small."""
    found = _PICTURE.search(Path(page).read_text(encoding="utf-8"))
    if found is None:
        sys.exit(f"{page}: holds no PNG; name a report with a map of the brain")
    image = Image.open(io.BytesIO(base64.b64decode(found[1]))).convert("RGB")
    height = round(image.height * _WIDTH / image.width)
    image.resize((_WIDTH, height), Image.Resampling.LANCZOS).save(figure, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
