"""Reading BIDS datasets and writing BIDS derivatives: the only part that knows file names."""
