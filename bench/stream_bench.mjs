// How smooth a running stream stays while other conversations leave the engine's pool and come back: the gaps between the
// pieces of one long answer, alone, beside short new requests (what company costs in any case), and beside conversations
// that return one after another to prompts that are cached whole (each return moves one in and another one out). Then the same
// while a new prompt of 20,000 tokens is computed, from its request to its first token.
//   node bench/stream_bench.mjs MODEL.gguf [--quick] [--rounds N] [--only hearth] [--part returns|prefill]
// Targets: p95 beside the returning ones at most 1.2 times p95 alone, beside the long prompt at most 1.5 times. Both servers compute with one thread, so that client
// and front have the other core and the figures are the engine's.
import path from 'node:path';
import { serve, sleep } from '../tests/e2e/harness.mjs';
import { draws, prose } from './agent_trace.mjs';
import { measure, startPeer } from './peer.mjs';

const args = process.argv.slice(2);
const option = (name, otherwise) => { const at = args.indexOf(name); return at >= 0 ? args[at + 1] : otherwise; };
const model = args[0];
if (!model || model.startsWith('--')) { console.error('usage: node bench/stream_bench.mjs MODEL.gguf [--quick] [--rounds N] [--only hearth] [--part returns|prefill]'); process.exit(2); }
const quick = args.includes('--quick');
const rounds = Number(option('--rounds', quick ? 1 : 3));
const answerTokens = quick ? 300 : 600;
const conversationTokens = quick ? 2000 : 4000;
const conversations = 6;
const pause_ms = 100;
const context = 65536;

const body = (seed, tokens, max_tokens) => ({ model: 'bench', max_tokens, temperature: 0, messages: [{ role: 'user', content: [{ type: 'text', text: prose(draws(seed), tokens), cache_control: { type: 'ephemeral' } }] }] });
const quantile = (values, part) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))];

let streams = 0;
// The gaps of one long answer in ms, while `beside(stillRunning)` goes on.
async function gaps(server, beside) {
  streams += 1;
  let running = true;
  const company = beside(() => running);
  await sleep(pause_ms);
  const { pieces_s } = await measure(server, body(5000 + streams, 200, answerTokens));
  running = false;
  await company;
  // The first ones still see the prompt.
  return pieces_s.slice(11).map((at, i) => 1000 * (at - pieces_s[10 + i]));
}

// The gaps of one answer while a prompt of `tokens` is computed, and how long that took. Alone it takes `alone_s`.
async function gapsBesidePrompt(server, tokens) {
  streams += 1;
  const begun = performance.now();
  const stream = measure(server, body(5000 + streams, 200, quick ? 2000 : 8000));
  await sleep(10 * pause_ms);
  const asked_s = (performance.now() - begun) / 1000;
  const { ttft_s } = await measure(server, body(8000 + streams, tokens, 1));
  const { pieces_s } = await stream;
  const told_s = asked_s + ttft_s;
  if (pieces_s.at(-1) < told_s) console.log(`  ${server.name}: the stream ended ${(told_s - pieces_s.at(-1)).toFixed(1)} s before the prompt did`);
  const alone_s = (await measure(server, body(7000 + streams, tokens, 1))).ttft_s;
  const between = (from, to) => { const at = pieces_s.filter((time) => time >= from && time <= to); return at.slice(1).map((time, i) => 1000 * (time - at[i])); };
  return { before: between(pieces_s[10], asked_s), within: between(asked_s, told_s), alone_s, ttft_s };
}

const alone = async () => {};
const shortOnes = (server) => async (running) => {
  for (let i = 0; running(); i += 1) { await measure(server, body(9000 + streams * 1000 + i, 8, 1)); await sleep(pause_ms); }
};
function returningOnes(server, seen) {
  return async (running) => {
    for (let i = 0; running(); i += 1) {
      const { read, prompt } = await measure(server, body(100 + i % conversations, conversationTokens, 1));
      if (running()) { seen.returns += 1; seen.read += read; seen.prompt += prompt; }
      await sleep(pause_ms);
    }
  };
}

const totals = (counters) => Object.fromEntries(Object.entries(counters).filter(([name]) => /import|export|demot|evict|anchor|^ram_/.test(name)));

async function benchPrompt(server) {
  const tokens = quick ? 5000 : 20000;
  const { before, within, alone_s, ttft_s } = await gapsBesidePrompt(server, tokens);
  const solo = quantile(before, 0.95);
  const show = (values) => `median ${quantile(values, 0.5).toFixed(2)} ms, p95 ${quantile(values, 0.95).toFixed(2)}, p99 ${quantile(values, 0.99).toFixed(2)}, longest ${Math.max(...values).toFixed(1)}`;
  console.log(`  ${server.name.padEnd(13)} the stream before      ${show(before)}`);
  console.log(`  ${server.name.padEnd(13)} beside a ${tokens / 1000}k prompt    ${show(within)}; p95 / p95 before ${(quantile(within, 0.95) / solo).toFixed(3)}; ${within.length} tokens while the prompt took ${ttft_s.toFixed(1)} s (alone ${alone_s.toFixed(1)} s)`);
}

async function bench(name) {
  const server = name === 'hearth'
    ? Object.assign(await serve(model, { args: ['--ctx', String(context), '--parallel', '4', '--threads', '1', '--threads-batch', '1'] }), { name })
    : await startPeer(model, { context, args: ['--cache-reuse', '256', '-t', '1', '-tb', '1'] });
  try {
    const seen = { returns: 0, read: 0, prompt: 0 };
    if (option('--part', 'prefill') === 'prefill') await benchPrompt(server);
    if (option('--part', 'returns') !== 'returns') return;
    const figures = { alone: [], 'beside short ones': [], 'beside returning ones': [] };
    await gaps(server, alone);
    for (let round = 0; round < rounds; round += 1) {
      // Alone means alone: what others left in the pool would be in it. The first round is before any other was there.
      figures.alone.push(await gaps(server, alone));
      figures['beside short ones'].push(await gaps(server, shortOnes(server)));
      for (let i = 0; i < conversations; i += 1) await measure(server, body(100 + i, conversationTokens, 1));
      figures['beside returning ones'].push(await gaps(server, returningOnes(server, seen)));
    }
    const solo = quantile(figures.alone[0], 0.95);
    for (const [what, lists] of Object.entries(figures)) {
      const all = lists.flat();
      const p95 = lists.map((list) => quantile(list, 0.95));
      console.log(`  ${name.padEnd(13)} ${what.padEnd(22)} median ${quantile(all, 0.5).toFixed(2)} ms, p95 ${quantile(p95, 0.5).toFixed(2)} (${Math.min(...p95).toFixed(2)}-${Math.max(...p95).toFixed(2)}), p99 ${quantile(all, 0.99).toFixed(2)}, longest ${Math.max(...all).toFixed(1)}; p95 / p95 alone ${(quantile(p95, 0.5) / solo).toFixed(3)}`);
    }
    console.log(`  ${name.padEnd(13)} ${seen.returns} returns beside ${rounds} streams, ${(100 * seen.read / Math.max(1, seen.prompt)).toFixed(1)} % of their prompts from the cache`);
    if (name === 'hearth') console.log(`  hearth's counters: ${JSON.stringify(totals((await server.status()).models[0].counters))}`);
  } finally { await server.stop(); }
}

console.log(`one stream of ${answerTokens} tokens beside ${conversations} conversations of ${conversationTokens} tokens; ${path.basename(model)}, ${rounds} rounds   (target: 1.2)`);
for (const name of option('--only') === 'hearth' ? ['hearth'] : ['llama-server', 'hearth']) await bench(name);
