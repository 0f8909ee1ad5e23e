"""What one participant's analysis will cost."""

from __future__ import annotations

from functools import partial

from bidsapp.recipes.base.cost import encoding_cost

#: bytes: activations of the largest layer for one frame, in the blocks that are held at once
estimate = partial(encoding_cost, n_layers=27, frame_bytes=12_000 * 64 * 4)
