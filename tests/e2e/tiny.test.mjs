// Real libllama on tiny generated models of four kinds: a turn, the next turn reusing it, exactness of that reuse, several
// streams at once, and Claude Code completing a turn.
import { test, assert, equal, serve, post, stream, claude, claudeVersions, textOf } from './harness.mjs';
import { tinyModel } from './tiny_models.mjs';

const turn = (messages, more = {}) => ({ model: 'm', cache_control: { type: 'ephemeral' }, max_tokens: 24, temperature: 0, system: 'You are a test. '.repeat(60), messages, ...more });
const user = (content) => ({ role: 'user', content });
const whole = (usage) => usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens;

for (const kind of ['attention', 'hybrid', 'moe', 'window']) {
  test(`a tiny ${kind} model: turns extend each other, and reuse changes nothing`, async () => {
    const model = tinyModel(kind);
    // One thread: with more, the library splits a row's attention over the cells by their place, and the sums' last bits
    // depend on where cells lie. What is compared here is the state that comes back, which must be the same to the bit.
    const args = ['--ctx', '16384', '--parallel', '4', '--threads', '1'];
    const first = await serve(model, { args });
    let answer;
    let second;
    const question = [user('Tell me about files and folders, please.')];
    let next;
    try {
      const a = await post(first, '/v1/messages', turn(question));
      equal(a.status, 200, a.raw.slice(0, 300));
      answer = a.json;
      assert(answer.usage.output_tokens > 0, a.raw);
      // Not the answer itself: that would be rendered as the tokens that were sampled, which a cold server cannot know.
      next = turn([...question, { role: 'assistant', content: 'All right, files and folders.' }, user('And now about streams.')]);
      second = (await post(first, '/v1/messages', next)).json;
      const again = (await post(first, '/v1/messages', turn(question))).json;
      equal(again.content, answer.content, 'the same request again');
      assert(second.usage.cache_read_input_tokens > 0.5 * whole(answer.usage), `reused too little: ${JSON.stringify([answer.usage, second.usage])}`);
      const { json: counted } = await post(first, '/v1/messages/count_tokens', next);
      equal(counted.input_tokens, whole(second.usage), 'count_tokens');
    } finally { equal((await first.stop()).code, 0, 'exit code'); }
    const cold = await serve(model, { args });
    try {
      const fresh = (await post(cold, '/v1/messages', next)).json;
      equal(fresh.usage.cache_read_input_tokens, 0, 'a cold server');
      equal(fresh.content, second.content, 'cold and reused answers');
    } finally { await cold.stop(); }
  });
}

test('a tiny model: six streams at once through four places all end whole', async () => {
  const server = await serve(tinyModel('attention'), { args: ['--ctx', '32768', '--parallel', '4'] });
  try {
    const all = await Promise.all(Array.from({ length: 6 }, (_, i) => stream(server, turn([user(`stream ${i}`)], { temperature: 1, max_tokens: 60 }))));
    for (const { events, status } of all) {
      equal(status, 200, 'status');
      equal(events.at(-1).event, 'message_stop', 'last event');
      assert(events.find((e) => e.event === 'message_delta').data.usage.output_tokens > 0, 'tokens');
    }
  } finally { await server.stop(); }
});

for (const version of claudeVersions) {
  test(`Claude Code ${version} completes a turn on a tiny model without complaint`, async () => {
    const server = await serve(tinyModel('attention', '--end-scale', '3'), { args: ['--ctx', '131072'] });
    try {
      const result = await claude(version, server, 'Say something.', { args: ['--output-format', 'json'], env: { CLAUDE_CODE_MAX_OUTPUT_TOKENS: '4096' } });
      const report = JSON.parse(result.stdout);
      assert(result.code === 0 && report.is_error === false, `${result.stdout}${result.stderr}`);
      assert(!/API Error/i.test(result.stdout + result.stderr), result.stderr);
    } finally { await server.stop(); }
  }, { limit_s: 120 });
}
