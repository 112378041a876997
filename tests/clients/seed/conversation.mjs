import OpenAI from "openai";

const openai = new OpenAI({
  apiKey: "$DEEPINFRA_TOKEN",
  baseURL: "https://api.deepinfra.com/v1/openai",
});

const stream = true; // or false

const answer = await openai.chat.completions.create({
  model: "meta-llama/Meta-Llama-3-8B-Instruct",
  messages: [
    { role: "system", content: "Respond like a michelin starred chef." },
    { role: "user", content: "Can you name at least two different techniques to cook lamb?" },
    { role: "assistant", content: "Bonjour! Let me tell you, my friend, cooking lamb is an art form, and I'm more than happy to share with you not two, but three of my favorite techniques to coax out the rich, unctuous flavors and tender textures of this majestic protein. First, we have the classic \"Sous Vide\" method. Next, we have the ancient art of \"Sous le Sable\". And finally, we have the more modern technique of \"Hot Smoking.\"" },
    { role: "user", content: "Tell me more about the second method." },
  ],
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
