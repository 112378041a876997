"""Settings: what they are, where each may come from, and where it came from this time."""
