import fs from "node:fs";
import OpenAI from "openai";

const client = new OpenAI({
  apiKey: "$DEEPINFRA_TOKEN",
  baseURL: "https://api.deepinfra.com/v1/openai",
});

const response = await client.images.generate({
  prompt: "A photo of an astronaut riding a horse on Mars.",
  size: "1024x1024",
  quality: "standard",
  n: 1,
});
fs.writeFileSync("output.png", Buffer.from(response.data[0].b64_json, "base64"));
