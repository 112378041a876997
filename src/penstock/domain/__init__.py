"""The nouns of Penstock as values: they import the standard library and msgspec, nothing else."""
