import OpenAI from "openai";

const openai = new OpenAI({
  apiKey: "$DEEPINFRA_TOKEN",
  baseURL: "https://api.deepinfra.com/v1/openai",
});

const stream = true; // or false

const answer = await openai.chat.completions.create({
  model: "meta-llama/Meta-Llama-3-8B-Instruct",
  messages: [{ role: "user", content: "Hello" }],
  stream,
});

if (stream) {
  for await (const { choices, usage } of answer) {
    const [choice] = choices;
    if (choice.finish_reason)
      console.log(choice.finish_reason, usage.prompt_tokens, usage.completion_tokens);
    else console.log(choice.delta.content);
  }
} else {
  console.log(answer.choices[0].message.content);
  console.log(answer.usage.prompt_tokens, answer.usage.completion_tokens);
}
