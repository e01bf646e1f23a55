// A server's life around its requests: batches through the official SDK and over a restart, draining, unloading.
import path from 'node:path';
import { createRequire } from 'node:module';
import { test, assert, equal, serve, fakeModel, npmPackages, scratch, stream, post, request, textOf, sleep } from './harness.mjs';

const script = (more = {}) => ({
  name: 'scripted', context_tokens: 32768,
  rules: [
    { when: { last_user_contains: ['slow'] }, token_delay_ms: 10, say: 'one two three four five six. ' },
    { when: { last_user_contains: ['long'] }, token_delay_ms: 10, say: 'one two three four five six seven eight nine ten. '.repeat(8) },
  ],
  otherwise: 'Hello.', ...more,
});
const ask = (text) => ({ model: 'm', max_tokens: 4096, messages: [{ role: 'user', content: text }] });

async function sdk(server) {
  const folder = await npmPackages('@anthropic-ai/sdk@1.10.0');
  const { default: Anthropic } = createRequire(path.join(folder, 'x.js'))('@anthropic-ai/sdk');
  return new Anthropic({ baseURL: server.url, apiKey: 'dummy', maxRetries: 0 });
}
async function ended(client, id) {
  for (;;) {
    const batch = await client.messages.batches.retrieve(id);
    if (batch.processing_status === 'ended') return batch;
    await sleep(100);
  }
}

test('SDK: a batch is created, worked off, listed, read and deleted', async () => {
  const server = await serve(fakeModel(script()), { args: ['--cache-dir', scratch('batches')] });
  try {
    const client = await sdk(server);
    const requests = Array.from({ length: 12 }, (_, i) => ({ custom_id: `r-${i}`, params: ask(`hi ${i}`) }));
    requests.push({ custom_id: 'wrong', params: { model: 'm', messages: [] } });
    const made = await client.messages.batches.create({ requests });
    equal([made.type, made.processing_status, made.request_counts.processing], ['message_batch', 'in_progress', 13], 'made');
    const batch = await ended(client, made.id);
    equal(batch.request_counts, { processing: 0, succeeded: 12, errored: 1, canceled: 0, expired: 0 }, 'counts');
    const seen = [];
    for await (const line of await client.messages.batches.results(made.id)) seen.push(line);
    equal(seen.map((line) => line.custom_id), requests.map((one) => one.custom_id), 'order');
    equal(seen[3].result.message.content, [{ type: 'text', text: 'Hello.' }], 'message');
    equal([seen[12].result.type, seen[12].result.error.error.type], ['errored', 'invalid_request_error'], 'the wrong one');
    for (let i = 0; i < 4; i += 1) await client.messages.batches.create({ requests: requests.slice(0, 1) });
    const ids = [];
    for await (const one of client.messages.batches.list({ limit: 2 })) ids.push(one.id);
    equal([ids.length, new Set(ids).size, ids.at(-1)], [5, 5, made.id], 'pages');
    equal((await client.messages.batches.delete(made.id)).type, 'message_batch_deleted', 'delete');
    const gone = await client.messages.batches.retrieve(made.id).catch((error) => error.status);
    equal(gone, 404, 'deleted');
  } finally { await server.stop(); }
});

test('SDK: a batch is cancelled, and another outlives a restart of the server', async () => {
  const args = ['--cache-dir', scratch('batches'), '--drain-seconds', '0'];
  const model = fakeModel(script());
  let server = await serve(model, { args });
  let id;
  try {
    let client = await sdk(server);
    const many = (text) => ({ requests: Array.from({ length: 20 }, (_, i) => ({ custom_id: `r${i}`, params: ask(`${text} ${i}`) })) });
    const stopped = await client.messages.batches.create(many('slow'));
    await sleep(300);
    const cancelled = await client.messages.batches.cancel(stopped.id);
    assert(['canceling', 'ended'].includes(cancelled.processing_status), cancelled.processing_status);
    const counts = (await ended(client, stopped.id)).request_counts;
    assert(counts.canceled > 0 && counts.canceled + counts.succeeded === 20, JSON.stringify(counts));
    id = (await client.messages.batches.create(many('slow'))).id;
    await sleep(1500);
    const before = (await client.messages.batches.retrieve(id)).request_counts;
    await server.stop();
    server = await serve(model, { args });
    client = await sdk(server);
    const after = (await client.messages.batches.retrieve(id)).request_counts;
    assert(after.succeeded >= before.succeeded, `${JSON.stringify(before)} then ${JSON.stringify(after)}`);
    equal((await ended(client, id)).request_counts.succeeded, 20, 'after the restart');
  } finally { await server.stop(); }
});

test('SIGTERM lets a running answer end, tells new requests when to come again, and keeps to its limit', async () => {
  for (const limit of ['20', '0']) {
    const server = await serve(fakeModel(script()), { args: ['--drain-seconds', limit] });
    let running;
    let cut = false;
    const first = new Promise((resolve) => { running = stream(server, ask('long'), (e) => { if (e.event === 'content_block_delta') resolve(); }).catch(() => { cut = true; return null; }); });
    await first;
    server.child.kill('SIGTERM');
    if (limit === '20') {
      await sleep(100);
      const refused = await post(server, '/v1/messages', ask('hi'));
      equal(refused.status, 503, 'a new request');
      assert(Number(refused.headers['retry-after']) >= 1, 'retry-after');
      equal((await request(`${server.url}/health`)).json, { status: 'draining' }, 'health');
    }
    const result = await running;
    const exit = await server.stop();
    equal(exit.code, 0, 'exit');
    if (limit === '20') equal([textOf(result.events).trimEnd(), cut], [script().rules[1].say.trimEnd(), false], 'the running answer');
    else assert(cut || !result.raw.includes('message_stop'), 'an answer over the limit is cut');
  }
});

test('Ctrl-C waits for the running answer, a second one does not', async () => {
  const server = await serve(fakeModel(script()), { args: ['--drain-seconds', '0'] });
  const running = stream(server, ask('long')).catch(() => null);
  await sleep(500);
  server.child.kill('SIGINT');
  const result = await running;
  assert(result?.raw.includes('message_stop'), 'the answer was not finished');
  equal((await server.stop()).code, 0, 'exit');

  const other = await serve(fakeModel(script({ rules: [{ when: { last_user_contains: ['long'] }, token_delay_ms: 100, say: 'x '.repeat(2000) }] })));
  stream(other, ask('long')).catch(() => null);
  await sleep(500);
  const begun = Date.now();
  other.child.kill('SIGINT');
  await sleep(200);
  other.child.kill('SIGINT');
  equal((await other.stop()).code, 0, 'exit');
  assert(Date.now() - begun < 10_000, 'it did not stop at once');
});

test('an unused model is unloaded, and its next request loads it again', async () => {
  const server = await serve(fakeModel(script()), { args: ['--keep-alive', '0'] });
  try {
    equal((await post(server, '/v1/messages', ask('hi'))).status, 200, 'first');
    for (;;) {
      const model = (await server.status()).models[0];
      if (model.state === 'unloaded' && model.engine_pid === 0) break;
      await sleep(100);
    }
    equal((await request(`${server.url}/health`)).status, 200, 'health');
    equal(textOf((await stream(server, ask('hi'))).events), 'Hello.', 'after the unloading');
    equal((await server.status()).models[0].restart_count, 0, 'restarts');
  } finally { await server.stop(); }
});
