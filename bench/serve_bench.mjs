// Hearth beside llama-server on the same libllama, the same model and the same run: prefill and decode of one stream,
// decode of four streams. Rounds alternate between the two servers; the figures are medians and their ratio.
//   node bench/serve_bench.mjs MODEL.gguf [--rounds N] [--prompt-words N] [--answer-tokens N]
// llama-server is found as $LLAMA_SERVER (words split at spaces), in PATH, or inside the toolchain root.
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { checkout, freePort, request, serve, sleep, stream } from '../tests/e2e/harness.mjs';

const args = process.argv.slice(2);
const option = (name, otherwise) => { const at = args.indexOf(name); return at >= 0 ? Number(args[at + 1]) : otherwise; };
const model = args[0];
if (!model || model.startsWith('--')) { console.error('usage: node bench/serve_bench.mjs MODEL.gguf [--rounds N] [--prompt-words N] [--answer-tokens N]'); process.exit(2); }
const rounds = option('--rounds', 7);
const promptWords = option('--prompt-words', 3000);
const answerTokens = option('--answer-tokens', 200);
const context = option('--ctx', 65536);

async function startPeer() {
  const command = process.env.LLAMA_SERVER?.split(' ')
    ?? (spawnSync('sh', ['-c', 'command -v llama-server']).status === 0 ? ['llama-server'] : [path.join(checkout, 'scripts', 'in-root'), 'llama-server']);
  const port = await freePort();
  const child = spawn(command[0], [...command.slice(1), '-m', model, '-c', String(context), '-np', '4', '--kv-unified', '-fa', 'on', '-t', '2', '-b', '2048', '-ub', '512', '--host', '127.0.0.1', '--port', String(port), '--jinja', '--log-disable'], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let log = '';
  child.stdout.on('data', (b) => { log += b; });
  child.stderr.on('data', (b) => { log += b; });
  const url = `http://127.0.0.1:${port}`;
  for (let i = 0; i < 600; i += 1) {
    if ((await request(`${url}/health`).catch(() => null))?.status === 200) return { name: 'llama-server', url, stop: () => { try { process.kill(-child.pid, 'SIGKILL'); } catch { /* gone */ } } };
    if (child.exitCode !== null) throw new Error(`llama-server ended: ${log.slice(-2000)}`);
    await sleep(100);
  }
  throw new Error('llama-server is not healthy after 60 s');
}

let nonce = 0;
const words = ['file', 'server', 'token', 'cache', 'stream', 'prefix', 'engine', 'batch', 'return', 'const', 'value', 'result'];
function prompt(count) {
  nonce += 1;
  let text = `Session ${process.pid}-${nonce}. `;
  for (let i = 0; i < count; i += 1) text += `${words[(i * 7 + nonce) % words.length]} `;
  return text;
}
const body = (text, tokens) => ({ model: 'bench', max_tokens: tokens, temperature: 0, messages: [{ role: 'user', content: text }] });

// One stream: time to first content event, and tokens per second between the first and the last content event.
async function measure(server, text, tokens) {
  const begun = process.hrtime.bigint();
  let first = 0n;
  let last = 0n;
  const { events, raw, status } = await stream(server, body(text, tokens), (event) => {
    if (event.event !== 'content_block_delta' || event.data.delta.type === 'signature_delta') return;
    last = process.hrtime.bigint();
    first ||= last;
  });
  if (status !== 200) throw new Error(`${server.name}: HTTP ${status} ${raw.slice(0, 300)}`);
  const end = process.hrtime.bigint();
  const usage = { ...events.find((e) => e.event === 'message_start').data.message.usage, ...events.find((e) => e.event === 'message_delta').data.usage };
  const promptTokens = usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0);
  return { ttft_s: Number((first || end) - begun) / 1e9, total_s: Number(end - begun) / 1e9, output: usage.output_tokens, prompt: promptTokens, computed: promptTokens - (usage.cache_read_input_tokens ?? 0) };
}

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
  const peer = await startPeer();
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
    peer.stop();
    await hearth.stop();
  }
}
