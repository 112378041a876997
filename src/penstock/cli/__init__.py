"""The terminal: one file per noun. Nothing heavy is imported before it is needed."""
