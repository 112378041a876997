"""onnxruntime: embeddings, reranking and labels of pictures."""
