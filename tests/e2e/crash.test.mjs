// kill -9 of the engine in the middle of a stream: the client sees a pause and then the rest, byte for byte what an
// undisturbed run gives. Three deaths in a row on one job end that job with an api_error, and the server lives on.
import { test, assert, equal, serve, fakeModel, stream, post, textOf, sleep } from './harness.mjs';

const story = Array.from({ length: 150 }, (_, i) => `sentence ${i} — naïve 漢字 🙂 of the story. `).join('');
const script = (more = {}) => ({
  name: 'scripted', context_tokens: 65536,
  rules: [
    { when: { last_user_contains: ['story'] }, token_delay_ms: 1, say: `<think>\n${story.slice(0, 400)}\n</think>\n\n${story}` },
    { when: { last_user_contains: ['poison'] }, crash_after_tokens: 0, crash_times: 99, say: 'never said' },
  ],
  otherwise: 'Hello.', ...more,
});
const body = (text) => ({ model: 'm', max_tokens: 20000, messages: [{ role: 'user', content: text }], thinking: { type: 'enabled', budget_tokens: 1024 } });
const shape = (events) => events.filter((e) => e.event !== 'ping').map((e) => {
  const data = structuredClone(e.data);
  if (data.message) data.message.id = 'id';
  if (data.delta?.type === 'signature_delta') data.delta.signature = 'signature';
  return [e.event, data];
});
// Deltas are joined: where one ends is timing, what they say is not.
function joined(events) {
  const out = [];
  for (const [event, data] of shape(events)) {
    const last = out.at(-1);
    if (event === 'content_block_delta' && last?.[0] === event && last[1].delta.type === data.delta.type && last[1].index === data.index) {
      for (const key of ['text', 'thinking', 'partial_json']) if (key in data.delta) last[1].delta[key] += data.delta[key];
    } else out.push([event, data]);
  }
  return out;
}

test('kill -9 of the engine in mid-stream: no error, no repeated and no missing byte', async () => {
  const server = await serve(fakeModel(script()));
  try {
    const undisturbed = await stream(server, body('story'));
    let kills = 0;
    const disturbed = stream(server, body('story'));
    for (let i = 0; i < 3; i += 1) {
      await sleep(700);
      process.kill(await server.enginePid(), 'SIGKILL');
      kills += 1;
    }
    const result = await disturbed;
    equal(kills, 3, 'kills');
    assert(!result.raw.includes('event: error'), 'an error event came');
    assert(textOf(result.events) === story.trim() || textOf(result.events) === story, 'the text differs');
    const withoutUsage = (list) => list.map(([event, data]) => [event, { ...data, usage: undefined, message: data.message ? { ...data.message, usage: undefined } : undefined }]);
    equal(withoutUsage(joined(result.events)), withoutUsage(joined(undisturbed.events)), 'events');
    equal(result.events.find((e) => e.event === 'message_delta').data.usage.output_tokens, undisturbed.events.find((e) => e.event === 'message_delta').data.usage.output_tokens, 'output tokens');
    const status = await server.status();
    assert(status.models[0].restart_count >= 3, JSON.stringify(status));
  } finally { await server.stop(); }
});

test('a job that kills three engines in a row ends with an api_error and the server lives on', async () => {
  const server = await serve(fakeModel(script()));
  try {
    const innocent = stream(server, body('story'));
    const poisoned = await stream(server, body('poison'));
    const error = poisoned.events.find((e) => e.event === 'error');
    equal(error?.data?.error?.type, 'api_error', 'poisoned job');
    assert(error.data.error.message.length > 20, error.data.error.message);
    assert(textOf((await innocent).events).trim() === story.trim(), 'the innocent stream differs');
    const after = await post(server, '/v1/messages', { ...body('hi'), thinking: undefined });
    equal([after.status, after.json.content[0].text], [200, 'Hello.'], 'afterwards');
    const whole = await post(server, '/v1/messages', body('poison'));
    equal([whole.status, whole.json.error.type], [500, 'api_error'], 'without streaming');
  } finally { await server.stop(); }
});

for (const [signal, what] of [['SIGTERM', 'SIGTERM'], ['SIGHUP', 'a closed terminal']]) {
  test(`${what} drains: a running stream ends whole, then the server exits with 0`, async () => {
    const server = await serve(fakeModel(script()));
    const running = stream(server, body('story'));
    await sleep(600);
    const ended = new Promise((resolve) => server.child.once('exit', (code) => resolve(code)));
    server.child.kill(signal);
    const result = await running;
    assert(textOf(result.events).trim() === story.trim(), 'the stream was cut');
    equal(await ended, 0, 'exit code');
    await server.stop();
  });
}
