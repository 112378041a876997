# mypy: ignore-errors
# ruff: noqa
# fmt: off
import io
import base64
from PIL import Image
from openai import OpenAI

client = OpenAI(
    api_key="$DEEPINFRA_TOKEN",
    base_url="https://api.deepinfra.com/v1/openai"
)

if __name__ == "__main__":
    response = client.images.generate(
        prompt="A photo of an astronaut riding a horse on Mars.",
        size="1024x1024",
        quality="standard",
        n=1,
    )
    b64_json = response.data[0].b64_json
    image_bytes = base64.b64decode(b64_json)
    image = Image.open(io.BytesIO(image_bytes))
    image.save("output.png")
