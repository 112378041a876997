// Asks a Penstock server, through Vercel's AI SDK, for what test_ai_sdk.py checks.
// Prints one JSON object. BASE_URL (which ends with /v1) and API_KEY come from the environment.
import { createDeepInfra } from "@ai-sdk/deepinfra";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, embed, embedMany, generateImage, generateObject, generateText, isStepCount } from "ai";
import { streamObject, streamText, tool } from "ai";
import { z } from "zod";

const { BASE_URL: baseURL, API_KEY: apiKey } = process.env;
const own = { maxRetries: 0 };
const hello = { prompt: "Hello", temperature: 0, ...own };
const tale = { prompt: "List the numbers: one, two, three, four, five, six,", temperature: 0, ...own };
// The tokens that end a text of penstock/tiny-chat are forbidden, so only the limit can end it.
const logit_bias = { 2807: -100, 2809: -100 };
const endless = { ...tale, providerOptions: { penstock: { logit_bias }, deepinfra: { logit_bias } } };
const asked = { prompt: "What is the weather in Paris?", temperature: 0, ...own };
// A small model may not find the end of a text by itself.
const schema = z.object({ name: z.string().max(20), age: z.int() });
const person = { prompt: "Ada is 36.", schema, temperature: 0, ...own };
const weather = tool({
  description: "Tell the weather of a city.",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `Sunny in ${city}.`,
});
const tools = { weather };
const toolChoice = { type: "tool", toolName: "weather" };

// A picture of 64 by 64 transparent pixels.
const everywhere =
  "iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAYAAACqaXHeAAAAJ0lEQVR42u3BAQ0AAADCoPdPbQ43oAAAAAAAAAAAAAAAAAAAAIB3A0BAAAGveg7oAAAAAElFTkSuQmCC";

const providers = {
  compatible: createOpenAICompatible({
    name: "penstock",
    baseURL,
    apiKey,
    includeUsage: true,
    supportsStructuredOutputs: true,
  }),
  deepinfra: createDeepInfra({ baseURL, apiKey }),
};

async function joined(stream) {
  let text = "";
  for await (const piece of stream) text += piece;
  return text;
}

async function last(stream) {
  let latest = null;
  for await (const part of stream) latest = part;
  return latest;
}

async function streamed(model) {
  const result = streamText({ model, ...hello });
  const text = await joined(result.textStream);
  return { text, reason: await result.finishReason, usage: await result.usage };
}

async function streamedCall(model) {
  const result = streamText({ model, ...asked, tools, toolChoice });
  await result.consumeStream();
  return await result.toolCalls;
}

async function failure(attempt) {
  try {
    await attempt();
  } catch (error) {
    return { name: error.name, status: error.statusCode, message: error.message };
  }
  return null;
}

async function told(provider) {
  const model = provider("penstock/tiny-chat");
  const embedder = provider.embeddingModel("penstock/tiny-embed");
  const whole = await generateText({ model, ...hello });
  const called = await generateText({ model, ...asked, tools, toolChoice });
  const steps = await generateText({ model, ...asked, tools, stopWhen: isStepCount(3) });
  const completion = provider.completionModel("penstock/tiny-chat");
  return {
    whole: { text: whole.text, reason: whole.finishReason, usage: whole.usage },
    streamed: await streamed(model),
    completion: (await generateText({ model: completion, ...endless, maxOutputTokens: 8 })).usage,
    calls: called.toolCalls,
    results: called.toolResults,
    streamedCalls: await streamedCall(model),
    steps: steps.steps.map((step) => step.toolResults.map((result) => result.output)),
    lastText: steps.text,
    object: (await generateObject({ model, ...person })).object,
    output: (await generateText({ model, ...hello, output: Output.object(person) })).output,
    streamedObject: await last(streamObject({ model, ...person }).partialObjectStream),
    one: (await embed({ model: embedder, value: "a river", ...own })).embedding,
    many: (await embedMany({ model: embedder, values: ["a river", "a mill"], ...own })).embeddings,
    notFound: await failure(() => generateText({ model: provider("no/such"), ...hello })),
  };
}

// DeepInfra's provider draws by DeepInfra's own API, and edits by OpenAI's.
async function pictures() {
  const images = (drawn) => drawn.images.map((image) => image.base64);
  const ask = { prompt: "A red circle.", size: "64x64", ...own };
  const drawn = {};
  const edited = {};
  for (const [name, provider] of Object.entries(providers)) {
    const model = provider.imageModel("penstock/tiny-draw");
    const made = await generateImage({ ...ask, model, n: 2 });
    const prompt = { text: "A blue circle.", images: [made.images[0].uint8Array], mask: everywhere };
    drawn[name] = images(made);
    edited[name] = images(await generateImage({ ...ask, model, prompt }));
  }
  return { drawn, edited };
}

const answers = { pictures: await pictures() };
for (const [name, provider] of Object.entries(providers)) answers[name] = await told(provider);
console.log(JSON.stringify(answers));
