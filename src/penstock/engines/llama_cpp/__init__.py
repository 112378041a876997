"""llama.cpp: GGUF models, each replica a process that hosts xllamacpp."""
