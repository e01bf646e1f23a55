// The official SDK against the scripted model: what its users do, through its own types and its own strict stream reader.
import path from 'node:path';
import { createRequire } from 'node:module';
import { test, assert, equal, serve, fakeModel, npmPackages, call } from './harness.mjs';

const script = {
  name: 'scripted', context_tokens: 32768,
  rules: [
    { when: { last_user_contains: ['weather'], tool_results: 0 }, say: `<think>\nI need the tool.\n</think>\n\nLet me look.\n${call('get_weather', { city: 'Zürich', days: 3, note: 'a "quoted" \\ path' })}\n${call('get_weather', { city: '東京' })}` },
    { when: { contains: ['weather'], tool_results: 2 }, say: 'Sunny in both.' },
    { when: { last_user_contains: ['think hard'] }, say: '<think>\nFirst this. Then that.\n</think>\n\nForty-two.' },
    { when: { last_user_contains: ['long story'] }, token_delay_ms: 5, say: 'Once upon a time. '.repeat(200) },
    { when: { last_user_contains: ['letters'] }, say: 'alpha beta STOP gamma' },
  ],
  otherwise: 'Hello there — é, 漢字, 🙂.',
};
const tools = [{ name: 'get_weather', description: 'Weather of a city', input_schema: { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' }, note: { type: 'string' } }, required: ['city'] } }];

async function withClient(body, { serverArgs = [], apiKey = 'dummy' } = {}) {
  const folder = await npmPackages('@anthropic-ai/sdk@1.10.0');
  const { default: Anthropic } = createRequire(path.join(folder, 'x.js'))('@anthropic-ai/sdk');
  const server = await serve(fakeModel(script), { args: serverArgs });
  try { await body(new Anthropic({ baseURL: server.url, apiKey, maxRetries: 0 }), server, Anthropic); } finally { await server.stop(); }
}
// Marked, as agents' requests are: only then does usage speak of the cache.
const ask = (text, more = {}) => ({ model: 'any', max_tokens: 4096, cache_control: { type: 'ephemeral' }, messages: [{ role: 'user', content: text }], ...more });

test('SDK: a message without streaming', () => withClient(async (client) => {
  const message = await client.messages.create(ask('hi'));
  equal(message.content, [{ type: 'text', text: 'Hello there — é, 漢字, 🙂.' }], 'content');
  equal([message.type, message.role, message.stop_reason, message.stop_sequence], ['message', 'assistant', 'end_turn', null], 'frame');
  assert(message.usage.input_tokens + message.usage.cache_read_input_tokens + message.usage.cache_creation_input_tokens > 0 && message.usage.output_tokens > 0, JSON.stringify(message.usage));
}));

test('SDK: streaming gives the same message as not streaming', () => withClient(async (client) => {
  for (const text of ['hi', 'weather please', 'think hard']) {
    const options = text.startsWith('weather') ? { tools, thinking: { type: 'enabled', budget_tokens: 1024 } } : { thinking: { type: 'enabled', budget_tokens: 1024 } };
    const whole = await client.messages.create(ask(text, options));
    const streamed = await client.messages.stream(ask(text, options)).finalMessage();
    const bare = (m) => m.content.map((block) => ({ ...block, id: undefined, signature: undefined }));
    equal(bare(streamed), bare(whole), text);
    equal(streamed.stop_reason, whole.stop_reason, 'stop reason');
  }
}));

test('SDK: tools in parallel, their results, and the answer', () => withClient(async (client) => {
  const thinking = { type: 'enabled', budget_tokens: 2048 };
  const first = await client.messages.stream(ask('weather please', { tools, thinking })).finalMessage();
  equal(first.content.map((block) => block.type), ['thinking', 'text', 'tool_use', 'tool_use'], 'blocks');
  equal(first.stop_reason, 'tool_use', 'stop reason');
  assert(first.content[0].signature.length > 0, 'signature');
  equal(first.content[2].input, { city: 'Zürich', days: 3, note: 'a "quoted" \\ path' }, 'input');
  assert(first.content[2].id !== first.content[3].id && first.content[2].id.startsWith('toolu_'), 'ids');
  const second = await client.messages.create(ask('weather please', {
    tools, thinking,
    messages: [{ role: 'user', content: 'weather please' }, { role: 'assistant', content: first.content },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: first.content[3].id, content: 'sunny' }, { type: 'tool_result', tool_use_id: first.content[2].id, content: [{ type: 'text', text: 'sunny' }], is_error: false }] }],
  }));
  equal(second.content, [{ type: 'text', text: 'Sunny in both.' }], 'answer');
  assert(second.usage.cache_read_input_tokens > 0, `nothing was reused: ${JSON.stringify(second.usage)}`);
}));

test('SDK: thinking comes in its own block with a signature', () => withClient(async (client) => {
  const message = await client.messages.create(ask('think hard', { thinking: { type: 'enabled', budget_tokens: 1024 } }));
  equal(message.content.map((block) => block.type), ['thinking', 'text'], 'blocks');
  equal(message.content[0].thinking.trim(), 'First this. Then that.', 'thought');
  equal(message.content[1].text, 'Forty-two.', 'text');
}));

test('SDK: a stop sequence ends the text before it and is named', () => withClient(async (client) => {
  const message = await client.messages.create(ask('letters', { stop_sequences: ['nope', ' STOP'] }));
  equal([message.content[0].text, message.stop_reason, message.stop_sequence], ['alpha beta', 'stop_sequence', ' STOP'], 'stop');
}));

test('SDK: max_tokens ends the message with max_tokens', () => withClient(async (client) => {
  const message = await client.messages.create(ask('long story', { max_tokens: 7 }));
  equal([message.stop_reason, message.usage.output_tokens], ['max_tokens', 7], 'stop');
}));

test('SDK: count_tokens equals what the request is charged', () => withClient(async (client) => {
  for (const body of [ask('hi'), ask('weather please', { tools, system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }] })]) {
    const { max_tokens: _, ...countBody } = body;
    const { input_tokens: counted } = await client.messages.countTokens(countBody);
    const { usage } = await client.messages.create(body);
    equal(usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens, counted, 'tokens');
  }
}));

test('SDK: models are listed and shown', () => withClient(async (client) => {
  const list = [];
  for await (const model of client.models.list({ limit: 1000 })) list.push(model);
  equal(list.length, 1, 'models');
  equal((await client.models.retrieve(list[0].id)).id, list[0].id, 'id');
}));

test('SDK: errors carry status, type and request id', () => withClient(async (client, server, Anthropic) => {
  const caught = async (promise) => { try { await promise; } catch (error) { return error; } throw new Error('no error came'); };
  const bad = await caught(client.messages.create(ask('hi', { max_tokens: -1 })));
  equal([bad.status, bad.error.error.type], [400, 'invalid_request_error'], 'bad request');
  assert(bad.requestID?.startsWith('req_'), `request id ${bad.requestID}`);
  const unknown = await caught(client.models.retrieve('no/such'));
  equal(unknown.status, 404, 'unknown model card');
  const long = await caught(client.messages.create(ask('x'.repeat(40000))));
  equal(long.status, 400, 'too long');
  assert(/prompt is too long: \d+ tokens > \d+ maximum/.test(long.message), long.message);
  const stranger = await caught(new Anthropic({ baseURL: server.url, apiKey: 'wrong', maxRetries: 0 }).messages.create(ask('hi')));
  equal(stranger.status, 401, 'wrong key');
}, { serverArgs: ['--api-key', 'dummy'] }));

test('SDK: abort stops the work within a moment', () => withClient(async (client, server) => {
  const stream = client.messages.stream(ask('long story'));
  let pieces = 0;
  const ended = new Promise((resolve) => stream.on('abort', resolve).on('error', resolve).on('end', resolve));
  stream.on('text', () => { pieces += 1; if (pieces === 5) stream.abort(); });
  await ended;
  for (let i = 0; i < 40; i += 1) {
    const status = await server.status();
    if (status.models[0].live_jobs === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the job still lives: ${JSON.stringify(await server.status())}`);
}));
