import OpenAI from "openai";

const openai = new OpenAI({
  apiKey: "$DEEPINFRA_TOKEN",
  baseURL: "https://api.deepinfra.com/v1/openai",
});

const stream = true; // or false

const answer = await openai.completions.create({
  model: "meta-llama/Meta-Llama-3-8B-Instruct",
  prompt:
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHello!<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
  stop: ["<|eot_id|>"],
  stream,
});

if (stream) {
  for await (const { choices, usage } of answer) {
    const [choice] = choices;
    if (choice.finish_reason)
      console.log(choice.finish_reason, usage.prompt_tokens, usage.completion_tokens);
    else console.log(choice.text);
  }
} else {
  console.log(answer.choices[0].text);
  console.log(answer.usage.prompt_tokens, answer.usage.completion_tokens);
}
