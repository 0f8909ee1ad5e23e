"""Statistics: folds, nulls, corrections, scores and ceilings; arrays in, arrays out."""
