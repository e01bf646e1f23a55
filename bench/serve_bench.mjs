// Hearth beside llama-server on the same libllama, the same model and the same run: prefill and decode of one stream,
// decode of four streams. Rounds alternate between the two servers; the figures are medians and their ratio.
//   node bench/serve_bench.mjs MODEL.gguf [--rounds N] [--prompt-words N] [--answer-tokens N]
import path from 'node:path';
import { serve } from '../tests/e2e/harness.mjs';
import { measure as measureBody, startPeer } from './peer.mjs';

const args = process.argv.slice(2);
const option = (name, otherwise) => { const at = args.indexOf(name); return at >= 0 ? Number(args[at + 1]) : otherwise; };
const model = args[0];
if (!model || model.startsWith('--')) { console.error('usage: node bench/serve_bench.mjs MODEL.gguf [--rounds N] [--prompt-words N] [--answer-tokens N]'); process.exit(2); }
const rounds = option('--rounds', 7);
const promptWords = option('--prompt-words', 3000);
const answerTokens = option('--answer-tokens', 200);
const context = option('--ctx', 65536);

let nonce = 0;
const words = ['file', 'server', 'token', 'cache', 'stream', 'prefix', 'engine', 'batch', 'return', 'const', 'value', 'result'];
function prompt(count) {
  nonce += 1;
  let text = `Session ${process.pid}-${nonce}. `;
  for (let i = 0; i < count; i += 1) text += `${words[(i * 7 + nonce) % words.length]} `;
  return text;
}
const measure = (server, text, tokens) => measureBody(server, { model: 'bench', max_tokens: tokens, temperature: 0, messages: [{ role: 'user', content: text }] });

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const workloads = {
  'prefill, 1 stream (tokens/s)': async (server) => { const m = await measure(server, prompt(promptWords), 1); return m.computed / m.total_s; },
  'decode, 1 stream (tokens/s)': async (server) => { const m = await measure(server, prompt(20), answerTokens); return (m.output - 1) / (m.total_s - m.ttft_s); },
  'decode, 4 streams (tokens/s together)': async (server) => {
    const begun = process.hrtime.bigint();
    const all = await Promise.all(Array.from({ length: 4 }, () => measure(server, prompt(20), answerTokens)));
    return all.reduce((sum, m) => sum + m.output, 0) / (Number(process.hrtime.bigint() - begun) / 1e9);
  },
};

console.log(`model ${path.basename(model)}, ${rounds} rounds, medians (min-max)`);
for (const [name, work] of Object.entries(workloads)) {
  // Fresh servers for each workload: what one leaves in the context (idle conversations cost attention time in a unified
  // pool, see ARCHITECTURE.md) is not the next one's subject.
  const hearth = Object.assign(await serve(model, { args: ['--ctx', String(context), '--parallel', '4', '--threads', '2'] }), { name: 'hearth' });
  const peer = await startPeer(model, { context });
  try {
    const figures = { hearth: [], 'llama-server': [] };
    for (let round = 0; round <= rounds; round += 1) {
      // The order turns each round, so that neither always follows the other; round 0 warms up and is not counted.
      for (const server of round % 2 === 0 ? [hearth, peer] : [peer, hearth]) {
        const figure = await work(server);
        if (round > 0) figures[server.name].push(figure);
      }
    }
    const show = (list) => `${median(list).toFixed(1)} (${Math.min(...list).toFixed(1)}-${Math.max(...list).toFixed(1)})`;
    const ratios = figures.hearth.map((value, i) => value / figures['llama-server'][i]);
    console.log(`${name.padEnd(38)} hearth ${show(figures.hearth).padEnd(24)} llama-server ${show(figures['llama-server']).padEnd(24)} ratio of medians ${(median(figures.hearth) / median(figures['llama-server'])).toFixed(3)}, median of ratios ${median(ratios).toFixed(3)}`);
  } finally {
    await peer.stop();
    await hearth.stop();
  }
}
