"""What the model learns, one module per family; each skill is a function from a Source."""
