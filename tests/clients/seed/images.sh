curl -sS "https://api.deepinfra.com/v1/openai/images/generations" \
  -H "Content-Type: application/json" \
  -H "Authorization: Bearer $DEEPINFRA_TOKEN" \
  -d '{
    "prompt": "A photo of an astronaut riding a horse on Mars.",
    "size": "1024x1024",
    "quality": "standard",
    "n": 1
  }'
