// The Vercel AI SDK over its two providers: OpenAI's own, by either endpoint, and the one for compatible servers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const baseURL = process.env.SMALLFIRST_URL;
assert.ok(baseURL, "SMALLFIRST_URL names no gateway: `make clients` starts one");
const openai = createOpenAI({ baseURL, apiKey: "none" });
const compatible = createOpenAICompatible({ name: "smallfirst", baseURL, supportsStructuredOutputs: true, includeUsage: true });
const models = { responses: openai.responses("auto"), chat: openai.chat("auto"), compatible: compatible("auto") };
const prompt = "Set a timer for 5 minutes";
const schema = z.object({ minutes: z.number().int() });

for (const [name, model] of Object.entries(models)) {
  test(`${name}: a chat is answered`, async () => {
    const found = await generateText({ model, system: "You are an assistant.", prompt: "Hello", maxRetries: 0 });
    assert.ok(found.text);
    assert.equal(found.finishReason, "stop");
    assert.ok(found.usage.totalTokens > 0);
  });

  test(`${name}: a stream ends with its usage`, async () => {
    const found = streamText({ model, prompt: "Hello", maxRetries: 0 });
    let text = "";
    for await (const piece of found.textStream) text += piece;
    assert.equal(await found.text, text);
    assert.ok((await found.usage).outputTokens > 0);
  });

  test(`${name}: structured output is the object asked for`, async () => {
    const found = await generateText({ model, prompt, output: Output.object({ schema }), maxRetries: 0 });
    assert.ok(Number.isInteger(found.output.minutes));
  });

  test(`${name}: a tool loop ends in the object asked for`, async () => {
    const started = [];
    const execute = async ({ minutes }) => { started.push(minutes); return "started"; };
    const set_timer = tool({ description: "Start a countdown.", inputSchema: schema, execute });
    const output = Output.object({ schema });
    const found = await generateText({ model, prompt, tools: { set_timer }, output, stopWhen: stepCountIs(4), maxRetries: 0 });
    assert.deepEqual(started, [5]);
    assert.ok(Number.isInteger(found.output.minutes));
  });

  for (const [way, run] of Object.entries({ whole: generateText, streamed: streamText })) {
    test(`${name}: a tool loop goes round, ${way}`, async () => {
      const started = [];
      const execute = async ({ minutes }) => { started.push(minutes); return "started"; };
      const set_timer = tool({ description: "Start a countdown.", inputSchema: schema, execute });
      const found = await run({ model, prompt, tools: { set_timer }, stopWhen: stepCountIs(4), maxRetries: 0 });
      const steps = await found.steps;
      assert.deepEqual(started, [5]);
      assert.ok(steps.length >= 2);
      assert.ok(await found.text);
    });
  }
}
