"""Reports: one self-contained HTML page per participant, from written derivatives only."""
