"""Which jobs run, in what order, and what came of them."""
