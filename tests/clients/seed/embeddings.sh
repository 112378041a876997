curl -sS "https://api.deepinfra.com/v1/openai/embeddings" \
  -H "Content-Type: application/json" \
  -H "Authorization: Bearer $DEEPINFRA_TOKEN" \
  -d '{
    "model": "BAAI/bge-large-en-v1.5",
    "input": "The food was delicious and the waiter...",
    "encoding_format": "float"
  }'
