// The built-in model really works: with no model named, Claude Code and OpenCode create, read, edit and run, and the files
// are there afterwards. models/mini/clients.mjs does the same with all of its instructions.
import { test, assert, equal, serve, post, claudeVersions } from './harness.mjs';
import { claudeCode, opencode } from './clients.mjs';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { checkout } from './harness.mjs';
import { instructions } from '../../models/mini/instructions.mjs';

const tool = (name, description, ...required) => ({ name, description, input_schema: { type: 'object', properties: Object.fromEntries(required.map((p) => [p, { type: 'string' }])), required } });
const tools = [tool('make_document', 'Create a document on disk.', 'where', 'what'), tool('shell', 'Run a command.', 'line')];
const pick = (...numbers) => numbers.map((number) => instructions[number]);

// The trained file is the last thing to be committed (models/mini/README.md says how far it is).
const there = existsSync(path.join(checkout, 'models', 'mini', 'hearth-mini.gguf'));
const testIfThere = there ? test : () => {};

async function carryOut(client, list) {
  const server = await serve(null, { args: ['--threads', '2'] });
  try {
    for (const { ask, before, right } of list) {
      const result = await client(server, ask, before);
      assert(right(result.work, result.stdout), `${ask}\n${result.stdout.slice(-800)}\n${result.stderr.slice(-400)}`);
    }
  } finally { await server.stop(); }
}

for (const version of claudeVersions) {
  testIfThere(`the built-in model: Claude Code ${version} creates, edits and runs`, () => carryOut((server, ask, before) => claudeCode(version, server, ask, { before }), pick(0, 8, 16)), { slots: 2 });
}
testIfThere('the built-in model: OpenCode creates, reads and runs', () => carryOut((server, ask, before) => opencode(server, ask, { before }), pick(1, 5, 13)), { slots: 2 });

testIfThere('the built-in model: the caller\'s own tools, and no call where none is asked for', async () => {
  const server = await serve(null, { args: ['--threads', '2'] });
  try {
    const body = (content) => ({ model: 'local', max_tokens: 400, thinking: { type: 'disabled' }, tools, messages: [{ role: 'user', content }] });
    const made = (await post(server, '/v1/messages', body("Create a file called fruit.txt with the content 'ripe plums'"))).json;
    equal(made.content.filter((b) => b.type === 'tool_use').map((b) => [b.name, b.input]), [['make_document', { where: 'fruit.txt', what: 'ripe plums' }]], 'the call');
    const ran = (await post(server, '/v1/messages', body('Run the command `uptime`'))).json;
    equal(ran.content.filter((b) => b.type === 'tool_use').map((b) => [b.name, b.input]), [['shell', { line: 'uptime' }]], 'the command');
    const talk = (await post(server, '/v1/messages', body('Hello, who are you?'))).json;
    equal(talk.stop_reason, 'end_turn', 'small talk ends the turn');
    assert(talk.content.some((b) => b.text?.includes('demonstration model')), JSON.stringify(talk.content));
  } finally { await server.stop(); }
});
