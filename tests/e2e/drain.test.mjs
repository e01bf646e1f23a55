// Ctrl-C while a client reads slowly: what was generated for it is sent to its last byte before the server ends.
import net from 'node:net';
import { once } from 'node:events';
import { test, assert, equal, serve, fakeModel, sleep } from './harness.mjs';

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
