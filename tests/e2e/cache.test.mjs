// The cache desk with a real server, real HTTP and the real `hearth cache`: a miss explains itself, lines are listed, pinned, carried
// to another server and cleared, and a context that is too small grows.
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test, assert, equal, serve, fakeModel, post, request, scratch, stream, checkout, hearth, textOf } from './harness.mjs';

const folder = process.env.HEARTH_TEST_MODELS || path.join(process.env.HEARTH_CACHE || path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'hearth'), 'models');
function tinyModel(kind) {
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `e2e-${kind}.gguf`);
  execFileSync(path.join(checkout, 'build', process.env.HEARTH_PRESET || 'release', 'bin', 'tiny_model'), [kind, file]);
  return file;
}
const user = (content) => ({ role: 'user', content });
const ask = (system, messages, more = {}) => ({ model: 'm', cache_control: { type: 'ephemeral' }, max_tokens: 16, temperature: 0, system, messages, ...more });

// `hearth cache ...` as a user runs it; never throws for its exit status.
function cache(server, ...words) {
  return new Promise((resolve) => execFile(hearth, ['cache', words[0], '--url', server.url, ...words.slice(1)], { encoding: 'utf8', maxBuffer: 1 << 24 },
    (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr })));
}

test('a changed system text is told by `hearth cache why` with both sides and the cure, and logged without a word of it', async () => {
  const server = await serve(fakeModel({ otherwise: 'Yes.' }), { args: ['--canonicalize-off', 'billing-header'] });
  try {
    const system = (version) => [{ type: 'text', text: `x-anthropic-billing-header: cc_version=2.1.328.${version}; cc_entrypoint=cli;` },
      { type: 'text', text: 'You are careful with SECRETWORD files. '.repeat(80) }];
    const talk = [user('One.'), { role: 'assistant', content: 'Yes.' }, user('Two.'), { role: 'assistant', content: 'Yes.' }, user('Three.')];
    await post(server, '/v1/messages', ask(system('aaa'), talk.slice(0, 3)));
    const second = (await post(server, '/v1/messages', ask(system('bbb'), talk))).json;
    assert(second.usage.cache_read_input_tokens < 200, JSON.stringify(second.usage));
    const told = JSON.parse((await cache(server, 'why', '--json')).stdout).requests.at(-1);
    equal([told.computed.beyond, told.computed.too_much], ['differs', true], JSON.stringify(told));
    assert(told.computed.text.was.startsWith('aaa') && told.computed.text.is.startsWith('bbb'), JSON.stringify(told.computed.text));
    assert(told.computed.cure.includes('CLAUDE_CODE_ATTRIBUTION_HEADER=0'), told.computed.cure);
    const words = (await cache(server, 'why')).stdout;
    assert(words.includes('more than it should') && words.includes('CLAUDE_CODE_ATTRIBUTION_HEADER=0'), words);
    const line = server.log().split('\n').find((one) => one.includes(' cache: req_'));
    assert(line?.includes('CLAUDE_CODE_ATTRIBUTION_HEADER=0'), `no line of log:\n${server.log()}`);
    assert(!server.log().includes('SECRETWORD'), 'the log holds words of the prompt');
    const stats = await cache(server, 'stats');
    assert(stats.code === 0 && stats.stdout.includes('from the cache'), stats.stdout + stats.stderr);
  } finally { await server.stop(); }
});

test('each key sees its own lines and requests; the first key sees the others\' without their words', async () => {
  const keys = path.join(scratch('keys'), 'keys');
  writeFileSync(keys, 'first-key\nsecond-key\n', { mode: 0o600 });
  const server = await serve(fakeModel({ otherwise: 'Yes.' }), { args: ['--api-key-file', keys] });
  try {
    const as = (key) => ({ 'x-api-key': key });
    const get = async (what, key) => (await request(`${server.url}/v1/hearth/cache/${what}`, { headers: as(key) })).json;
    const text = 'A line that belongs to one. '.repeat(40);
    await post(server, '/v1/messages', ask(text, [user('first')]), as('first-key'));
    await post(server, '/v1/messages', ask(text, [user('second')]), as('second-key'));
    await post(server, '/v1/messages', ask(`changed ${text}`, [user('second')]), as('second-key'));
    equal((await get('list', 'second-key')).lines.every((line) => line.own), true, 'lines of the second key');
    equal((await get('list', 'first-key')).lines.length, 3, 'lines of all');
    const own = (await get('why', 'second-key')).requests;
    equal(own.length, 2, 'requests of the second key');
    assert(own.some((one) => one.computed?.text !== undefined), `the second key does not see its own words: ${JSON.stringify(own)}`);
    const all = (await get('why', 'first-key')).requests;
    equal(all.length, 3, 'requests of all');
    assert(all.every((one) => one.own || one.computed?.text === undefined), 'the first key saw another key\'s words');
    equal((await post(server, '/v1/hearth/cache/pin', { line: '' }, as('second-key'))).status, 403, 'pin by the second key');
    equal((await request(`${server.url}/v1/hearth/cache/list`)).status, 401, 'without a key');
  } finally { await server.stop(); }
});

for (const kind of ['attention', 'hybrid']) {
  test(`a tiny ${kind} model: a line is probed, pinned, carried to another server and read there, damaged files are refused, and cleared`, async () => {
    const model = tinyModel(kind);
    const args = ['--ctx', '16384', '--parallel', '2', '--threads', '1'];
    const first = await serve(model, { args });
    const file = path.join(scratch('trunk'), 'trunk.htk');
    const body = ask('You are a test of trunks. '.repeat(120), [user('Say something.')]);
    const next = ask(body.system, [user('Say something.'), { role: 'assistant', content: 'Something.' }, user('More.')]);
    let answer;
    try {
      answer = (await post(first, '/v1/messages', body)).json;
      answer.next = (await post(first, '/v1/messages', next)).json;
      const asked = path.join(scratch('probe'), 'request.json');
      writeFileSync(asked, JSON.stringify(body));
      const probe = JSON.parse((await cache(first, 'probe', '--json', asked)).stdout);
      assert(probe.cached_tokens > 0.9 * probe.prompt_tokens, JSON.stringify(probe));
      assert((await cache(first, 'probe', asked)).stdout.includes('to compute'), 'the table of a probe');
      const lines = JSON.parse((await cache(first, 'list', '--json')).stdout).lines;
      const line = lines.reduce((a, b) => (a.tokens > b.tokens ? a : b)).id;
      const pinned = await cache(first, 'pin', line.slice(0, 8));
      equal(pinned.code, 0, pinned.stderr);
      assert((await cache(first, 'list')).stdout.includes('pinned'), 'a pinned line');
      equal((await cache(first, 'unpin', line)).stdout, 'unpinned\n', 'unpin');
      const given = await cache(first, 'export', line, file);
      equal(given.code, 0, given.stderr);
      equal(statSync(file).mode & 0o777, 0o600, 'the file is its owner\'s');
      const cleared = await cache(first, 'clear');
      assert(cleared.stdout.includes('free again'), cleared.stdout + cleared.stderr);
      equal(JSON.parse((await cache(first, 'probe', '--json', asked)).stdout).cached_tokens, 0, 'after clear');
    } finally { equal((await first.stop()).code, 0, 'exit code'); }
    const second = await serve(model, { args });
    try {
      const broken = readFileSync(file);
      broken[broken.length >> 1] ^= 1;
      writeFileSync(`${file}.broken`, broken);
      const refused = await cache(second, 'import', `${file}.broken`);
      assert(refused.code !== 0 && refused.stderr.includes('damaged'), refused.stdout + refused.stderr);
      const taken = await cache(second, 'import', file);
      equal(taken.code, 0, taken.stderr);
      const there = (await post(second, '/v1/messages', next)).json;
      assert(there.usage.cache_read_input_tokens >= answer.next.usage.cache_read_input_tokens, JSON.stringify([answer.next.usage, there.usage]));
      equal(there.content, answer.next.content, 'the answer from a trunk that was carried');
    } finally { await second.stop(); }
    const other = await serve(tinyModel(kind === 'attention' ? 'moe' : 'window'), { args });
    try {
      const refused = await cache(other, 'import', file);
      assert(refused.code !== 0 && refused.stderr.includes('another model file'), refused.stdout + refused.stderr);
    } finally { await other.stop(); }
  }, { limit_s: 180 });
}

for (const kind of ['attention', 'hybrid', 'moe', 'window']) {
  test(`a tiny ${kind} model: a conversation that outgrows its context goes on in a larger one, while a stream runs`, async () => {
    const server = await serve(tinyModel(kind), { args: ['--ctx', '512', '--ctx-max', '8192', '--parallel', '2', '--threads', '1'] });
    try {
      const models = (await request(`${server.url}/v1/models`)).json.data;
      const before = (await server.status()).models[0];
      equal([before.context_tokens, before.live_context_tokens], [8192, 512], 'context before');
      const running = stream(server, ask('Short.', [user('Count for me.')], { max_tokens: 300, temperature: 1, seed: 7 }));
      const long = await post(server, '/v1/messages', ask('You are long. '.repeat(400), [user('Well?')]));
      equal(long.status, 200, long.raw.slice(0, 300));
      const { events, status } = await running;
      equal([status, events.at(-1).event], [200, 'message_stop'], 'the stream');
      const after = (await server.status()).models[0];
      assert(after.live_context_tokens > 512 && after.counters.contexts_grown >= 1, JSON.stringify(after));
      equal(after.context_tokens, 8192, 'what is promised');
      const huge = await post(server, '/v1/messages', ask('x y z '.repeat(9000), [user('Well?')]));
      equal(huge.status, 400, 'too long for the limit');
      assert(huge.json.error.message.startsWith('prompt is too long'), huge.raw);
      assert(models.length === 1 && textOf(events).length > 0, 'an answer');
    } finally { equal((await server.stop()).code, 0, 'exit code'); }
  });
}

test('hearth cache verify reads what the disk holds, and names what is damaged', async () => {
  const dir = path.join(scratch('verify'), 'cache');
  const server = await serve(tinyModel('attention'), { args: ['--ctx', '8192', '--threads', '1', '--cache-dir', dir] });
  await post(server, '/v1/messages', ask('You are kept on the disk. '.repeat(200), [user('Yes?')]));
  equal((await server.stop()).code, 0, 'exit code');
  const verify = () => new Promise((resolve) => execFile(hearth, ['cache', 'verify', '--json', '--cache-dir', dir], { encoding: 'utf8' }, (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr })));
  const whole = await verify();
  equal(whole.code, 0, whole.stdout + whole.stderr);
  const report = JSON.parse(whole.stdout).folders;
  assert(report.length === 1 && report[0].records > 0 && report[0].damaged.length === 0, whole.stdout);
  const folder = path.join(dir, 'kv', report[0].model);
  const extent = readdirSync(folder).filter((name) => name.endsWith('.kv')).map((name) => path.join(folder, name)).reduce((a, b) => (statSync(a).size > statSync(b).size ? a : b));
  const bytes = readFileSync(extent);
  bytes[bytes.length >> 1] ^= 1;
  writeFileSync(extent, bytes);
  const broken = await verify();
  assert(broken.code !== 0 && broken.stderr.includes('damaged'), broken.stdout + broken.stderr);
});

test('hearth cache says what is wrong and what to do', async () => {
  const nobody = { url: 'http://127.0.0.1:9' };
  const silent = await cache(nobody, 'stats');
  assert(silent.code !== 0 && silent.stderr.includes('hearth serve'), silent.stderr);
  const server = await serve(fakeModel({ otherwise: 'Yes.' }));
  try {
    const unknown = await cache(server, 'pin', 'zz');
    assert(unknown.code !== 0 && unknown.stderr.includes('hearth cache list'), unknown.stderr);
    const missing = await cache(server, 'import', '/nowhere/trunk.htk');
    assert(missing.code !== 0 && missing.stderr.includes('/nowhere/trunk.htk'), missing.stderr);
    const junk = path.join(scratch('junk'), 'junk');
    writeFileSync(junk, Buffer.alloc(100_000, 7));
    const refused = await cache(server, 'import', junk);
    assert(refused.code !== 0 && refused.stderr.includes('HTK1'), refused.stderr);
  } finally { await server.stop(); }
});
