"""What came back of the planted truth, recipe by recipe."""
