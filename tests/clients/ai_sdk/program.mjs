// The Vercel AI SDK, over its models for each dialect. Speaks with the tests as ../talk.py does.

import readline from "node:readline";

import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogle } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, isStepCount, streamText, tool } from "ai";
import { z } from "zod";

const QUESTION = "What is the weather in Oslo and in Turin?";
const WEATHER = { Oslo: "snow", Turin: "sun" };
const SECONDS = 30;

const complaints = [];
globalThis.AI_SDK_LOG_WARNINGS = ({ warnings }) => complaints.push(...warnings.map((each) => JSON.stringify(each)));
console.log = console.warn = console.error = (...words) => complaints.push(words.map(String).join(" "));
process.on("warning", (warning) => complaints.push(`${warning.name}: ${warning.message}`));

const MODELS = {
  "@ai-sdk/anthropic": (url, apiKey) => createAnthropic({ baseURL: `${url}/v1`, apiKey }),
  "@ai-sdk/google": (url, apiKey) => createGoogle({ baseURL: `${url}/v1beta`, apiKey }),
  "@ai-sdk/openai": (url, apiKey) => createOpenAI({ baseURL: `${url}/v1`, apiKey }).chat,
  "@ai-sdk/openai, responses": (url, apiKey) => createOpenAI({ baseURL: `${url}/v1`, apiKey }),
  "@ai-sdk/openai-compatible": (url, apiKey) =>
    createOpenAICompatible({ name: "costspan", baseURL: `${url}/v1`, apiKey, includeUsage: true }),
};

// Without `store: false` a conversation is continued by references to what OpenAI has stored, and only there.
const options = ({ by, think }) => ({
  anthropic: think ? { thinking: { type: "enabled", budgetTokens: 2000 } } : {},
  costspan: think ? { reasoningEffort: "low" } : {},
  google: think ? { thinkingConfig: { thinkingBudget: 2000, includeThoughts: true } } : {},
  openai: {
    ...(by.endsWith("responses") && { store: false, ...(think && { reasoningSummary: "auto" }) }),
    ...(think && { reasoningEffort: "low", forceReasoning: true }),
  },
});

async function hold(talk) {
  const asked = [];
  const weather = tool({
    description: "The weather in a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => {
      asked.push(city);
      return WEATHER[city];
    },
  });
  const question = {
    model: MODELS[talk.by](talk.base_url, talk.key)(talk.model),
    prompt: QUESTION,
    providerOptions: options(talk),
    tools: { weather },
    stopWhen: isStepCount(5),
    maxOutputTokens: 4000,
    maxRetries: 0,
    abortSignal: AbortSignal.timeout(SECONDS * 1000),
  };
  const streamed = [];
  let result;
  if (talk.stream) {
    result = streamText({ ...question, onError: ({ error }) => complaints.push(String(error)) });
    for await (const text of result.textStream) streamed.push(text);
  } else {
    result = await generateText(question);
  }
  const steps = await result.steps;
  const thought = steps.map((step) => step.reasoningText ?? "").join("");
  const usage = steps.map((step) => ({
    prompt: step.usage.inputTokens,
    cached: step.usage.inputTokenDetails.cacheReadTokens,
    completion: step.usage.outputTokens,
  }));
  return { text: await result.text, thought, usage, streamed, asked, complaints: complaints.splice(0) };
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const told = await hold(JSON.parse(line)).catch((error) => ({ error: `${error.stack}\n${complaints.splice(0)}` }));
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
