// What a restart costs, and what it costs running streams that conversations are written to the disk.
//   node bench/restart_bench.mjs ATTENTION.gguf HYBRID.gguf STREAM.gguf [WIDE.gguf] [--quick] [--only restart|stream|disk] [--tokens N]
// Targets: the first piece of the next turn after a restart of the server comes within 3 % of the time that it takes to compute the
// prompt (24,000 tokens); a stream beside the writes keeps 97 % of its throughput, and its p95 gap grows at most 1.2 times; and where
// a conversation is large (WIDE: a model with as many bytes a token as a real one) its first piece comes as fast as 70 % of what
// dd reads of the same files, the page cache dropped before each (its last request is asked again, so that one token is left to compute; --tokens: how many,
// 8,000 unless said). Medians of three, of five beside dd. Ends with 1 when a restarted server computes what it should have read.
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { scratch, serve, sleep } from '../tests/e2e/harness.mjs';
import { draws, prose } from './agent_trace.mjs';
import { measure } from './peer.mjs';

const [attention, hybrid, streamed, last = ''] = process.argv.slice(2);
const wide = last.startsWith('--') ? '' : last;
if (!streamed || streamed.startsWith('--')) { console.error('usage: node bench/restart_bench.mjs ATTENTION.gguf HYBRID.gguf STREAM.gguf [WIDE.gguf] [--quick] [--only restart|stream|disk] [--tokens N]'); process.exit(2); }
const quick = process.argv.includes('--quick');
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : '';
const rounds = quick ? 1 : 3;
const diskTokens = process.argv.includes('--tokens') ? Number(process.argv[process.argv.indexOf('--tokens') + 1]) : 8000;
const promptTokens = quick ? 6000 : 24000;
const middle = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const quantile = (values, part) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))];
const turn = (seed, tokens, more, max_tokens) => ({
  model: 'bench', max_tokens, temperature: 0,
  messages: [{ role: 'user', content: [{ type: 'text', text: prose(draws(seed), tokens), cache_control: { type: 'ephemeral' } }] },
    ...(more ? [{ role: 'assistant', content: 'Yes.' }, { role: 'user', content: prose(draws(seed + 1), 60) }] : [])],
});
const start = (model, args) => serve(model, { args: ['--ctx', '65536', '--parallel', '2', ...args] });

let wrong = 0;
async function restart(kind, model) {
  const cold = [];
  const warm = [];
  for (let round = 0; round < rounds; round += 1) {
    const folder = scratch('bench');
    const first = await start(model, ['--cache-dir', folder]);
    await measure(first, turn(100 + round, promptTokens, false, 4));
    await first.stop();
    const second = await start(model, ['--cache-dir', folder]);
    const again = await measure(second, turn(100 + round, promptTokens, true, 4));
    await second.stop();
    if (again.read < 0.95 * promptTokens) { wrong += 1; console.log(`WRONG: only ${again.read} of ${again.prompt} tokens were read`); }
    warm.push(again.ttft_s);
    const without = await start(model, ['--cache-dir', 'none']);
    cold.push((await measure(without, turn(100 + round, promptTokens, true, 4))).ttft_s);
    await without.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(`  ${kind.padEnd(10)} ${promptTokens} tokens: cold ${middle(cold).toFixed(2)} s, after a restart ${(1000 * middle(warm)).toFixed(0)} ms: ${(100 * middle(warm) / middle(cold)).toFixed(2)} %   (target: 3 %)`);
}

// One long answer while a conversation beside it has just ended and is being written.
async function stream(args) {
  const gaps = [];
  const rates = [];
  for (let round = 0; round < rounds; round += 1) {
    const folder = scratch('bench');
    const server = await start(streamed, ['--threads', '1', '--cache-dir', folder, ...args]);
    const running = measure(server, turn(300 + round, 200, false, quick ? 200 : 500));
    await sleep(300);
    for (let i = 0; i < 3; i += 1) await measure(server, turn(400 + 10 * round + i, 1500, false, 1));
    const { pieces_s } = await running;
    gaps.push(quantile(pieces_s.slice(11).map((at, i) => 1000 * (at - pieces_s[10 + i])), 0.95));
    rates.push(pieces_s.length / (pieces_s.at(-1) - pieces_s[0]));
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  return { gap_ms: middle(gaps), rate: middle(rates) };
}

// A large conversation's last request again after a restart, beside dd over the same files.
async function disk(model) {
  const tokens = quick ? 2000 : diskTokens;
  const folder = scratch('bench');
  const args = ['--cache-dir', folder, ...(tokens > 60000 ? ['--ctx', '131072'] : [])];
  const first = await start(model, args);
  const { ttft_s: cold_s } = await measure(first, turn(500, tokens, false, 4));
  await first.stop();
  const shares = [];
  for (let round = 0; round < 5; round += 1) {
    const files = readdirSync(folder, { recursive: true }).map((name) => path.join(folder, name)).filter((file) => statSync(file).size > 1 << 20);
    const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
    forgetPages();
    const begun = process.hrtime.bigint();
    for (const file of files) spawnSync('dd', [`if=${file}`, 'of=/dev/null', 'bs=4M']);
    const dd_rate = bytes / (Number(process.hrtime.bigint() - begun) / 1e9);
    const server = await start(model, args);
    await measure(server, turn(9000 + round, 60, false, 1));  // the weights are read
    const before = await readBytes(server);
    forgetPages();
    const again = await measure(server, turn(500, tokens, false, 4));
    const read = await readBytes(server) - before;
    await server.stop();
    if (again.read < 0.95 * tokens) { wrong += 1; console.log(`WRONG: only ${again.read} of ${again.prompt} tokens were read`); }
    const rate = read / again.ttft_s;
    shares.push(rate / dd_rate);
    console.log(`  ${(read / 1e6).toFixed(0)} MB of ${again.prompt} tokens: first piece after ${again.ttft_s.toFixed(2)} s, ${(rate / 1e6).toFixed(0)} MB/s; dd ${(dd_rate / 1e6).toFixed(0)} MB/s (computing them took ${cold_s.toFixed(1)} s)`);
  }
  console.log(`  the first piece comes at ${(100 * middle(shares)).toFixed(0)} % of the disk's speed   (target: 70 %)`);
  rmSync(folder, { recursive: true, force: true });
}
async function readBytes(server) {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(/^hearth_engine_disk_read_bytes\{[^}]*\} (\d+)/m.exec(text)[1]);
}
function forgetPages() {
  spawnSync('sync');
  try { writeFileSync('/proc/sys/vm/drop_caches', '1'); } catch { console.log('  (the page cache cannot be dropped here: that needs root on Linux)'); }
}

if (only === '' || only === 'restart') {
  console.log('the next turn after a restart of the server');
  await restart('attention', attention);
  await restart('hybrid', hybrid);
}
if (only === '' || only === 'stream') {
  console.log(`a stream beside conversations that are written (${path.basename(streamed)})`);
  const without = await stream(['--cache-disk', '0']);
  const beside = await stream([]);
  console.log(`  throughput ${without.rate.toFixed(1)} t/s without, ${beside.rate.toFixed(1)} t/s with: ${(100 * beside.rate / without.rate).toFixed(1)} %   (target: 97 %)`);
  console.log(`  p95 gap    ${without.gap_ms.toFixed(1)} ms without, ${beside.gap_ms.toFixed(1)} ms with: ${(beside.gap_ms / without.gap_ms).toFixed(2)} times   (target: 1.2)`);
}
if (wide && (only === '' || only === 'disk')) {
  console.log(`a large conversation after a restart of the server (${path.basename(wide)})`);
  await disk(wide);
}
process.exit(wrong > 0 ? 1 : 0);
