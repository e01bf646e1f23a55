// Turn memory: the turn after the next one costs only what is new, whatever the client made of our turn in between.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test, assert, equal, serve, fakeModel, post, checkout } from './harness.mjs';

const user = (content) => ({ role: 'user', content });
const marked = { cache_control: { type: 'ephemeral' } };
const prompt = (usage) => usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens;

// Blanks and an order of keys that no template writes, and a default that the client will add.
const sampledCall = '<think>\nI edit the file.\n</think>\n\nEditing.\n<tool_call>\n{ "name" : "Edit",  "arguments" : {"new": "b\\u00e9", "file":   "a.txt",   "count": "5"} }\n</tool_call>';
const tools = [{
  name: 'Edit', description: 'Edits.', input_schema: {
    type: 'object', properties: { file: { type: 'string' }, new: { type: 'string' }, count: { type: 'integer' }, all: { type: 'boolean', default: false } },
  },
}];

test('a call that the client wrote anew costs nothing: the next turn reads all of it from the cache', async () => {
  const server = await serve(fakeModel({
    rules: [{ when: { contains: ['EDIT-IT'], tool_results: 0 }, say: sampledCall }, { when: { contains: ['EDIT-IT'] }, say: 'Done.' }],
  }));
  try {
    const ask = (messages) => post(server, '/v1/messages', { model: 'm', max_tokens: 500, ...marked, thinking: { type: 'enabled', budget_tokens: 1024 }, tools, messages });
    const first = (await ask([user('EDIT-IT')])).json;
    equal(first.stop_reason, 'tool_use', 'stop reason');
    const call = first.content.at(-1);
    equal(call.input, { new: 'bé', file: 'a.txt', count: 5 }, 'the call');
    const replay = (input) => [user('EDIT-IT'), { role: 'assistant', content: first.content.map((b) => (b.type === 'tool_use' ? { ...b, input } : b)) },
      user([{ type: 'tool_result', tool_use_id: call.id, content: 'edited' }])];
    const messages = replay({ all: false, file: 'a.txt', new: 'bé', count: 5 });
    const counted = (await post(server, '/v1/messages/count_tokens', { model: 'm', thinking: { type: 'enabled', budget_tokens: 1024 }, tools, messages })).json;
    const second = (await ask(messages)).json;
    const held = prompt(first.usage) + first.usage.output_tokens - 1;  // all but the token that ended the turn
    assert(second.usage.cache_read_input_tokens >= held, `read ${second.usage.cache_read_input_tokens} of ${held} tokens from the cache`);
    equal(counted.input_tokens, prompt(second.usage), 'count_tokens');
    // The comparison sees a change: another value is rendered, and read from there on.
    const changed = (await ask(replay({ file: 'b.txt', new: 'bé', count: 5 }))).json;
    assert(changed.usage.cache_read_input_tokens < held, 'a changed call was taken for the old one');
    assert(prompt(changed.usage) < prompt(second.usage), 'a changed call was not rendered as it is now');
  } finally { await server.stop(); }
});

const folder = process.env.HEARTH_TEST_MODELS || path.join(process.env.HEARTH_CACHE || path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'hearth'), 'models');
for (const kind of ['attention', 'hybrid']) {
  test(`a tiny ${kind} model: text that no tokenizer would cut so is read from the cache as it was sampled`, async () => {
    mkdirSync(folder, { recursive: true });
    const model = path.join(folder, `e2e-turns-${kind}.gguf`);
    execFileSync(path.join(checkout, 'build', process.env.HEARTH_PRESET || 'release', 'bin', 'tiny_model'), [kind, model, '--end-scale', '3']);
    const server = await serve(model, { args: ['--ctx', '16384', '--parallel', '2', '--threads', '1'] });
    try {
      const ask = (messages, seed) => post(server, '/v1/messages', { model: 'm', max_tokens: 400, ...marked, temperature: 1, seed, messages });
      let covered = 0;
      for (let seed = 1; seed <= 12 && covered < 3; seed += 1) {
        const question = [user(`Say something, please: ${seed}.`)];
        const first = (await ask(question, seed)).json;
        if (first.stop_reason !== 'end_turn' || first.usage.output_tokens < 6 || first.content.length !== 1 || first.content[0].text === '(no answer)') continue;
        const second = (await ask([...question, { role: 'assistant', content: first.content }, user('Go on.')], seed)).json;
        const held = prompt(first.usage) + first.usage.output_tokens - 1;
        // A step's last token may not be computed yet when the turn ends.
        assert(second.usage.cache_read_input_tokens >= held - 1, `${kind}, seed ${seed}: read ${second.usage.cache_read_input_tokens} of ${held} tokens from the cache`);
        covered += 1;
      }
      assert(covered > 0, 'no answer of the tiny model ended by itself');
    } finally { await server.stop(); }
  });
}
