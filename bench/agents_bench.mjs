// N agents at once beside llama-server with as many slots, in one run: how much both servers get done, how long an agent waits for
// the first piece of an answer, and whether every stream is as smooth as the others.
//   node bench/agents_bench.mjs MODEL.gguf [--agents 1,2,4,8] [--quick] [--turns N] [--only hearth]
//
// The agents begin together on one set of instructions and tools, each with a task of its own, and take turns with their tools:
// a call and its result are written here, so that both servers are asked the same. Per N and server:
//   tokens/s    all answers' tokens by the time from the first request to the last answer
//   work/s      prompts' and answers' tokens by the same time
//   wait        from a request to the first piece of its answer
//   fairness    per stream the p95 of the gaps between its pieces; the largest by the median one
// Targets: tokens/s at least 1.0 times llama-server's, p95 of the wait at most 0.5 times, fairness at most 1.5.
// Both servers compute with one thread, so that clients and fronts have the other core and the figures are the engine's.
import path from 'node:path';
import { scratch, serve } from '../tests/e2e/harness.mjs';
import { Workshop, draws, prose } from './agent_trace.mjs';
import { measure, startPeer } from './peer.mjs';

const args = process.argv.slice(2);
const option = (name, otherwise) => { const at = args.indexOf(name); return at >= 0 ? args[at + 1] : otherwise; };
const model = args[0];
if (!model || model.startsWith('--')) { console.error('usage: node bench/agents_bench.mjs MODEL.gguf [--agents 1,2,4,8] [--quick] [--turns N] [--only hearth]'); process.exit(2); }
const quick = args.includes('--quick');
const counts = option('--agents', '1,2,4,8').split(',').map(Number);
const turns = Number(option('--turns', quick ? 2 : 4));
const answerTokens = quick ? 60 : 120;
const scale = quick ? 0.1 : 0.25;  // of an agent's instructions: 18k tokens whole
const context = 131072;

const quantile = (values, part) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))];
const gaps_ms = (pieces_s) => pieces_s.slice(1).map((at, i) => 1000 * (at - pieces_s[i]));

async function agent(server, shop, number) {
  const session = shop.session(`agent ${number}`, 9, 1, 400);
  session.messages = [{ role: 'user', content: [{ type: 'text', text: prose(draws(32452843 + number), shop.size(400)) }] }];
  session.draw = draws(number);
  const answers = [];
  for (let turn = 0; turn < turns; turn += 1) answers.push(await measure(server, { ...session.next().body, max_tokens: answerTokens }));
  return answers;
}

async function round(name, agents) {
  const server = name === 'hearth'
    ? Object.assign(await serve(model, { args: ['--ctx', String(context), '--parallel', String(agents), '--threads', '1', '--threads-batch', '1'], env: { HOME: scratch('agents') } }), { name })  // a home of its own: nothing is kept from run to run
    : await startPeer(model, { context, args: ['-np', String(agents), '--cache-reuse', '256', '-t', '1', '-tb', '1'] });
  try {
    const shop = new Workshop({ seed: 1, scale });
    await measure(server, { model: 'bench', max_tokens: 4, messages: [{ role: 'user', content: 'hello' }] });  // buffers are made
    const begun = performance.now();
    const streams = await Promise.all(Array.from({ length: agents }, (_, i) => agent(server, shop, i + 1)));
    const seconds = (performance.now() - begun) / 1000;
    const all = streams.flat();
    const sum = (of) => all.reduce((total, one) => total + of(one), 0);
    const p95 = streams.map((answers) => quantile(answers.flatMap((one) => gaps_ms(one.pieces_s)), 0.95));
    const waits = all.map((one) => one.ttft_s);
    const figures = {
      name, seconds, tokens_s: sum((one) => one.output) / seconds, work_s: sum((one) => one.output + one.prompt) / seconds,
      wait_p50: quantile(waits, 0.5), wait_p95: quantile(waits, 0.95), gap_p95: quantile(p95, 0.5), fairness: Math.max(...p95) / quantile(p95, 0.5),
      read: sum((one) => one.read) / sum((one) => one.prompt),
    };
    console.log(`  ${name.padEnd(13)} N=${agents}  ${figures.tokens_s.toFixed(1).padStart(7)} tokens/s, ${figures.work_s.toFixed(0).padStart(6)} work/s, wait ${figures.wait_p50.toFixed(2)} s (p95 ${figures.wait_p95.toFixed(2)}), gap p95 ${figures.gap_p95.toFixed(1)} ms, fairness ${figures.fairness.toFixed(2)}, ${(100 * figures.read).toFixed(1)} % of prompts from the cache, ${seconds.toFixed(1)} s`);
    return figures;
  } finally { await server.stop(); }
}

console.log(`agents of ${turns} turns on shared instructions, answers of ${answerTokens} tokens; ${path.basename(model)}`);
for (const agents of counts) {
  const peer = option('--only') === 'hearth' ? null : await round('llama-server', agents);
  const ours = await round('hearth', agents);
  if (peer) console.log(`  hearth / llama-server N=${agents}: tokens/s ${(ours.tokens_s / peer.tokens_s).toFixed(2)} (target 1.0), p95 of the wait ${(ours.wait_p95 / peer.wait_p95).toFixed(2)} (target 0.5), gap p95 ${(ours.gap_p95 / peer.gap_p95).toFixed(2)}, fairness ${ours.fairness.toFixed(2)} (target 1.5; llama-server ${peer.fairness.toFixed(2)})`);
}
