"""OpenAI's dialect: wire structs, and the events of engines as chunks and objects."""
