// llama-server beside Hearth, as the benches start it: four slots over one shared pool of cells, prompt caching with its
// defaults (8 GiB of RAM for idle conversations, checkpoints for memories that cannot be cut) and --cache-reuse on.
// Found as $LLAMA_SERVER (words split at spaces), in PATH, or inside the toolchain root.
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { checkout, freePort, request, sleep, stream } from '../tests/e2e/harness.mjs';

export async function startPeer(model, { context, args = [] }) {
  const command = process.env.LLAMA_SERVER?.split(' ')
    ?? (spawnSync('sh', ['-c', 'command -v llama-server']).status === 0 ? ['llama-server'] : [path.join(checkout, 'scripts', 'in-root'), 'llama-server']);
  const port = await freePort();
  const child = spawn(command[0], [...command.slice(1), '-m', model, '-c', String(context), '-np', '4', '--kv-unified', '-fa', 'on', '-t', '2', '-b', '2048', '-ub', '512', '--host', '127.0.0.1', '--port', String(port), '--jinja', '--log-disable', ...args], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const kill = () => { try { process.kill(-child.pid, 'SIGKILL'); } catch { /* gone */ } };
  process.once('exit', kill);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
  let log = '';
  child.stdout.on('data', (b) => { log += b; });
  child.stderr.on('data', (b) => { log += b; });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const url = `http://127.0.0.1:${port}`;
  for (let i = 0; i < 600; i += 1) {
    if ((await request(`${url}/health`).catch(() => null))?.status === 200) {
      return { name: 'llama-server', url, child, stop: async () => { kill(); await exited; process.off('exit', kill); } };
    }
    if (child.exitCode !== null) throw new Error(`llama-server ended: ${log.slice(-2000)}`);
    await sleep(100);
  }
  throw new Error('llama-server is not healthy after 60 s');
}

// One streamed message: seconds to the first piece of the answer, the times of all pieces, and what the usage says.
export async function measure(server, body) {
  const begun = process.hrtime.bigint();
  const seconds = () => Number(process.hrtime.bigint() - begun) / 1e9;
  const pieces_s = [];
  let text = '';
  const { events, raw, status } = await stream(server, body, (event) => {
    const delta = event.event === 'content_block_delta' ? event.data.delta : null;
    const piece = delta?.text ?? delta?.thinking ?? delta?.partial_json ?? '';
    if (piece === '') return;
    text += piece;
    pieces_s.push(seconds());
  });
  const total_s = seconds();
  if (status !== 200) throw new Error(`${server.name}: HTTP ${status} ${raw.slice(0, 300)}`);
  const failure = events.find((e) => e.event === 'error');
  if (failure) throw new Error(`${server.name}: ${JSON.stringify(failure.data).slice(0, 300)}`);
  const ended = events.find((e) => e.event === 'message_delta');
  if (!ended) throw new Error(`${server.name}: the stream ended without message_delta`);
  const usage = { ...events.find((e) => e.event === 'message_start').data.message.usage, ...ended.data.usage };
  const read = usage.cache_read_input_tokens ?? 0;
  const created = usage.cache_creation_input_tokens ?? 0;
  const prompt = usage.input_tokens + read + created;
  return { ttft_s: pieces_s[0] ?? total_s, total_s, pieces_s, text, read, created, prompt, computed: prompt - read, output: usage.output_tokens };
}
