"""Tools of `musicotopy-tools` that fill a module of their own."""
