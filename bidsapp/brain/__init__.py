"""From BOLD files to a clean time × units matrix, and from values per unit back to images."""
