// The load program: a thousand streams at once, queued and running, on a real server and its scripted engine; clients leave
// at random and read slowly at random, and, in its second part, the engine is killed again and again. Checked: every event of
// every stream, the pings, that memory does not grow, and that nothing is left behind.
//
//   node tests/load/run.mjs [--long] [--streams N] [--seconds S] [--kill-every S] [--only steady|faults]
//
// Short (make test): 20 s and 15 s. Long (make check): 10 minutes and 2. The last line is `load: N passed, N failed`.
import { readFileSync } from 'node:fs';
import { serve, fakeModel, request, sleep } from '../e2e/harness.mjs';
import { ask, textFor } from './stream_client.mjs';

const given = (name, otherwise) => { const at = process.argv.indexOf(name); return at < 0 ? otherwise : process.argv[at + 1]; };
const long = process.argv.includes('--long');
const streams = Number(given('--streams', 1000));
const only = given('--only', '');
const kPing_ms = 10_000;
const kPingSlack_ms = 4_000;  // of a busy machine
const kDrift = 0.05;
const kDriftLeast_kb = 2048;  // pages, not growth: the front is some 40 MB
let passed = 0;
let failed = 0;

function check(what, holds, detail = '') {
  if (holds) passed += 1; else failed += 1;
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${what}${detail ? `: ${detail}` : ''}`);
}

function random(seed) {
  let state = seed >>> 0;
  return () => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return state / 2 ** 32; };
}

const rss_kb = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;

// The event loop's own lateness counts as the machine's, not as the server's.
function watchOwnLag() {
  const lag = { most_ms: 0 };
  let last = performance.now();
  lag.timer = setInterval(() => { const now = performance.now(); lag.most_ms = Math.max(lag.most_ms, now - last - 50); last = now; }, 50);
  return lag;
}

const model = () => fakeModel({ name: 'scripted', context_tokens: 65536, sequences: 64, decode_ms_per_token: 2, rules: [{ when: { last_user_contains: ['w'] }, echo: true }] });
const serverArgs = ['--parallel', '32', '--queue', '1000', '--cache-ram', '0', '--cache-dir', 'none', '--log-level', 'error', '--keep-alive', '-1'];

// Keeps `streams` clients going until the time is over, then lets them end.
async function drive(server, { seconds, seed, leaves, slow, onSecond }) {
  const until = Date.now() + seconds * 1000;
  const totals = { whole: 0, left: 0, refused: 0, broken: 0, asked: 0, silence_ms: 0, firstByte_ms: 0, problems: [], bytes: 0 };
  const draw = random(seed);
  const client = async (number) => {
    await sleep(draw() * 1000);
    while (Date.now() < until) {
      const id = (totals.asked += 1);
      const result = await ask({
        port: server.port, text: textFor(id, 4 + Math.floor(draw() * 12)), marks: totals,
        leaveAfter_ms: draw() < leaves ? 50 + draw() * 6000 : 0,
        ...(draw() < slow ? { pauseAfterBytes: 400 + Math.floor(draw() * 4000), pause_ms: 500 + draw() * 3000 } : {}),
      });
      totals[result.outcome] += 1;
      totals.silence_ms = Math.max(totals.silence_ms, result.silence_ms);
      totals.firstByte_ms = Math.max(totals.firstByte_ms, result.firstByte_ms);
      if (result.problems.length && totals.problems.length < 10) totals.problems.push(`stream ${id}: ${result.problems.join('; ')}`);
      if (result.outcome === 'refused' || result.outcome === 'broken') await sleep(200);
    }
  };
  const clients = Array.from({ length: streams }, (_, number) => client(number));
  const ticking = (async () => { for (let second = 1; Date.now() < until; second += 1) { await sleep(1000); await onSecond?.(second); } })();
  await Promise.all([...clients, ticking]);
  return totals;
}

async function nothingLeft(server) {
  for (let i = 0; i < 100; i += 1) {
    const status = await server.status();
    // The status request is active itself.
    if (status.models[0].live_jobs === 0 && status.requests.active <= 1) return true;
    await sleep(100);
  }
  return false;
}

const tell = (totals) => `${totals.asked} asked, ${totals.whole} whole, ${totals.left} left, ${totals.refused} refused, ${totals.broken} broken`;

async function steady() {
  const seconds = Number(given('--seconds', long ? 600 : 20));
  console.log(`== ${streams} streams for ${seconds} s; one in six leaves, one in thirty reads slowly`);
  const server = await serve(model(), { args: serverArgs });
  const lag = watchOwnLag();
  try {
    const samples = [];
    const totals = await drive(server, { seconds, seed: 1, leaves: 1 / 6, slow: 1 / 30, onSecond: () => samples.push(rss_kb(server.child.pid)) });
    const warm = samples.slice(Math.floor(samples.length * 0.4));
    const early = median(warm.slice(0, Math.ceil(warm.length / 3)));
    const late = median(warm.slice(-Math.ceil(warm.length / 3)));
    const bound = kPing_ms + kPingSlack_ms + lag.most_ms;
    check('no event was lost, doubled or out of place', totals.broken === 0 && totals.problems.length === 0, [tell(totals), ...totals.problems].join('\n     '));
    check('streams were answered whole', totals.whole > streams / 4);
    check('nothing was refused below the bound of the queue', totals.refused === 0);
    check('no stream was silent for longer than its ping', totals.silence_ms < bound, `${Math.round(totals.silence_ms)} ms of ${Math.round(bound)}`);
    check('no stream waited for its headers', totals.firstByte_ms < bound, `${Math.round(totals.firstByte_ms)} ms`);
    check('memory does not grow after the warm-up', late - early < Math.max(early * kDrift, kDriftLeast_kb), `${early} kB, then ${late} kB`);
    check('nothing is left behind', await nothingLeft(server));
    const metrics = (await request(`${server.url}/metrics`)).raw;
    check('nothing unsent is counted', /hearth_unsent_bytes 0\n/.test(metrics), /hearth_unsent_bytes \d+/.exec(metrics)?.[0]);
    console.log(`     ${(totals.bytes / seconds / 1e6).toFixed(2)} MB/s; own lateness at most ${Math.round(lag.most_ms)} ms`);
  } finally {
    clearInterval(lag.timer);
    await server.stop();
  }
}

async function faults() {
  const seconds = Number(given('--seconds', long ? 120 : 15));
  const every = Number(given('--kill-every', long ? 20 : 2));
  console.log(`== ${streams} streams for ${seconds} s; the engine is killed every ${every} s`);
  const server = await serve(model(), { args: serverArgs });
  try {
    let kills = 0;
    const totals = await drive(server, {
      seconds, seed: 2, leaves: 1 / 20, slow: 1 / 50,
      onSecond: async (second) => {
        if (second % every !== 0) return;
        const pid = await server.enginePid().catch(() => 0);
        if (pid > 0) { try { process.kill(pid, 'SIGKILL'); kills += 1; } catch { /* it is gone already */ } }
      },
    });
    check('no client saw an error', totals.broken === 0 && totals.refused === 0, [tell(totals), ...totals.problems].join('\n     '));
    check('the engine was killed under load', kills >= Math.floor(seconds / every) / 2, `${kills} kills, ${(await server.status()).models[0].restart_count} restarts`);
    check('streams were answered whole', totals.whole > streams / 10);
    check('nothing is left behind', await nothingLeft(server));
  } finally { await server.stop(); }
}

if (only !== 'faults') await steady();
if (only !== 'steady') await faults();
console.log(`load: ${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
