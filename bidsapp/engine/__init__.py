"""Which units of work run, in what order, and what came of them."""
