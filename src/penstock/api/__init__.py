"""HTTP in, HTTP out; no policy."""
