// The prefix cache beside llama-server, in one run on the same models: what of an agent's prompts is computed, and how long
// the agent waits for it.
//   node bench/cache_bench.mjs ATTENTION.gguf HYBRID.gguf [--quick] [--seed N] [--kind attention|hybrid] [--only hearth]
//
// Both servers get the same requests on /v1/messages (bench/agent_trace.mjs; for llama-server that endpoint and
// /v1/chat/completions share one prompt cache, and it pins the `cch` of a billing block only here), one server at a time.
//   computed    Hearth: the engine's own counter tokens_prefilled. llama-server: llamacpp:prompt_tokens_total of /metrics.
//   distinct    the nodes of the trie over all prompts. llama-server's /apply-template and /tokenize give the tokens, without the billing
//               block; Hearth's own counts must agree, since both render the same template.
//   waiting     the sum of the times to the first piece of each answer
// It ends with 1 when an answer or a count is wrong: an HTTP error, a usage that does not add up to the prompt, more tokens
// read from the cache than were ever sent before, an engine that computed what the usage calls cached. Never for being slow.
import path from 'node:path';
import { post, request, serve } from '../tests/e2e/harness.mjs';
import { Trie, fourAgents, playTrace } from './agent_trace.mjs';
import { measure, startPeer } from './peer.mjs';

const args = process.argv.slice(2);
const option = (name, otherwise) => { const at = args.indexOf(name); return at >= 0 ? args[at + 1] : otherwise; };
const [attention, hybrid] = args;
if (!attention || !hybrid || hybrid.startsWith('--')) { console.error('usage: node bench/cache_bench.mjs ATTENTION.gguf HYBRID.gguf [--quick] [--seed N] [--kind attention|hybrid] [--only hearth]'); process.exit(2); }
const quick = args.includes('--quick');
const seed = Number(option('--seed', 1));
const scale = quick ? 0.25 : 1;
const context = 131072;
const kinds = { attention, hybrid };
const servers = option('--only') === 'hearth' ? ['hearth'] : ['llama-server', 'hearth'];

let wrong = 0;
function check(condition, sentence) {
  if (condition) return;
  wrong += 1;
  console.log(`WRONG: ${sentence}`);
}

async function start(name, model) {
  return name === 'hearth'
    ? Object.assign(await serve(model, { args: ['--ctx', String(context), '--parallel', '4', '--threads', '2'] }), { name })
    : await startPeer(model, { context, args: ['--cache-reuse', '256', '--metrics'] });
}

async function computedBy(server) {
  if (server.name === 'hearth') return (await server.status()).models[0].counters.tokens_prefilled;
  // Six digits are all that this figure has.
  return Number(/^llamacpp:prompt_tokens_total (\S+)/m.exec((await request(`${server.url}/metrics`)).raw)[1]);
}

// The same body as OpenAI's chat request, for /apply-template.
function asChat(body) {
  const textOf = (content) => (typeof content === 'string' ? content : content.filter((b) => b.type === 'text').map((b) => b.text).join(''));
  const messages = [{ role: 'system', content: body.system.map((b) => b.text).filter((t) => !t.startsWith('x-anthropic-billing-header:')).join('') }];
  for (const { role, content } of body.messages) {
    const blocks = typeof content === 'string' ? [{ type: 'text', text: content }] : content;
    for (const block of blocks.filter((b) => b.type === 'tool_result')) messages.push({ role: 'tool', tool_call_id: block.tool_use_id, content: block.content });
    const calls = blocks.filter((b) => b.type === 'tool_use').map((b) => ({ id: b.id, type: 'function', function: { name: b.name, arguments: JSON.stringify(b.input) } }));
    if (blocks.some((b) => b.type === 'text') || calls.length) messages.push({ role, content: textOf(blocks), ...(calls.length ? { tool_calls: calls } : {}) });
  }
  const tools = (body.tools ?? []).map((t) => ({ type: 'function', function: { name: t.name, description: t.description, parameters: t.input_schema } }));
  return { messages, ...(tools.length ? { tools } : {}) };
}

// Tokens of every prompt of the trace, by the request's name. The vocabulary is the same in all tiny models.
async function tokensOf(requests) {
  const server = await startPeer(attention, { context: 1024 });
  const tokens = new Map();
  try {
    for (const { name, body } of requests) {
      const { json } = await post(server, '/apply-template', asChat(body));
      tokens.set(name, (await post(server, '/tokenize', { content: json.prompt, parse_special: true })).json.tokens);
    }
  } finally { await server.stop(); }
  return tokens;
}

async function collect(options) {
  const requests = [];
  await playTrace(options, async (one) => { requests.push(one); });
  return requests;
}

const quantile = (values, part) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))];

// Plays requests against a fresh server; `play(send)`.
async function run(name, model, play) {
  const server = await start(name, model);
  try {
    await measure(server, { model: 'bench', max_tokens: 1, messages: [{ role: 'user', content: 'Warm up.' }] });
    const before = await computedBy(server);
    const results = [];
    const begun = process.hrtime.bigint();
    await play(async (one) => { const result = await measure(server, one.body); results.push({ name: one.name, body: one.body, ...result }); });
    const wall_s = Number(process.hrtime.bigint() - begun) / 1e9;
    const computed = await computedBy(server) - before;
    const counters = name === 'hearth' ? (await server.status()).models[0].counters : {};
    if (name === 'hearth') await checkCounts(server, results, computed);
    const waits = results.map((r) => r.ttft_s);
    return { results, computed, wall_s, counters, prompt: results.reduce((n, r) => n + r.prompt, 0), waiting_s: waits.reduce((a, b) => a + b, 0), median_s: quantile(waits, 0.5), p95_s: quantile(waits, 0.95) };
  } finally { await server.stop(); }
}

// What Hearth says about itself must be true.
async function checkCounts(server, results, computed) {
  for (const { name, body, prompt, output } of results) {
    const { model, system, tools, messages } = body;
    const counted = (await post(server, '/v1/messages/count_tokens', { model, system, tools, messages })).json.input_tokens;
    check(counted === prompt, `${name}: read + creation + input = ${prompt}, and the prompt has ${counted} tokens`);
    check(output > 0, `${name}: no answer`);
  }
  const said = results.reduce((n, r) => n + r.computed, 0);
  check(said === computed, `usage says ${said} tokens were not cached, the engine computed ${computed}`);
}

// No request may have read more from the cache than was sent before it ended: that would be another conversation's state.
function checkReads(results, tokens) {
  for (const one of results) {
    const trie = new Trie();
    for (const other of results) if (other !== one) trie.add(tokens.get(other.name));
    const shared = trie.shared(tokens.get(one.name));
    check(one.read <= shared, `${one.name}: ${one.read} tokens from the cache, but no other prompt shares more than ${shared}`);
    check(Math.abs(one.prompt - tokens.get(one.name).length) <= 8, `${one.name}: ${one.prompt} tokens, and ${tokens.get(one.name).length} by llama-server's tokenizer`);
  }
}

const figure = (value, digits = 2) => value.toFixed(digits);
function show(title, by, distinct, last) {
  console.log(`\n${title}: ${by[servers[0]].results.length} requests, ${by[servers[0]].prompt} prompt tokens (the longest ${Math.max(...by[servers[0]].results.map((r) => r.prompt))}), ${distinct} distinct`);
  console.log('               computed   work ratio   waiting s   TTFT median s   TTFT p95 s   wall s');
  for (const name of servers) {
    const r = by[name];
    console.log(`  ${name.padEnd(13)}${String(r.computed).padStart(8)}${figure(r.computed / distinct, 3).padStart(12)}${figure(r.waiting_s, 1).padStart(13)}${figure(r.median_s, 3).padStart(15)}${figure(r.p95_s, 3).padStart(13)}${figure(r.wall_s, 1).padStart(10)}`);
  }
  if (by['llama-server']) {
    const [h, l] = [by.hearth, by['llama-server']];
    console.log(`  hearth / llama-server: computed ${figure(h.computed / l.computed, 3)}, waiting ${figure(h.waiting_s / l.waiting_s, 3)}, median ${figure(h.median_s / l.median_s, 3)}, p95 ${figure(h.p95_s / l.p95_s, 3)}, wall ${figure(h.wall_s / l.wall_s, 3)}${last}`);
  }
}

// The requests in which Hearth computed more than was new, the worst ones first.
function showWaste(results, tokens) {
  const trie = new Trie();
  const waste = results.map((r) => { const shared = trie.add(tokens.get(r.name)); return { name: r.name, wasted: r.computed - (tokens.get(r.name).length - shared) }; });
  const worst = waste.filter((w) => w.wasted > 64).sort((a, b) => b.wasted - a.wasted).slice(0, 6);
  if (worst.length) console.log(`  computed again by hearth: ${worst.map((w) => `${w.name} ${w.wasted}`).join('; ')}`);
}

const begun = Date.now();
const trace = await collect({ seed, scale, header: false });
const four = fourAgents({ seed, scale, header: false });
const tokens = await tokensOf([...trace, ...four]);
const distinctOf = (requests) => { const trie = new Trie(); for (const one of requests) trie.add(tokens.get(one.name)); return trie.distinct; };
console.log(`${quick ? 'quick form, a quarter of the tokens; ' : ''}seed ${seed}, models ${path.basename(attention)}, ${path.basename(hybrid)}; pool of ${context} cells, 4 at once`);
for (const [kind, model] of Object.entries(kinds)) {
  if (option('--kind', kind) !== kind) continue;
  const answers = {};
  for (const header of [false, true]) {
    const by = {};
    for (const name of servers) by[name] = await run(name, model, (send) => playTrace({ seed, scale, header }, send));
    checkReads(by.hearth.results, tokens);
    show(`${kind}, agent session, ${header ? 'changing billing header' : 'no header'}`, by, distinctOf(trace), `   (targets: work ratio 1.05, waiting ${header ? 0.2 : 0.9})`);
    showWaste(by.hearth.results, tokens);
    answers[header] = new Map(by.hearth.results.map((r) => [r.name, r.text]));
  }
  const differ = [...answers[false]].filter(([name, text]) => answers[true].get(name) !== text).map(([name]) => name);
  if (differ.length) console.log(`  answers that differ with and without the header (batches of another shape): ${differ.join(', ')}`);
  const by = {};
  for (const name of servers) by[name] = await run(name, model, (send) => Promise.all(four.map(send)));
  checkReads(by.hearth.results, tokens);
  show(`${kind}, four agents together`, by, distinctOf(four), '   (targets: work ratio 1.10, wall 0.333)');
}
console.log(`\n${wrong === 0 ? 'every count and answer is right' : `${wrong} counts or answers are wrong`}; ${((Date.now() - begun) / 1000).toFixed(0)} s`);
process.exitCode = wrong === 0 ? 0 : 1;
