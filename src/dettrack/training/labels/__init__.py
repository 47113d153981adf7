"""Where labels come from: data sets of the field, and teachers."""
