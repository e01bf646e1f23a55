// What was computed outlives the server: after a restart, after kill -9 of the engine and after kill -9 of the front the next turn
// reads what was written to --cache-dir, on tiny models of four kinds and with --exact; the real Claude Code goes on with
// `claude -c` and sees it in its usage.
import { readdirSync, rmSync, statSync, symlinkSync, writeFileSync, readFileSync, chmodSync } from 'node:fs';
import path from 'node:path';
import { test, assert, equal, serve, post, scratch, sleep } from './harness.mjs';
import { claudeCode } from './clients.mjs';
import { tinyModel } from './tiny_models.mjs';

const user = (content) => ({ role: 'user', content });
const assistant = (content) => ({ role: 'assistant', content });
const instructions = 'You are a careful engineer who reads files and answers in short sentences. '.repeat(60);
const turn = (messages) => ({ model: 'm', cache_control: { type: 'ephemeral' }, max_tokens: 24, temperature: 0, system: instructions, messages });
const whole = (usage) => usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens;
const questions = ['Tell me about files and folders, please. '.repeat(20), 'And now about streams and pipes. '.repeat(20), 'What of locks? '.repeat(10)];
const first = [user(questions[0])];
// Not the answer itself: what the second server is asked does not depend on what the first one said.
const second = [...first, assistant('Files lie in folders.'), user(questions[1])];
const third = [...second, assistant('Streams flow.'), user(questions[2])];

const counters = async (server) => (await server.status()).models[0].counters;
async function written(server, limit_s = 20) {
  const deadline = Date.now() + limit_s * 1000;
  for (let last = -1; Date.now() < deadline; await sleep(500)) {
    const { disk_written_bytes: bytes, disk_pending_bytes: pending } = await counters(server);
    if (bytes > 0 && pending === 0 && bytes === last) return;
    last = bytes;
  }
  throw new Error(`nothing was written in ${limit_s} s:\n${server.log().slice(-2000)}`);
}
async function ask(server, messages) {
  const { status, json, raw } = await post(server, '/v1/messages', turn(messages));
  equal(status, 200, raw.slice(0, 300));
  return json;
}

for (const [kind, ...more] of [['attention'], ['hybrid'], ['moe'], ['window'], ['attention', '--exact'], ['hybrid', '--exact']]) {
  test(`a tiny ${[kind, ...more].join(' ')} model: the next turn after a restart reads the cache, and says what a cold server says`, async () => {
    const folder = scratch('cache');
    const model = tinyModel(kind);
    const args = ['--ctx', '16384', '--parallel', '2', '--threads', '1', ...more];
    let before;
    const old = await serve(model, { args: [...args, '--cache-dir', folder] });
    try {
      await ask(old, first);
      before = await ask(old, second);
    } finally { equal((await old.stop()).code, 0, 'exit code'); }
    let warm;
    const next = await serve(model, { args: [...args, '--cache-dir', folder] });
    try {
      warm = await ask(next, third);
      const known = whole(before.usage) - 300;
      assert(warm.usage.cache_read_input_tokens >= known, `read too little: ${JSON.stringify([before.usage, warm.usage])}\n${next.log().slice(-2000)}`);
      equal((await counters(next)).disk_rejected, 0, 'rejected');
    } finally { equal((await next.stop()).code, 0, 'exit code'); }
    const cold = await serve(model, { args: [...args, '--cache-dir', 'none'] });
    try {
      const fresh = await ask(cold, third);
      equal(fresh.usage.cache_read_input_tokens, 0, 'a cold server');
      equal(fresh.content, warm.content, 'cold and warm answers');
    } finally { await cold.stop(); }
    for (const name of readdirSync(path.join(folder, 'kv'))) {
      equal(statSync(path.join(folder, 'kv', name)).mode & 0o777, 0o700, 'the folder');
      for (const file of readdirSync(path.join(folder, 'kv', name))) equal(statSync(path.join(folder, 'kv', name, file)).mode & 0o777, 0o600, file);
    }
    rmSync(folder, { recursive: true, force: true });
  });
}

for (const kind of ['attention', 'hybrid']) {
  test(`a tiny ${kind} model: after kill -9 of the engine, then of the front, the next turn reads what was written`, async () => {
    const folder = scratch('cache');
    const args = ['--ctx', '16384', '--parallel', '2', '--threads', '1', '--cache-dir', folder];
    const model = tinyModel(kind);
    const server = await serve(model, { args });
    let usage;
    try {
      usage = (await ask(server, first)).usage;
      await written(server);
      process.kill(await server.enginePid(), 'SIGKILL');
      const after = (await ask(server, second)).usage;
      assert(after.cache_read_input_tokens >= whole(usage) - 300, `after the engine's death: ${JSON.stringify([usage, after])}\n${server.log().slice(-2000)}`);
      usage = after;
      await written(server);
    } finally {
      server.child.kill('SIGKILL');
      await server.stop();
    }
    const next = await serve(model, { args });
    try {
      const after = (await ask(next, third)).usage;
      assert(after.cache_read_input_tokens >= whole(usage) - 300, `after the front's death: ${JSON.stringify([usage, after])}\n${next.log().slice(-2000)}`);
    } finally { await next.stop(); }
    rmSync(folder, { recursive: true, force: true });
  });
}

test('a damaged, a foreign and a planted file cost what they touch: one line each, right answers', async () => {
  const folder = scratch('cache');
  const args = ['--ctx', '16384', '--parallel', '2', '--threads', '1', '--cache-dir', folder];
  const model = tinyModel('attention');
  const old = await serve(model, { args });
  let said;
  try { await ask(old, first); said = await ask(old, second); } finally { await old.stop(); }
  const kv = path.join(folder, 'kv', readdirSync(path.join(folder, 'kv'))[0]);
  rmSync(path.join(kv, 'index.bin'));
  for (const file of readdirSync(kv).filter((name) => name.endsWith('.kv'))) {
    const bytes = readFileSync(path.join(kv, file));
    bytes[200] ^= 1;
    writeFileSync(path.join(kv, file), bytes);
  }
  writeFileSync(path.join(kv, '00000000000000aa.kv'), 'not an extent', { mode: 0o600 });
  symlinkSync('/etc/passwd', path.join(kv, '00000000000000bb.kv'));
  const next = await serve(model, { args });
  try {
    equal((await ask(next, second)).content, said.content, 'the answer');
    assert(existsBad(kv), 'the foreign file was not put aside');
    assert(/00000000000000aa\.kv cannot be used/.test(next.log()), next.log());
    assert((await counters(next)).disk_rejected >= 1, 'rejected');
  } finally { equal((await next.stop()).code, 0, 'exit code'); }
  rmSync(folder, { recursive: true, force: true });
});
const existsBad = (folder) => readdirSync(folder).some((name) => name.endsWith('aa.kv.bad'));

test('a cache folder that cannot be written serves all the same', async () => {
  const folder = scratch('cache');
  const args = ['--ctx', '16384', '--parallel', '2', '--threads', '1', '--cache-dir', folder];
  writeFileSync(path.join(folder, 'kv'), 'a file where a folder should be');
  chmodSync(path.join(folder, 'kv'), 0o600);
  const server = await serve(tinyModel('attention'), { args });
  try {
    await ask(server, first);
    assert(/nothing is kept on the disk/.test(server.log()), server.log());
  } finally { equal((await server.stop()).code, 0, 'exit code'); }
  rmSync(folder, { recursive: true, force: true });
});

test('two servers on one folder: the first one writes, both serve', async () => {
  const folder = scratch('cache');
  const args = ['--ctx', '16384', '--parallel', '2', '--threads', '1', '--cache-dir', folder];
  const model = tinyModel('attention');
  const one = await serve(model, { args });
  const two = await serve(model, { args });
  try {
    await ask(one, first);
    await ask(two, first);
    equal([(await counters(one)).disk_read_only, (await counters(two)).disk_read_only], [0, 1], 'who reads only');
    await written(one);
    equal((await counters(two)).disk_written_bytes, 0, 'written by the second');
  } finally { await two.stop(); await one.stop(); }
  const next = await serve(model, { args });
  try { assert((await ask(next, second)).usage.cache_read_input_tokens > 0, 'nothing was read'); } finally { await next.stop(); }
  rmSync(folder, { recursive: true, force: true });
});

test('Claude Code goes on with `claude -c` after a restart of the server and reads its cache', async () => {
  const folder = scratch('cache');
  const model = tinyModel('attention', '--end-scale', '3');
  const args = ['--ctx', '131072', '--cache-dir', folder];
  const env = { CLAUDE_CODE_MAX_OUTPUT_TOKENS: '4096' };
  const options = { args: ['--output-format', 'json'], env };
  const old = await serve(model, { args });
  let session;
  try {
    session = await claudeCode('2.1.328', old, 'Say something about files.', options);
    equal(session.code, 0, session.stdout + session.stderr);
  } finally { await old.stop(); }
  const next = await serve(model, { args });
  try {
    const result = await claudeCode('2.1.328', next, 'And now about streams.', { ...options, session });
    equal(result.code, 0, result.stdout + result.stderr);
    const { usage, is_error: isError } = JSON.parse(result.stdout);
    equal(isError, false, result.stdout);
    const all = usage.input_tokens + usage.cache_read_input_tokens + (usage.cache_creation_input_tokens ?? 0);
    assert(usage.cache_read_input_tokens > 0.8 * all, `read too little of the cache: ${JSON.stringify(usage)}`);
  } finally { await next.stop(); }
  rmSync(folder, { recursive: true, force: true });
}, { limit_s: 240 });
