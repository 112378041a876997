"""Durable truth, in SQL. Nothing here is on the path of an inference request."""
