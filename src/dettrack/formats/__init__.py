"""One file per format; the arrays of `structures` know none of them."""
