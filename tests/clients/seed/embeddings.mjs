import OpenAI from "openai";

const openai = new OpenAI({
  apiKey: "$DEEPINFRA_TOKEN",
  baseURL: "https://api.deepinfra.com/v1/openai",
});

const input = "The food was delicious and the waiter..."; // or an array ["hello", "world"]

const embeddings = await openai.embeddings.create({
  model: "BAAI/bge-large-en-v1.5",
  input,
  encoding_format: "float",
});

for (const { embedding } of embeddings.data) console.log(JSON.stringify(embedding));
console.log(embeddings.usage.prompt_tokens);
