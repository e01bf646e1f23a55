// The front's own cost on a scripted engine: each step of a 400 KB, 150-message request as the server timed it, the time
// to response headers, memory when idle, and 500 open streams that wait with pings.
//   node bench/front_bench.mjs [--rounds N] [--streams N] [--wait-s N]
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { fakeModel, request, serve, sleep, stream } from '../tests/e2e/harness.mjs';

const args = process.argv.slice(2);
const option = (name, otherwise) => { const at = args.indexOf(name); return at >= 0 ? Number(args[at + 1]) : otherwise; };
const rounds = option('--rounds', 15);
const streams = option('--streams', 500);
const wait_s = option('--wait-s', 45);
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const rss_mb = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

function bigBody(nonce) {
  const tools = Array.from({ length: 12 }, (_, i) => ({ name: `Tool${i}`, description: 'Does a thing with a file. '.repeat(60), input_schema: { type: 'object', properties: { path: { type: 'string', description: 'where' }, count: { type: 'integer' } }, required: ['path'] } }));
  const messages = [];
  const code = 'const value = compute(index, { flag: true, label: "x" });\n'.repeat(70);
  for (let i = 0; i < 75; i += 1) {
    messages.push({ role: 'user', content: i === 0 ? [{ type: 'text', text: `${nonce} begin` }] : [{ type: 'tool_result', tool_use_id: `toolu_${i - 1}`, content: `${i}\n${code}` }] });
    messages.push({ role: 'assistant', content: [{ type: 'text', text: `Step ${i}: looking further.` }, { type: 'tool_use', id: `toolu_${i}`, name: 'Tool1', input: { path: `/src/file_${i}.ts`, count: i } }] });
  }
  messages.push({ role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_74', content: 'done', cache_control: { type: 'ephemeral' } }] });
  return { model: 'm', max_tokens: 8, system: [{ type: 'text', text: 'You are a careful agent. '.repeat(300) }], tools, messages };
}

const server = await serve(fakeModel({
  name: 'scripted', context_tokens: 4_000_000,
  rules: [{ when: { last_user_contains: ['wait for it'] }, first_token_delay_ms: 600000, say: 'x' }], otherwise: 'Hello.',
}), { args: ['--parallel', '4'] });
try {
  await sleep(500);
  console.log(`front memory, idle: ${rss_mb(server.child.pid).toFixed(1)} MB (limit 60)`);
  const size = JSON.stringify(bigBody('r')).length;
  const headers = [];
  const steps = {};
  for (let round = 0; round <= rounds; round += 1) {
    const { headers_ms } = await precise(bigBody(`round ${round}`));
    if (round === 0) continue;
    headers.push(headers_ms);
    const { json } = await request(`${server.url}/v1/hearth/status`);
    const { times } = json.recent.filter((r) => r.path === '/v1/messages').at(-1);
    for (const [name, us] of Object.entries(times)) (steps[name.replace(/_us$/, '')] ??= []).push(us / 1000);
    (steps['wait + parse + submit + first event'] ??= []).push((times.wait_us + times.parse_us + times.submit_us + times.first_event_us) / 1000);
  }
  console.log(`body of ${(size / 1024).toFixed(0)} KB, 151 messages, ${rounds} rounds, medians (max) in ms:`);
  for (const [name, list] of Object.entries(steps)) console.log(`  ${name.padEnd(28)} ${median(list).toFixed(2)} (${Math.max(...list).toFixed(2)})`);
  console.log(`  response headers after the request's last byte, seen by the client: ${median(headers).toFixed(2)} (${Math.max(...headers).toFixed(2)})`);
  await manyStreams();
} finally { await server.stop(); }

// Time from the request's last byte handed to the kernel to the response's headers.
function precise(body) {
  return new Promise((resolve, reject) => {
    const bytes = Buffer.from(JSON.stringify({ ...body, stream: true }));
    let flushed = 0n;
    const sent = http.request(`${server.url}/v1/messages`, { method: 'POST', agent: false, headers: { 'content-type': 'application/json', 'content-length': bytes.length } }, (response) => {
      const headers_ms = Number(process.hrtime.bigint() - flushed) / 1e6;
      response.resume().on('end', () => resolve({ headers_ms }));
    });
    sent.on('error', reject);
    sent.on('finish', () => { flushed = process.hrtime.bigint(); });
    sent.end(bytes);
  });
}

async function manyStreams() {
  const pings = Array(streams).fill(0);
  const open = [];
  let failures = 0;
  let longest_ms = 0;
  const last = Array(streams).fill(0);
  for (let i = 0; i < streams; i += 1) {
    stream(server, { model: 'm', max_tokens: 5, messages: [{ role: 'user', content: 'wait for it' }] }, (event, sent) => {
      open[i] = sent;
      const now = Date.now();
      if (last[i]) longest_ms = Math.max(longest_ms, now - last[i]);
      last[i] = now;
      if (event.event === 'ping') pings[i] += 1;
    }).then(({ status }) => { if (status !== 200) failures += 1; }, () => { failures += 1; });
    if (i % 50 === 49) await sleep(50);
  }
  await sleep(wait_s * 1000);
  const expected = Math.floor((wait_s - 2) / 10);
  console.log(`${streams} open streams for ${wait_s} s: front memory ${rss_mb(server.child.pid).toFixed(1)} MB (limit 200), pings per stream ${Math.min(...pings)}-${Math.max(...pings)} (at least ${expected} due), longest silence ${(longest_ms / 1000).toFixed(1)} s, failures ${failures}`);
  const whole = failures;
  for (const sent of open) sent?.destroy();
  if (whole > 0 || Math.min(...pings) < expected) process.exitCode = 1;
}
