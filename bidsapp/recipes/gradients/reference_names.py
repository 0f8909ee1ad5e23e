"""Under which labels reference maps are written that do not come with the app."""

from __future__ import annotations

from collections.abc import Sequence

from bidsapp.brain.references import GRADIENTS, MARGULIES


def reference_labels(names: Sequence[str]) -> dict[str, str]:
    """Label the maps of references that do not come with the app.

    Parameters
    ----------
    names
        Of all references, in their order.

    Returns
    -------
    dict
        Name → label of `bidsapp.recipes.gradients.group_results.REFERENCE`.
    """
    given = [name for name in names if name not in (*GRADIENTS, *MARGULIES)]
    published = [name for name in given if not name.startswith("user")]
    numbered = {
        name: f"annotation{number if number > 1 else ''}"
        for number, name in enumerate(published, start=1)
    }
    return {name: numbered.get(name, name) for name in given}
