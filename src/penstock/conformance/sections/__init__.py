"""The checks, a file for each section. `catalogue.SECTIONS` has their order."""
