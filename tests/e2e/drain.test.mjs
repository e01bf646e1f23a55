// How a server ends: what was generated for a client is sent to its last byte, whatever else goes on.
import net from 'node:net';
import path from 'node:path';
import { execFileSync, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { once } from 'node:events';
import { test, assert, equal, serve, fakeModel, freePort, hearth, request, scratch, sleep, stream } from './harness.mjs';

// Words that have no pattern: an answer that repeats itself would be cut.
const words = (count) => Array.from({ length: count }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 0).toString(36)).join(' ');

test('Ctrl-C waits for a slow reader: its stream is whole', async () => {
  const server = await serve(fakeModel({ name: 'scripted', context_tokens: 200000, rules: [{ when: { last_user_contains: ['huge'] }, say: words(40000) }], otherwise: 'Hello.' }), { args: ['--ctx', '150000', '--parallel', '1'] });
  const exited = once(server.child, 'exit');
  try {
    const body = JSON.stringify({ model: 'm', max_tokens: 100000, stream: true, messages: [{ role: 'user', content: 'huge' }] });
    const socket = net.connect(server.port, '127.0.0.1');
    let bytes = 0;
    let tail = '';
    socket.on('data', (chunk) => { bytes += chunk.length; tail = (tail + chunk).slice(-400); socket.pause(); setTimeout(() => socket.resume(), 3); });
    socket.write(`POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    while (bytes < 200_000) await sleep(10);
    server.child.kill('SIGINT');
    await once(socket, 'close');
    assert(bytes > 4_000_000, `${bytes} bytes came: ${tail}`);
    assert(tail.includes('message_stop'), `the end that came: ${tail}`);
    equal((await exited)[0], 0, 'exit code');
  } finally { await server.stop(); }
}, { slots: 1 });

test('a signal while a second model loads ends what the first one does in order', async () => {
  const folder = scratch('second');
  const endless = path.join(folder, 'script.json');
  execFileSync('mkfifo', [endless]);  // a model that loads for ever: nobody writes there
  const first = fakeModel({ name: 'first', rules: [{ when: { last_user_contains: ['batch'] }, say: words(400), token_delay_ms: 30 }], otherwise: { say: words(10), token_delay_ms: 30 } });
  const port = await freePort();
  const cache = path.join(folder, 'cache');
  const child = spawn(hearth, ['serve', '--model', first, '--model', `fake:${endless}`, '--port', String(port), '--cache-dir', cache], { env: { PATH: process.env.PATH, HOME: process.env.HOME }, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (bytes) => { log += bytes; });
  const exited = once(child, 'exit');
  const server = { url: `http://127.0.0.1:${port}` };
  const ask = { model: 'first', max_tokens: 1000, messages: [{ role: 'user', content: 'hi' }] };
  try {
    for (let tries = 0; (await request(`${server.url}/v1/models/first`).catch(() => null))?.status !== 200; ++tries) { assert(tries < 1000, `the first model is not served: ${log}`); await sleep(20); }
    const batch = await request(`${server.url}/v1/messages/batches`, { method: 'POST', body: { requests: [{ custom_id: 'a', params: { ...ask, messages: [{ role: 'user', content: 'batch' }] } }] } });
    equal(batch.status, 200, 'batch');
    const kept = path.join(cache, 'batches', batch.json.id);
    const tries = () => readdirSync(kept).filter((name) => name.startsWith('try-')).length;
    while (tries() === 0) await sleep(10);
    let told = false;
    const answer = await stream(server, ask, (event) => { if (event.event === 'content_block_delta' && !told) { told = true; child.kill('SIGTERM'); } });
    equal(answer.events.at(-1)?.event, 'message_stop', 'the last event');
    equal((await exited)[0], 0, 'exit code');
    equal(tries(), 0, 'requests that are charged with a crash');
    assert(readdirSync(cache).some((name) => name.startsWith('turns-')), 'no turns were kept');
  } finally { child.kill('SIGKILL'); }
}, { slots: 1 });
