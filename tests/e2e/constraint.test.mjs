// A model of random weights, held by the grammar of each request: calls, choices and output schemas are right by construction,
// and thoughts end within their budget.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test, assert, equal, serve, post, stream, checkout, fakeModel } from './harness.mjs';

const folder = process.env.HEARTH_TEST_MODELS || path.join(process.env.HEARTH_CACHE || path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'hearth'), 'models');
function tinyModel() {
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'e2e-attention.gguf');
  execFileSync(path.join(checkout, 'build', process.env.HEARTH_PRESET || 'release', 'bin', 'tiny_model'), ['attention', file]);
  return file;
}

const word = { type: 'string', maxLength: 12 };
const tools = [
  { name: 'read_file', description: 'reads', input_schema: { type: 'object', properties: { path: word, limit: { type: 'integer', minimum: 1, maximum: 2000 } }, required: ['path'], additionalProperties: false } },
  { name: 'choose', description: 'chooses', input_schema: { type: 'object', properties: { mode: { enum: ['fast', 'slow'] }, tags: { type: 'array', items: word, maxItems: 3 }, deep: { type: ['boolean', 'null'] } }, required: ['mode', 'deep'], additionalProperties: false } },
  { name: 'stop', description: 'stops', input_schema: { type: 'object', properties: {}, additionalProperties: false } },
];
function checkInput(name, input) {
  const keys = Object.keys(input);
  if (name === 'read_file') {
    assert(typeof input.path === 'string' && [...input.path].length <= 12, JSON.stringify(input));
    assert(!('limit' in input) || (Number.isInteger(input.limit) && input.limit >= 1 && input.limit <= 2000), JSON.stringify(input));
  } else if (name === 'choose') {
    assert(['fast', 'slow'].includes(input.mode) && 'deep' in input && [true, false, null].includes(input.deep), JSON.stringify(input));
    assert(!('tags' in input) || (Array.isArray(input.tags) && input.tags.length <= 3 && input.tags.every((t) => [...t].length <= 12)), JSON.stringify(input));
  } else {
    equal(name, 'stop', 'the tool');
    equal(keys, [], 'its arguments');
  }
}
const ask = (seed, more) => ({ model: 'm', max_tokens: 1500, temperature: 1, seed, messages: [{ role: 'user', content: `do something ${seed}` }], ...more });
const calls = (content) => content.filter((block) => block.type === 'tool_use');
const said = ({ content }) => content.filter((block) => block.type === 'text').map((block) => block.text).join('');

test('a model of random weights calls when it must, only what it may, and answers in the schema', async () => {
  const server = await serve(tinyModel(), { args: ['--ctx', '65536', '--parallel', '4', '--threads', '1'] });
  try {
    const message = async (seed, more) => {
      const { json, status, raw } = await post(server, '/v1/messages', ask(seed, more));
      equal(status, 200, raw.slice(0, 300));
      return json;
    };
    for (let seed = 1; seed <= 4; ++seed) {
      const any = await message(seed, { tools, tool_choice: { type: 'any', disable_parallel_tool_use: true } });
      equal(any.stop_reason, 'tool_use', JSON.stringify(any.content));
      equal(any.content.map((block) => block.type), ['tool_use'], 'any: one call and nothing else');
      checkInput(any.content[0].name, any.content[0].input);
      const named = await message(seed, { tools, tool_choice: { type: 'tool', name: 'choose', disable_parallel_tool_use: true } });
      equal(calls(named.content).map((call) => call.name), ['choose'], 'the named tool');
      checkInput('choose', named.content[0].input);
      const none = await message(seed, { tools, tool_choice: { type: 'none' }, max_tokens: 80 });
      equal(calls(none.content), [], 'none');
      assert(!said(none).includes('<tool_call>'), said(none));
      const schema = { type: 'object', properties: { verdict: { enum: ['yes', 'no'] }, score: { type: 'integer', minimum: 0, maximum: 10 }, why: word }, required: ['verdict', 'score', 'why'], additionalProperties: false };
      const formatted = await message(seed, { output_config: { format: { type: 'json_schema', schema } } });
      const value = JSON.parse(said(formatted));
      assert(['yes', 'no'].includes(value.verdict) && Number.isInteger(value.score) && value.score >= 0 && value.score <= 10 && typeof value.why === 'string', said(formatted));
      equal(formatted.stop_reason, 'end_turn', 'the schema ends the answer');
    }
    // Several at once, streamed: whatever ended by itself is whole calls with valid arguments.
    const streams = await Promise.all([1, 2, 3, 4].map((seed) => stream(server, ask(seed, { tools, tool_choice: { type: 'any' }, max_tokens: 400 }))));
    for (const { events } of streams) {
      const blocks = events.filter((e) => e.event === 'content_block_start').map((e) => e.data.content_block);
      assert(blocks.length >= 1 && blocks.every((block) => block.type === 'tool_use'), JSON.stringify(blocks));
      const ended = events.find((e) => e.event === 'message_delta').data.delta.stop_reason;
      blocks.forEach((block, i) => {
        const json = events.filter((e) => e.event === 'content_block_delta' && e.data.index === i).map((e) => e.data.delta.partial_json).join('');
        if (ended === 'tool_use' || i + 1 < blocks.length) checkInput(block.name, JSON.parse(json || '{}'));
      });
    }
  } finally { equal((await server.stop()).code, 0, 'exit code'); }
});

test('a hostile or unusable schema is answered all the same', async () => {
  const server = await serve(tinyModel(), { args: ['--ctx', '32768', '--threads', '1'] });
  try {
    const schemas = [
      { $ref: '#' }, { type: 'object', properties: { a: { $ref: '#/properties/a' } }, required: ['a'] }, { not: {} },
      { type: 'string', pattern: '(?<=x)y' }, { allOf: [{ $ref: '#/allOf/0' }] }, { type: 'array', minItems: 1e9 },
      { type: 'object', properties: Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`key${i}`, { type: 'string', maxLength: 4000 }])) },
    ];
    for (const schema of schemas) {
      const { status, raw } = await post(server, '/v1/messages', ask(1, { max_tokens: 40, output_config: { format: { type: 'json_schema', schema } } }));
      equal(status, 200, raw.slice(0, 300));
      const { status: called, raw: more } = await post(server, '/v1/messages', ask(1, { max_tokens: 40, tools: [{ name: 't', input_schema: schema }], tool_choice: { type: 'any' } }));
      equal(called, 200, more.slice(0, 300));
    }
  } finally { equal((await server.stop()).code, 0, 'exit code'); }
});

test('a thought ends within its budget, in the dialect\'s words, and an answer follows', async () => {
  const server = await serve(fakeModel({ rules: [{ say: `<think>\n${'I wonder about this and that. '.repeat(40)}\n</think>\n\nThe answer.` }] }));
  try {
    const ask = async (thinking, max_tokens = 4000) => {
      const { json, raw } = await post(server, '/v1/messages', { model: 'm', max_tokens, thinking, messages: [{ role: 'user', content: 'go on' }] });
      assert(json?.content, raw);
      return { thought: json.content.filter((b) => b.type === 'thinking').map((b) => b.thinking).join(''), text: said(json), json };
    };
    const free = await ask({ type: 'adaptive' });
    assert(free.thought.length > 1100 && free.text === 'The answer.', JSON.stringify(free.json));
    const cut = await ask({ type: 'enabled', budget_tokens: 100 });
    assert(cut.thought.length > 50 && cut.thought.length <= 100, `${cut.thought.length} characters of thought`);
    assert(cut.text.length > 0, JSON.stringify(cut.json));
    // No budget, but max_tokens would be used up by the thought alone.
    const small = await ask({ type: 'adaptive' }, 400);
    assert(small.thought.length <= 300 && small.text.length > 0, JSON.stringify(small.json));
  } finally { equal((await server.stop()).code, 0, 'exit code'); }
});
