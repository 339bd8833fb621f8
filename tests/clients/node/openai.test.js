// The official Node client: a chat, a stream, structured output and tool loops, through chat completions and through responses.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

const baseURL = process.env.SMALLFIRST_URL;
assert.ok(baseURL, "SMALLFIRST_URL names no gateway: `make clients` starts one");
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0, timeout: 60_000 });
const model = "auto";
const Timer = z.object({ minutes: z.number().int() });
const parameters = { type: "object", properties: { minutes: { type: "integer" } }, required: ["minutes"], additionalProperties: false };
const named = { name: "set_timer", description: "Start a countdown.", parameters };
const asked = [{ role: "user", content: "Set a timer for 5 minutes" }];

test("the models are listed", async () => {
  const ids = [];
  for await (const one of client.models.list()) ids.push(one.id);
  assert.ok(ids.includes("auto"));
});

test("a chat is answered", async () => {
  const { data, response } = await client.chat.completions.create({ model, messages: [{ role: "user", content: "Hello" }] }).withResponse();
  assert.ok(data.choices[0].message.content);
  assert.ok(data.usage.total_tokens > 0);
  assert.equal(response.headers.get("x-smallfirst-route"), "auto");
});

test("a stream ends with its usage", async () => {
  const options = { stream: true, stream_options: { include_usage: true } };
  let text = "", usage = null;
  for await (const chunk of await client.chat.completions.create({ model, messages: [{ role: "user", content: "Hello" }], ...options })) {
    text += chunk.choices[0]?.delta.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.ok(text);
  assert.ok(usage.completion_tokens > 0);
});

test("the stream helper gives the whole message", async () => {
  const stream = client.chat.completions.stream({ model, messages: [{ role: "user", content: "Hello" }] });
  let text = "";
  stream.on("content", (delta) => (text += delta));
  assert.equal(await stream.finalContent(), text);
});

test("structured output is parsed", async () => {
  const found = await client.chat.completions.parse({ model, messages: asked, response_format: zodResponseFormat(Timer, "timer") });
  assert.ok(Number.isInteger(found.choices[0].message.parsed.minutes));
});

test("a call or structured output, whichever the model gives", async () => {
  const tools = [{ type: "function", function: { ...named, strict: true } }];
  const response_format = zodResponseFormat(Timer, "timer");
  for (const tool_choice of ["auto", "none", "required"]) {
    const { message } = (await client.chat.completions.parse({ model, messages: asked, tools, tool_choice, response_format })).choices[0];
    const called = message.tool_calls?.length > 0;
    assert.notEqual(called, Number.isInteger(message.parsed?.minutes));
    if (tool_choice !== "auto") assert.equal(called, tool_choice === "required");
  }
});

test("runTools goes round", async () => {
  const started = [];
  const tool = { ...named, function: ({ minutes }) => { started.push(minutes); return "started"; }, parse: JSON.parse };
  const runner = client.chat.completions.runTools({ model, messages: asked, tools: [{ type: "function", function: tool }] });
  assert.ok(await runner.finalContent());
  assert.deepEqual(started, [5]);
});

test("runTools goes round over streams", async () => {
  const started = [];
  const tool = { ...named, function: ({ minutes }) => { started.push(minutes); return "started"; }, parse: JSON.parse };
  const runner = client.chat.completions.runTools({ model, messages: asked, stream: true, tools: [{ type: "function", function: tool }] });
  assert.ok(await runner.finalContent());
  assert.deepEqual(started, [5]);
});

test("a response streams its events in order", async () => {
  const kinds = [], numbers = [];
  for await (const event of await client.responses.create({ model, input: "Hello", stream: true })) {
    kinds.push(event.type);
    numbers.push(event.sequence_number);
  }
  assert.deepEqual(numbers, numbers.map((_, index) => index));
  assert.deepEqual(kinds.slice(0, 4),
    ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]);
  assert.deepEqual(kinds.slice(-4),
    ["response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed"]);
});

test("a response is parsed", async () => {
  const found = await client.responses.parse({ model, input: asked, text: { format: zodTextFormat(Timer, "timer") } });
  assert.ok(Number.isInteger(found.output_parsed.minutes));
});

test("a loop of responses goes round on stored responses", async () => {
  const tools = [{ type: "function", strict: true, ...named }];
  const first = await client.responses.create({ model, input: asked, tools });
  assert.deepEqual(JSON.parse(first.output[0].arguments), { minutes: 5 });
  const input = first.output.map(({ call_id }) => ({ type: "function_call_output", call_id, output: "started" }));
  const second = await client.responses.create({ model, input, previous_response_id: first.id, tools });
  assert.ok(second.output_text);
});

test("a stored response is read again and deleted", async () => {
  const made = await client.responses.create({ model, input: "Hello" });
  assert.deepEqual((await client.responses.retrieve(made.id)).output, made.output);
  await client.responses.delete(made.id);
  await assert.rejects(client.responses.retrieve(made.id), (error) => error instanceof OpenAI.NotFoundError);
});

test("errors are the client's own classes", async () => {
  const wrong = client.chat.completions.create({ model: "nobody", messages: asked });
  await assert.rejects(wrong, (error) => error instanceof OpenAI.NotFoundError && error.code === "model_not_found" && error.param === "model");
  const refused = client.chat.completions.create({ model, messages: asked, prediction: { type: "content", content: "x" } });
  await assert.rejects(refused, (error) => error instanceof OpenAI.BadRequestError && error.code === "unsupported_parameter");
});

test("a stream that is left is closed", async () => {
  const stream = await client.chat.completions.create({ model: "auto/large", messages: [{ role: "user", content: "Hello" }], stream: true });
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
  assert.ok(stream.controller.signal.aborted);
});
