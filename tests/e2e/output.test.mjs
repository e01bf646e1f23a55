// What real clients make of what the model writes: parallel calls beside a thought, a call that the limit cut, one that the
// model itself broke off, calls that had to be repaired, and text that only looks like a call. Each test looks at what
// was done in the work folder and at what the client sends back, because that is what the model sees next.
import http from 'node:http';
import path from 'node:path';
import { existsSync } from 'node:fs';
import { test, assert, equal, serve, fakeModel, claude, claudeVersions, call } from './harness.mjs';
import { opencode } from './clients.mjs';

// Passes every request on and keeps the bodies of the messages, so that a test can see what the client remembers.
async function recordingProxy(server) {
  const requests = [];
  const proxy = http.createServer((incoming, outgoing) => {
    const parts = [];
    const upstream = http.request(`${server.url}${incoming.url}`, { method: incoming.method, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    upstream.on('error', () => outgoing.destroy());
    outgoing.on('close', () => upstream.destroy());
    incoming.on('data', (part) => { parts.push(part); upstream.write(part); });
    incoming.on('end', () => {
      upstream.end();
      if (!/\/messages(\?|$)/.test(incoming.url)) return;
      requests.push(JSON.parse(Buffer.concat(parts).toString()));
    });
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return { base: `http://127.0.0.1:${proxy.address().port}`, requests, close: () => { proxy.closeAllConnections(); proxy.close(); } };
}

const blocksOf = (message) => (typeof message.content === 'string' ? [{ type: 'text', text: message.content }] : message.content);
// The assistant's blocks of the first request that holds an answer to `task`, and the results that follow them.
function answered(requests, task) {
  for (const { messages } of requests) {
    if (!JSON.stringify(messages[0]).includes(task) && !JSON.stringify(messages).includes(task)) continue;
    const at = messages.findIndex((m) => m.role === 'assistant');
    if (at < 0) continue;
    const results = messages.slice(at + 1).flatMap(blocksOf).filter((b) => b.type === 'tool_result');
    return { blocks: messages.filter((m) => m.role === 'assistant').flatMap(blocksOf), results, messages };
  }
  throw new Error(`no request with an answer to ${task} in ${requests.length}`);
}

async function withModel(rules, body) {
  const server = await serve(fakeModel({ name: 'scripted', context_tokens: 262144, rules, otherwise: 'OK.' }));
  const proxy = await recordingProxy(server);
  try { await body(proxy, server); } finally { proxy.close(); await server.stop(); }
}

const file = (name, content) => call('Write', { file_path: name, content });
const shell = (command) => call('Bash', { command, description: 'As asked' });

for (const version of claudeVersions) {
  test(`Claude Code ${version} gets a thought, text and two calls of one answer, and sends them back as they were`, async () => withModel([
    { when: { contains: ['TWO-AND-A-THOUGHT'], tool_results: 0 }, say: `<think>\nTwo files, then I say so.\n</think>\n\nI write both.\n${shell('echo one > one.txt')}\n${shell('printf "a\\tb\\n" > "two words.txt"')}` },
    { when: { contains: ['TWO-AND-A-THOUGHT'], tool_results: 2 }, say: 'Both are there.' },
  ], async (proxy) => {
    const result = await claude(version, null, 'TWO-AND-A-THOUGHT please', { base: proxy.base });
    equal([result.read('one.txt'), result.read('two words.txt')], ['one\n', 'a\tb\n'], 'the files');
    assert(result.stdout.includes('Both are there.'), `answer: ${result.stdout}${result.stderr}`);
    const { blocks, results } = answered(proxy.requests, 'TWO-AND-A-THOUGHT');
    equal(blocks.map((b) => b.type), ['thinking', 'text', 'tool_use', 'tool_use'], 'the blocks that come back');
    equal([blocks[0].thinking, blocks[1].text.trimEnd()], ['Two files, then I say so.', 'I write both.'], 'thought and text');
    assert(blocks[0].signature.length > 0, 'the thought came back without its signature');
    equal(blocks[3].input.command, 'printf "a\\tb\\n" > "two words.txt"', 'the second command');
    equal(results.map((r) => r.tool_use_id).sort(), blocks.slice(2).map((b) => b.id).sort(), 'ids of the results');
  }));

  test(`Claude Code ${version} does not run a call that the token limit cut`, async () => withModel([
    { when: { contains: ['CUT-BY-LIMIT'], tool_results: 0 }, say: `I write it.\n${file('big.txt', 'line of the file\n'.repeat(200))}` },
    { when: { contains: ['CUT-BY-LIMIT'] }, say: 'It did not fit.' },
  ], async (proxy) => {
    const result = await claude(version, null, 'CUT-BY-LIMIT please', { base: proxy.base, env: { CLAUDE_CODE_MAX_OUTPUT_TOKENS: '600' } });
    assert(!existsSync(path.join(result.work, 'big.txt')), 'half a file was written');
    const { blocks, results } = answered(proxy.requests, 'CUT-BY-LIMIT');
    const [text, cut] = blocks;
    equal([text.text.trimEnd(), cut.type, cut.name], ['I write it.', 'tool_use', 'Write'], 'what comes back');
    // The unfinished text comes back to the model, with an error: nothing was lost and nothing was made up.
    const raw = cut.input.__unparsedToolInput?.raw ?? '';
    assert(/^\{\s*"file_path":\s*"big.txt",\s*"content":\s*"(line of the file\\n){10,}[^"]*$/.test(raw), `input: ${JSON.stringify(cut.input)}`);
    equal(results.map((r) => [r.tool_use_id, r.is_error]), [[cut.id, true]], 'its result');
    assert(result.stdout.includes('It did not fit.'), `answer: ${result.stdout}${result.stderr}`);
  }));

  test(`Claude Code ${version} does not run a call that the model broke off`, async () => withModel([
    { when: { contains: ['BROKEN-OFF'], tool_results: 0 }, say: '<tool_call>\n{"name": "Write", "arguments": {"file_path": "half.txt", "content": "the first ha' },
    { when: { contains: ['BROKEN-OFF'], tool_results: 1 }, say: file('whole.txt', 'whole\n') },
    { when: { contains: ['BROKEN-OFF'], tool_results: 2 }, say: 'Now it is whole.' },
  ], async (proxy) => {
    const result = await claude(version, null, 'BROKEN-OFF please', { base: proxy.base });
    assert(!existsSync(path.join(result.work, 'half.txt')), 'half a file was written');
    equal(result.read('whole.txt'), 'whole\n', 'the second try');
    assert(result.stdout.includes('Now it is whole.'), `answer: ${result.stdout}${result.stderr}`);
    const { blocks, results } = answered(proxy.requests, 'BROKEN-OFF');
    equal(blocks[0].input, { __unparsedToolInput: { raw: '{"file_path": "half.txt", "content": "the first ha', len: 50 } }, 'the call as it comes back');
    equal(results[0].is_error, true, 'its result');
  }));

  test(`Claude Code ${version} runs calls that had to be repaired`, async () => withModel([
    { when: { contains: ['MEND-THEM'], tool_results: 0 }, say: `<tool_call>\n{"name": "Write", "arguments": {"file_path": "lines.txt", "content": "one\ntwo\n"}}\n</tool_call>\n<tool_call>\n{"name": "Bash", "arguments": {"command": "echo "in quotes" | tr -d '\\d' > quotes.txt", "description": "d", "run_in_background": False,}}\n</tool_call>` },
    { when: { contains: ['MEND-THEM'], tool_results: 2 }, say: '<function=Bash>\n<parameter=command>\necho parameters > parameters.txt\n</parameter>\n<parameter=timeout>\n5000\n</parameter>\n</function>' },
    { when: { contains: ['MEND-THEM'], tool_results: 3 }, say: 'All three are mended.' },
  ], async (proxy) => {
    const result = await claude(version, null, 'MEND-THEM please', { base: proxy.base });
    equal(result.read('lines.txt'), 'one\ntwo\n', 'a raw line end in a string');
    equal(result.read('quotes.txt'), 'in quotes\n', 'quotes, a bad escape, a Python word and a comma too many');
    equal(result.read('parameters.txt'), 'parameters\n', 'another format without its opening tag');
    assert(result.stdout.includes('All three are mended.'), `answer: ${result.stdout}${result.stderr}`);
  }));

  test(`Claude Code ${version} is shown code that only looks like a call`, async () => withModel([
    { when: { contains: ['JUST-AN-EXAMPLE'] }, say: `A call looks so:\n\n\`\`\`\n${shell('touch never.txt')}\n\`\`\`\n\nThe tool <tool_call>{"name": "Teleport", "arguments": {}}</tool_call> does not exist.` },
  ], async (proxy) => {
    const result = await claude(version, null, 'JUST-AN-EXAMPLE please', { base: proxy.base });
    assert(!existsSync(path.join(result.work, 'never.txt')), 'an example was run');
    assert(result.stdout.includes('touch never.txt') && result.stdout.includes('Teleport'), `answer: ${result.stdout}${result.stderr}`);
  }));
}

const openFile = (name, content) => call('write', { filePath: name, content });
const openShell = (command) => call('bash', { command, description: 'As asked' });
// OpenCode asks for a title of its own; the rules speak of the task, so it gets "OK.".

test('OpenCode gets a thought, text and two calls of one answer, and sends them back as they were', async () => withModel([
  { when: { contains: ['Generate a title'] }, say: 'A title' },
  { when: { contains: ['TWO-AND-A-THOUGHT'], tool_results: 0 }, say: `<think>\nTwo files, then I say so.\n</think>\n\nI write both.\n${openShell('echo one > one.txt')}\n${openShell('printf "a\\tb\\n" > "two words.txt"')}` },
  { when: { contains: ['TWO-AND-A-THOUGHT'], tool_results: 2 }, say: 'Both are there.' },
], async (proxy) => {
  const result = await opencode(null, 'TWO-AND-A-THOUGHT please', { base: proxy.base, args: ['--variant', 'high'] });  // that asks for thinking
  equal([result.read('one.txt'), result.read('two words.txt')], ['one\n', 'a\tb\n'], 'the files');
  assert((result.stdout + result.stderr).includes('Both are there.'), `answer: ${result.stdout}${result.stderr}`);
  const { blocks, results } = answered(proxy.requests, 'TWO-AND-A-THOUGHT');
  equal(blocks.map((b) => b.type), ['thinking', 'text', 'tool_use', 'tool_use'], 'the blocks that come back');
  equal([blocks[0].thinking, blocks[1].text.trimEnd()], ['Two files, then I say so.', 'I write both.'], 'thought and text');
  assert(blocks[0].signature.length > 0, 'the thought came back without its signature');
  equal(blocks[3].input.command, 'printf "a\\tb\\n" > "two words.txt"', 'the second command');
  equal(results.map((r) => r.tool_use_id).sort(), blocks.slice(2).map((b) => b.id).sort(), 'ids of the results');
}));

test('OpenCode does not run a call that the token limit cut', async () => withModel([
  { when: { contains: ['CUT-BY-LIMIT'], tool_results: 0 }, say: `I write it.\n${openFile('big.txt', 'line of the file\n'.repeat(200))}` },
  { when: { contains: ['CUT-BY-LIMIT'] }, say: 'It did not fit.' },
], async (proxy) => {
  const result = await opencode(null, 'CUT-BY-LIMIT please', { base: proxy.base, output: 600 });
  assert(!existsSync(path.join(result.work, 'big.txt')), 'half a file was written');
  assert(result.stdout.includes('It did not fit.'), `answer: ${result.stdout}${result.stderr}`);
  const { blocks, results } = answered(proxy.requests, 'CUT-BY-LIMIT');
  equal(blocks.map((b) => b.type), ['text', 'tool_use'], 'the blocks that come back');
  // It tells the model what it wrote, and that it is no JSON.
  assert(/"content":\s*"(line of the file\\n){10}/.test(JSON.stringify(results[0].content).replaceAll('\\"', '"').replaceAll('\\\\', '\\')), `result: ${JSON.stringify(results)}`);
}));

test('OpenCode does not run a call that the model broke off', async () => withModel([
  { when: { contains: ['BROKEN-OFF'], tool_results: 0 }, say: '<tool_call>\n{"name": "write", "arguments": {"filePath": "half.txt", "content": "the first ha' },
  { when: { contains: ['BROKEN-OFF'], tool_results: 1 }, say: openFile('whole.txt', 'whole\n') },
  { when: { contains: ['BROKEN-OFF'], tool_results: 2 }, say: 'Now it is whole.' },
], async (proxy) => {
  const result = await opencode(null, 'BROKEN-OFF please', { base: proxy.base });
  assert(!existsSync(path.join(result.work, 'half.txt')), 'half a file was written');
  const { blocks, results } = answered(proxy.requests, 'BROKEN-OFF');
  equal([blocks.length, blocks[0].type, results.length], [1, 'tool_use', 1], 'blocks and results that come back');
  assert(results[0].content.includes('the first ha'), `result: ${JSON.stringify(results)}`);
  equal(result.read('whole.txt'), 'whole\n', 'the second try');
  assert((result.stdout + result.stderr).includes('Now it is whole.'), `answer: ${result.stdout}${result.stderr}`);
}));

test('OpenCode runs calls that had to be repaired', async () => withModel([
  { when: { contains: ['MEND-THEM'], tool_results: 0 }, say: `<tool_call>\n{"name": "bash", "arguments": {"command": "printf 'one\ntwo\n' > lines.txt", "description": "d"}}\n</tool_call>\n<tool_call>\n{"name": "bash", "arguments": {"command": "echo "in quotes" | tr -d '\\d' > quotes.txt", "timeout": "5000",}}\n</tool_call>` },
  { when: { contains: ['MEND-THEM'], tool_results: 2 }, say: '<function=bash>\n<parameter=command>\necho parameters > parameters.txt\n</parameter>\n<parameter=description>\nd\n</parameter>\n<parameter=timeout>\n5000\n</parameter>\n</function>' },
  { when: { contains: ['MEND-THEM'], tool_results: 3 }, say: 'All three are mended.' },
], async (proxy) => {
  const result = await opencode(null, 'MEND-THEM please', { base: proxy.base });
  equal(result.read('lines.txt'), 'one\ntwo\n', 'a raw line end in a string');
  equal(result.read('quotes.txt'), 'in quotes\n', 'quotes, a bad escape, a number in quotes and a comma too many');
  equal(result.read('parameters.txt'), 'parameters\n', 'another format without its opening tag');
  assert((result.stdout + result.stderr).includes('All three are mended.'), `answer: ${result.stdout}${result.stderr}`);
}));
