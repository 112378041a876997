// Asks a Penstock server, with the official client, for what test_openai_node.py checks.
// Prints one JSON object. BASE_URL and API_KEY come from the environment.
import OpenAI from "openai";

const options = { baseURL: process.env.BASE_URL, apiKey: process.env.API_KEY, maxRetries: 0 };
const client = new OpenAI(options);
const chat = "penstock/tiny-chat";
const embed = "penstock/tiny-embed";
const ask = { model: chat, messages: [{ role: "user", content: "Hello" }], temperature: 0 };

async function streamed() {
  const told = { text: "", reason: null, usage: null };
  for await (const chunk of await client.chat.completions.create({ ...ask, stream: true })) {
    const [choice] = chunk.choices;
    told.text += choice.delta.content ?? "";
    if (choice.finish_reason) {
      told.reason = choice.finish_reason;
      told.usage = chunk.usage;
    }
  }
  return told;
}

async function failure(attempt) {
  try {
    await attempt();
  } catch (error) {
    const { status, code, param, requestID } = error;
    return { kind: error.constructor.name, status, code, param, requestID };
  }
  return null;
}

const whole = await client.chat.completions.create(ask);
const models = [];
for await (const model of client.models.list()) models.push(model.id);

console.log(
  JSON.stringify({
    whole: { text: whole.choices[0].message.content, usage: whole.usage },
    streamed: await streamed(),
    models,
    model: (await client.models.retrieve(chat)).id,
    // Says nothing of a format: the client asks for base64 and decodes it.
    vector: (await client.embeddings.create({ model: embed, input: "hello" })).data[0].embedding,
    floats: (
      await client.embeddings.create({ model: embed, input: "hello", encoding_format: "float" })
    ).data[0].embedding,
    notFound: await failure(() => client.models.retrieve("no/such")),
    badRequest: await failure(() => client.chat.completions.create({ ...ask, temperature: 3 })),
    badKey: await failure(() => new OpenAI({ ...options, apiKey: "wrong" }).models.list()),
  }),
);
