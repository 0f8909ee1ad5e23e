"""The group level of `emotion3d`: decoding across participants, and statistics over them."""
