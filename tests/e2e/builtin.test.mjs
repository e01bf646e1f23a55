// The built-in model really works: with no model named, Claude Code and OpenCode create, edit, run and do one after the other, and the
// files are there afterwards. models/mini/clients.mjs does the same with all of its instructions.
import { test, assert, equal, serve, post, claudeVersions } from './harness.mjs';
import { claudeCode, opencode } from './clients.mjs';
import { instructions } from '../../models/mini/instructions.mjs';

const tool = (name, description, ...required) => ({ name, description, input_schema: { type: 'object', properties: Object.fromEntries(required.map((p) => [p, { type: 'string' }])), required } });
const tools = [tool('save_file', 'Write text to a file.', 'file_path', 'content'), tool('shell', 'Run a shell command.', 'command')];
const pick = (...numbers) => numbers.map((number) => instructions[number]);

async function carryOut(client, list) {
  const server = await serve(null, { args: ['--threads', '2'] });
  try {
    for (const { ask, before, right } of list) {
      const result = await client(server, ask, before);
      assert(right(result.work, result.stdout), `${ask}\n${result.stdout.slice(-800)}\n${result.stderr.slice(-400)}`);
    }
  } finally { await server.stop(); }
}

// A sample that is sure: models/mini/README.md says what else works, and how often.
test(`the built-in model: Claude Code ${claudeVersions[0]} creates, edits, and runs what it created`,
  () => carryOut((server, ask, before) => claudeCode(claudeVersions[0], server, ask, { before, tools: 'Bash,Read,Write,Edit,Glob,Grep' }), pick(0, 8, 16)), { slots: 2 });

test('the built-in model: OpenCode edits, and does one thing after the other',
  () => carryOut((server, ask, before) => opencode(server, ask, { before }), pick(10, 17)), { slots: 2 });

test('the built-in model: the caller\'s own tools, and no call where none is asked for', async () => {
  const server = await serve(null, { args: ['--threads', '2'] });
  try {
    const body = (content) => ({ model: 'local', max_tokens: 400, thinking: { type: 'disabled' }, tools, messages: [{ role: 'user', content }] });
    const made = (await post(server, '/v1/messages', body("Create a file called fruit.txt with the content 'ripe plums'"))).json;
    equal(made.content.filter((b) => b.type === 'tool_use').map((b) => [b.name, b.input]), [['save_file', { file_path: 'fruit.txt', content: 'ripe plums' }]], 'the call');
    const ran = (await post(server, '/v1/messages', body('Run the command `uptime`'))).json;
    equal(ran.content.filter((b) => b.type === 'tool_use').map((b) => [b.name, b.input]), [['shell', { command: 'uptime' }]], 'the command');
    const talk = (await post(server, '/v1/messages', body('Hello, who are you?'))).json;
    equal(talk.stop_reason, 'end_turn', 'small talk ends the turn');
    assert(talk.content.some((b) => b.text?.includes('demonstration model')), JSON.stringify(talk.content));
  } finally { await server.stop(); }
});
