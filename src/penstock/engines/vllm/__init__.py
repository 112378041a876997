"""vLLM: models in safetensors, each replica a `vllm serve` in an environment of its own."""
