// Prefix stability with real clients: consecutive requests of Claude Code (both versions), OpenCode and pi, recorded while
// they work through many turns (tools, parallel calls, a failed call, resume, an interrupt, subagents, tool search,
// compaction) against the scripted model, are rendered by the templates of nine families, and each must extend the one
// before. Nothing recorded is written down. Prints a table: client x template, the share of each prompt that the next one
// begins with; and what a template that drops old thoughts would cost if it had its way.
//
// The templates are those of HEARTH_TEMPLATES or ../shared/templates; without them two of our own stand in, and the table
// says so.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { assert, call, checkout, claudeVersions, fakeModel, hearth, run, serve, test } from './harness.mjs';
import { claudeCode, opencode, pi } from './clients.mjs';
import { recorder } from './recorder.mjs';

const folder = process.env.HEARTH_TEMPLATES || path.join(checkout, '..', 'shared', 'templates');
const wanted = {
  'Qwen3': 'Qwen-Qwen3-0.6B', 'Qwen3.5': 'Qwen3.5-4B', 'Qwen3-Coder': 'Qwen3-Coder', 'Gemma 4': 'google-gemma-4-31B-it', 'gpt-oss': 'openai-gpt-oss-120b',
  'Llama 3.1': 'meta-llama-Llama-3.1-8B-Instruct', 'DeepSeek V3.1': 'deepseek-ai-DeepSeek-V3.1', 'DeepSeek V3.2': 'deepseek-ai-DeepSeek-V3.2', 'GLM 4.6': 'GLM-4.6',
};
// A template that drops the thoughts of turns before the last user's words, and one that knows neither thoughts nor calls.
const own = {
  'own, drops thoughts': `{%- set ns = namespace(last=0) %}{%- for m in messages %}{%- if m.role == 'user' %}{%- set ns.last = loop.index0 %}{%- endif %}{%- endfor %}
{%- if tools %}{{- '<|im_start|>tools\\n' }}{%- for t in tools %}{{- t | tojson + '\\n' }}{%- endfor %}{{- '<|im_end|>\\n' }}{%- endif %}
{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' }}{%- if m.role == 'assistant' and m.reasoning_content and loop.index0 > ns.last %}{{- '<think>\\n' + m.reasoning_content + '\\n</think>\\n\\n' }}{%- endif %}
{{- m.content }}{%- for c in m.tool_calls or [] %}{{- '\\n<tool_call>\\n{"name": "' + c.function.name + '", "arguments": ' + (c.function.arguments | tojson) + '}\\n</tool_call>' }}{%- endfor %}{{- '<|im_end|>\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}`,
  'own, text only': `{%- for m in messages %}{{- '[' + m.role + '] ' + m.content + '\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '[assistant] ' }}{%- endif %}`,
};
function templates() {
  if (existsSync(folder)) {
    const all = Object.entries(wanted).map(([name, file]) => [name, path.join(folder, `${file}.jinja`)]);
    for (const [name, file] of all) assert(existsSync(file), `no template ${name} at ${file}`);
    return all;
  }
  console.log(`     note: no templates at ${folder} (HEARTH_TEMPLATES names another folder): only our own are tried`);
  const at = mkdtempSync(path.join(os.tmpdir(), 'hearth-e2e-templates-'));
  return Object.entries(own).map(([name, text], i) => {
    const file = path.join(at, `${i}.jinja`);
    writeFileSync(file, text);
    return [name, file];
  });
}

// ---- what the scripted model says; `names` are the client's tools ------------------------------------------------

const think = (text) => `<think>\n${text}\n</think>\n\n`;
function script({ bash, write, edit, helpers, search }) {
  const file = path.join(mkdtempSync(path.join(os.tmpdir(), 'hearth-e2e-stable-')), 'notes.txt');
  const rule = (words, tool_results, say, more = {}) => ({ when: { last_user_contains: [words], ...(tool_results === null ? {} : { tool_results }) }, say, ...more });
  return {
    name: 'scripted', context_tokens: 1048576, otherwise: `${think('Nothing to do.')}OK.`,
    rules: [
      rule('PART-ONE', 0, `${think('I will write a file first.')}Writing.\n${call(write, write === 'Write' ? { content: 'first\nsecond <b>line</b>\n', file_path: file } : { content: 'first\nsecond <b>line</b>\n', [write === 'write' && edit === 'edit-pi' ? 'path' : 'filePath']: file })}`),
      rule('PART-ONE', 1, `${think('Both at once.')}${call(bash, { description: 'slow', command: 'sleep 0.5; echo one' })}\n${call(bash, { command: 'echo two', description: 'fast', timeout: 5000 })}`),
      rule('PART-ONE', 3, `${think('Look.')}Looking.\n${call(bash, { command: `cat ${file}; echo "é 中 🙂"`, description: 'show' })}`),
      rule('PART-ONE', 4, `${think('One that fails.')}${call(bash, { command: 'echo wrong >&2; false', description: 'fail' })}`),
      rule('PART-ONE', 5, `${think('Wrap up.')}Part one is done:\n\n- a file\n- four commands\n`),
      ...(search ? [rule('PART-TWO', 0, call('ToolSearch', { query: 'select:WebFetch,NotebookEdit', max_results: 5 }))] : [rule('PART-TWO', 0, call(bash, { command: 'echo zero', description: 'zero' }))]),
      rule('PART-TWO', 1, `${think('Now run something.')}${call(bash, { command: 'echo loaded', description: 'echo' })}`),
      rule('PART-TWO', 2, 'Part two is done.'),
      { when: { contains: ['HELPER-TASK'], not_contains: ['PART-THREE'], tool_results: 0 }, say: `${think('Help.')}${call(bash, { command: 'echo helped', description: 'help' })}` },
      { when: { contains: ['HELPER-TASK'], not_contains: ['PART-THREE'] }, say: 'The helper is done.' },
      ...(helpers ? [rule('PART-THREE', 0, ['one', 'two'].map((x) => call(helpers.name, { description: x, prompt: `HELPER-TASK ${x}`, subagent_type: helpers.type })).join('\n'))] : []),
      rule('PART-THREE', null, `${think('They are on their way.')}Part three is done.`),
      rule('PART-SLOW', null, `${think('This takes a while.')}Slow ${'words '.repeat(400)}`, { token_delay_ms: 20 }),
      rule('PART-FIVE', 0, `${think('After the interrupt.')}${call(bash, { command: 'echo five', description: 'five' })}`),
      rule('PART-FIVE', 1, 'Part five is done.'),
    ],
  };
}

// ---- rendering and comparing --------------------------------------------------------------------------------------

function render(template, body, more = []) {
  return new Promise((resolve, reject) => {
    const child = spawn(hearth, ['debug', 'render', '--template', template, '--bos', '<bos>', '--eos', '<eos>', '--provenance=json', ...more], { stdio: ['pipe', 'pipe', 'pipe'] });
    const out = [];
    let said = '';
    child.stdout.on('data', (part) => out.push(part));
    child.stderr.on('data', (part) => { said += part; });
    child.stdin.on('error', () => {});
    child.on('error', reject);
    child.on('close', (code) => {
      if (code !== 0) return reject(new Error(`debug render ended with ${code}: ${said.slice(0, 600)}`));
      const { text, runs } = JSON.parse(Buffer.concat(out).toString());
      const lastOf = (test) => runs.reduce((end, run) => (test(run.from) ? run.end : end), 0);
      resolve({ bytes: Buffer.from(text), said: lastOf((from) => from !== 'template'), head: lastOf((from) => from === 'tools' || from === 'system') });
    });
    child.stdin.end(JSON.stringify(body));
  });
}
function commonPrefix(a, b) {
  const end = Math.min(a.length, b.length);
  let at = 0;
  while (at < end && a[at] === b[at]) at += 1;
  return at;
}
async function inLanes(jobs, lanes = 2) {
  const results = new Array(jobs.length);
  let next = 0;
  await Promise.all(Array.from({ length: lanes }, async () => { for (let i; (i = next++) < jobs.length;) results[i] = await jobs[i](); }));
  return results;
}

// Conversations that go on: by agent in Claude Code, by session in OpenCode; a request without tools (a title, a summary) belongs to none.
function threads(requests) {
  const all = new Map();
  for (const request of requests) {
    if (request.path.replace('/v1/v1/', '/v1/') !== '/v1/messages' || request.status !== 200 || !request.body.tools?.length) continue;
    const name = request.headers['x-claude-code-agent-id'] ?? request.headers['x-session-id'] ?? 'main';
    if (!all.has(name)) all.set(name, []);
    all.get(name).push(request);
  }
  return all;
}
const saysSummary = (request) => JSON.stringify(request.body.messages.at(-1)).includes('summary of the conversation');
// What the next request may keep: all that was said; after a compaction only the head.
function pairs(requests) {
  const list = [];
  for (const [thread, all] of threads(requests)) {
    for (let i = 1; i < all.length; i += 1) {
      let before = all[i - 1];
      const compacted = all[i].body.messages.length < before.body.messages.length;
      // A summary's question is not part of the conversation that goes on.
      if (!compacted && saysSummary(before)) before = all.slice(0, i - 1).findLast((r) => !saysSummary(r)) ?? before;
      list.push({ thread, before, after: all[i], compacted });
    }
  }
  return list;
}

const shown = (bytes, at) => JSON.stringify(bytes.subarray(Math.max(0, at - 60), at + 60).toString());
// `normal`: what both texts are put through first, where only part of a difference is looked for.
async function compare(requests, template, more = [], normal = null) {
  const found = pairs(requests);
  const bodies = [...new Set(found.flatMap((pair) => [pair.before, pair.after]))];
  const rendered = new Map((await inLanes(bodies.map((request) => () => render(template, request.body, more)))).map((prompt, i) => [bodies[i], prompt]));
  const result = { pairs: found.length, kept: 0, of: 0, worst: 1, differences: [] };
  for (const { thread, before, after, compacted } of found) {
    let [a, b] = [rendered.get(before), rendered.get(after)];
    let wantedBytes = compacted ? a.head : a.said;
    if (normal) {
      [a, b] = [{ bytes: normal(a.bytes.subarray(0, wantedBytes)) }, { bytes: normal(b.bytes) }];
      wantedBytes = a.bytes.length;
    }
    const common = Math.min(commonPrefix(a.bytes, b.bytes), wantedBytes);
    result.kept += common;
    result.of += wantedBytes;
    result.worst = Math.min(result.worst, wantedBytes ? common / wantedBytes : 1);
    if (common < wantedBytes) {
      result.differences.push(`request ${before.at} -> ${after.at} (${thread}, ${compacted ? 'after a compaction' : `${before.body.messages.length} -> ${after.body.messages.length} messages`}) at byte ${common} of ${wantedBytes}:\n         before ${shown(a.bytes, common)}\n         after  ${shown(b.bytes, common)}`);
    }
  }
  return result;
}

// Templates that write an old turn without its thoughts, in a form no message can undo. What they take away is printed,
// and must be nothing else; a running server puts the sampled turn in its place (turns.test.mjs, turn_splice_test.cpp).
const dropsThoughts = new Set(['Gemma 4', 'gpt-oss', 'DeepSeek V3.2', 'GLM 4.6']);
function withoutThoughts(request) {
  const messages = request.body.messages.map((message) => {
    if (message.role !== 'assistant' || !Array.isArray(message.content)) return message;
    // gpt-oss takes words beside a call for a thought.
    const calls = message.content.some((block) => block.type === 'tool_use');
    return { ...message, content: message.content.filter((block) => block.type !== 'thinking' && !(calls && block.type === 'text')) };
  });
  return { ...request, body: { ...request.body, messages } };
}

const withoutEmptyThoughts = (bytes) => Buffer.from(bytes.toString().replaceAll(/<think>\s*<\/think>/g, '</think>'));

const percent = (part, whole) => `${(whole ? (100 * part) / whole : 100).toFixed(2)} %`;
async function report(client, requests) {
  const found = pairs(requests);
  console.log(`     ${client}: ${requests.length} requests, ${found.length} pairs, ${found.filter((p) => p.compacted).length} after a compaction, threads ${[...threads(requests).keys()].length}`);
  // The engine's own count: what it read from its cache against the prompt before and the answer to it.
  let [read, held] = [0, 0];
  for (const { before, after, compacted } of found) {
    if (compacted || before.cut || !before.usage || !after.usage) continue;
    const had = before.usage.input_tokens + (before.usage.cache_read_input_tokens ?? 0) + (before.usage.cache_creation_input_tokens ?? 0) + before.usage.output_tokens - 1;
    read += Math.min(had, after.usage.cache_read_input_tokens ?? 0);
    held += had;
  }
  console.log(`     ${client.padEnd(24)} ${'engine, fake template'.padEnd(20)} ${percent(read, held).padStart(9)}   of prompt and answer read from the cache`);
  const failures = [];
  for (const [name, file] of templates()) {
    const result = await compare(requests, file);
    console.log(`     ${client.padEnd(24)} ${name.padEnd(20)} ${percent(result.kept, result.of).padStart(9)}   worst ${percent(result.worst, 1)}${result.differences.length ? `   ${result.differences.length} of ${result.pairs} pairs differ` : ''}`);
    let unexplained = result;
    if (result.differences.length > 0 && dropsThoughts.has(name)) {
      console.log(`     ${''.padEnd(24)}   the template drops old thoughts: ${result.differences[0]}`);
      unexplained = await compare(requests.map((r) => (r.body?.messages ? withoutThoughts(r) : r)), file, [], withoutEmptyThoughts);
    }
    if (unexplained.differences.length > 0) failures.push(`${client}, ${name}: ${unexplained.differences[0]}`);
    if (client.includes(claudeVersions[0])) {
      const theirs = await compare(requests, file, ['--canonicalize-off', 'old-thinking']);
      if (theirs.kept < result.kept) console.log(`     ${''.padEnd(24)} ${''.padEnd(20)} ${percent(theirs.kept, theirs.of).padStart(9)}   if old thoughts were left to the template (--canonicalize-off old-thinking)`);
    }
  }
  assert(failures.length === 0, `prompts that do not extend the one before:\n       ${failures.join('\n       ')}`);
  assert(held > 0 && read / held > 0.97, `the engine read ${percent(read, held)} from its cache`);
}

async function record(names, body) {
  const server = await serve(fakeModel(script(names)), { args: ['--ctx', '1048576'] });
  const recorded = await recorder(server);
  try {
    await body(server, recorded.url);
    return recorded.requests;
  } finally { recorded.close(); await server.stop(); }
}

for (const version of claudeVersions) {
  test(`Claude Code ${version}: every prompt extends the one before it, by nine templates`, async () => {
    const helpers = { name: 'Agent', type: 'general-purpose' };
    const requests = await record({ bash: 'Bash', write: 'Write', edit: 'Edit', helpers, search: version !== '2.1.197' }, async (server, base) => {
      let session;
      const say = async (prompt, more = {}) => {
        const result = await claudeCode(version, server, prompt, { base, session, ...more });
        assert(more.interrupt_ms || result.code === 0, `${prompt}: exit ${result.code}: ${result.stdout.slice(-500)} ${result.stderr.slice(-500)}`);
        session = { home: result.home, work: result.work };
        return result.stdout;
      };
      assert((await say('PART-ONE please')).includes('Part one is done'), 'part one');
      assert((await say('PART-TWO please')).includes('Part two is done'), 'part two');
      await say('PART-THREE please');
      await say('PART-SLOW please', { interrupt_ms: 4500 });
      assert((await say('PART-FIVE please')).includes('Part five is done'), 'part five');
      await say('/compact');
      await say('And after that?');
    });
    // Nothing of what this test is about was left out.
    assert(requests.some((request) => request.cut), 'no answer was interrupted');
    assert(pairs(requests).some((pair) => pair.compacted), 'nothing was compacted');
    assert([...threads(requests).keys()].length === 3, 'no two subagents worked');
    assert(version === '2.1.197' || requests.some((request) => JSON.stringify(request.body ?? '').includes('"tool_reference"')), 'no tool was searched for');
    await report(`Claude Code ${version}`, requests);
  }, { limit_s: 280 });
}

test('OpenCode: every prompt extends the one before it, by nine templates', async () => {
  const requests = await record({ bash: 'bash', write: 'write', edit: 'edit', helpers: { name: 'task', type: 'general' } }, async (server, base) => {
    let session;
    for (const prompt of ['PART-ONE please', 'PART-TWO please', 'PART-THREE please', 'PART-FIVE please']) {
      const result = await opencode(server, prompt, { base, session, context: 1000000 });
      assert(result.code === 0, `${prompt}: exit ${result.code}: ${result.stdout.slice(-500)} ${result.stderr.slice(-500)}`);
      session = result;
    }
  });
  await report('OpenCode', requests);
}, { limit_s: 280 });

test('pi: every prompt extends the one before it, by nine templates', async () => {
  const requests = await record({ bash: 'bash', write: 'write', edit: 'edit-pi' }, async (server, base) => {
    let session;
    for (const prompt of ['PART-ONE please', 'PART-TWO please', 'PART-THREE please', 'PART-FIVE please']) {
      const result = await pi(server, prompt, { base, session, context: 1000000 });
      assert(result.code === 0, `${prompt}: exit ${result.code}: ${result.stdout.slice(-500)} ${result.stderr.slice(-500)}`);
      session = result;
    }
  });
  await report('pi', requests);
}, { limit_s: 280 });

test('turn memory: on real templates each turn stands as it was sampled, with its thoughts', async () => {
  templates();  // says so when there are none
  const program = path.join(checkout, 'build', process.env.HEARTH_PRESET || 'release', 'src', 'chat', 'chat_test');
  const result = await run(program, ['-tc=on real templates*'], { env: { ...process.env, HEARTH_TEMPLATES: folder } });
  for (const line of result.stdout.split('\n')) if (line.includes('turns as sampled')) console.log(`     ${line.replace(/^.*MESSAGE: /, '')}`);
  assert(result.code === 0, result.stdout.slice(-3000));
});
