// The end-to-end tests' common ground: a list of named tests, a real `hearth serve` per test, real clients with
// `env -i`, a HOME of their own and a dummy key, pointed at 127.0.0.1 only.
import { spawn, execFile } from 'node:child_process';
import { mkdtempSync, mkdirSync, writeFileSync, existsSync, rmSync, readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import net from 'node:net';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const here = path.dirname(fileURLToPath(import.meta.url));
export const checkout = path.resolve(here, '..', '..');
export const hearth = process.env.HEARTH_BIN || path.join(checkout, 'bin', 'hearth');
const cacheRoot = process.env.HEARTH_CACHE || path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'hearth');

const tests = [];
// `slots`: how many of the runner's two lanes a test takes; a test that only waits takes none and runs beside all others.
export function test(name, body, options = {}) { tests.push({ name, body, slots: options.slots ?? 1, limit_s: options.limit_s ?? 120 }); }
export function registered() { return tests; }

export function assert(condition, message) { if (!condition) throw new Error(message); }
export function equal(actual, expected, what) {
  const a = JSON.stringify(actual), b = JSON.stringify(expected);
  if (a !== b) throw new Error(`${what}: expected ${b?.slice(0, 600)}, got ${a?.slice(0, 600)}`);
}
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function scratch(prefix) { return mkdtempSync(path.join(os.tmpdir(), `hearth-e2e-${prefix}-`)); }

export async function freePort() {
  return await new Promise((resolve, reject) => {
    const probe = net.createServer().once('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

// A scripted model (docs/fake-engine.md) written to a scratch file.
export function fakeModel(script) {
  const file = path.join(scratch('script'), 'script.json');
  writeFileSync(file, JSON.stringify(script));
  return `fake:${file}`;
}

// Starts `hearth serve` (model null: the built-in one) and waits until it says it is healthy. stop() must be awaited; it returns the exit code.
export async function serve(model, { args = [], env = {}, limit_s = 60 } = {}) {
  const port = await freePort();
  const home = scratch('server');
  // Nothing of a test stays in the user's own cache.
  const kept = args.includes('--cache-dir') ? [] : ['--cache-dir', path.join(home, 'cache')];
  const child = spawn(hearth, ['serve', ...(model === null ? [] : ['--model', model]), '--port', String(port), ...kept, ...args], {
    env: { PATH: process.env.PATH, HOME: os.homedir(), HEARTH_FAKE_STATE: path.join(home, 'state'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stdout.on('data', (bytes) => { log += bytes; });
  child.stderr.on('data', (bytes) => { log += bytes; });
  let exit = null;
  const exited = new Promise((resolve) => child.once('exit', (code, signal) => { exit = { code, signal }; resolve(exit); }));
  const url = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + limit_s * 1000;
  for (;;) {
    if (exit) throw new Error(`hearth serve ended with ${JSON.stringify(exit)}:\n${log.slice(-3000)}`);
    const health = await request(`${url}/health`).catch(() => null);
    if (health?.status === 200) break;
    if (Date.now() > deadline) { child.kill('SIGKILL'); throw new Error(`no healthy server after ${limit_s} s:\n${log.slice(-3000)}`); }
    await sleep(50);
  }
  return {
    url, port, child, log: () => log,
    enginePid: async () => (await request(`${url}/v1/hearth/status`)).json.models[0].engine_pid,
    status: async () => (await request(`${url}/v1/hearth/status`)).json,
    stop: async () => {
      if (!exit) { child.kill('SIGTERM'); setTimeout(() => { if (!exit) child.kill('SIGKILL'); }, 30_000).unref(); }
      const ended = await exited;
      rmSync(home, { recursive: true, force: true });
      return ended;
    },
  };
}

// One plain HTTP exchange, whole body. `raw` keeps the text; json is parsed when it can be.
export function request(url, { method = 'GET', headers = {}, body, timeout_ms = 60_000 } = {}) {
  return new Promise((resolve, reject) => {
    const sent = http.request(url, { method, headers: { ...(body !== undefined ? { 'content-type': 'application/json' } : {}), ...headers }, agent: false }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        const raw = Buffer.concat(parts).toString();
        let json = null;
        try { json = JSON.parse(raw); } catch { /* not JSON: the caller looks at raw */ }
        resolve({ status: response.statusCode, headers: response.headers, raw, json });
      });
    });
    sent.setTimeout(timeout_ms, () => sent.destroy(new Error(`no answer in ${timeout_ms} ms`)));
    sent.on('error', reject);
    if (body !== undefined) sent.write(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body));
    sent.end();
  });
}

export const post = (server, route, body, headers = {}) => request(`${server.url}${route}`, { method: 'POST', body, headers });

// Opens a stream and hands over each SSE event as {event, data, at_ms}; resolves when the stream ends.
export function stream(server, body, onEvent = () => {}, headers = {}) {
  return new Promise((resolve, reject) => {
    const begun = Date.now();
    const sent = http.request(`${server.url}/v1/messages`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, agent: false }, (response) => {
      const headers_ms = Date.now() - begun;
      let pending = '';
      const events = [];
      const raw = [];
      response.on('data', (part) => {
        raw.push(part);
        pending += part;
        for (let end; (end = pending.indexOf('\n\n')) >= 0; pending = pending.slice(end + 2)) {
          const lines = pending.slice(0, end).split('\n');
          const event = lines.find((line) => line.startsWith('event: '))?.slice(7);
          const data = lines.filter((line) => line.startsWith('data: ')).map((line) => line.slice(6)).join('\n');
          const entry = { event, data: data ? JSON.parse(data) : null, at_ms: Date.now() - begun };
          events.push(entry);
          onEvent(entry, sent);
        }
      });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, headers_ms, events, raw: Buffer.concat(raw).toString() }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(JSON.stringify({ ...body, stream: true }));
  });
}

export const textOf = (events) => events.filter((e) => e.data?.delta?.type === 'text_delta').map((e) => e.data.delta.text).join('');

// Packages from npm, installed once per exact list into the cache folder; returns the folder with node_modules. Tests of both
// lanes may ask for the same at once.
const installs = new Map();
export function npmPackages(...packages) {
  const list = packages.join(' ');
  if (!installs.has(list)) installs.set(list, installNpmPackages(packages));
  return installs.get(list);
}
async function installNpmPackages(packages) {
  const key = createHash('sha256').update(packages.join(' ')).digest('hex').slice(0, 12);
  const folder = path.join(cacheRoot, 'e2e-clients', key);
  if (existsSync(path.join(folder, 'complete'))) return folder;
  const temporary = `${folder}.${process.pid}`;
  mkdirSync(temporary, { recursive: true });
  writeFileSync(path.join(temporary, 'package.json'), '{"private":true}');
  await run('npm', ['install', '--prefix', temporary, '--no-audit', '--no-fund', '--ignore-scripts', '--force', ...packages], { limit_s: 300, env: process.env });
  writeFileSync(path.join(temporary, 'complete'), '');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(path.dirname(folder), { recursive: true });
  const { renameSync } = await import('node:fs');
  renameSync(temporary, folder);
  return folder;
}

export function run(program, args, { env, cwd, limit_s = 100, input } = {}) {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { env, cwd, timeout: limit_s * 1000, killSignal: 'SIGKILL', maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') reject(new Error(`${path.basename(program)}: ${error.killed ? `no end after ${limit_s} s` : error.message}\n${stdout.slice(-2000)}\n${stderr.slice(-2000)}`));
      else resolve({ code: error ? error.code : 0, stdout, stderr });
    });
    child.stdin.on('error', () => {});  // a program may end without reading
    child.stdin.end(input ?? '');
  });
}

// Claude Code of one version: `claude -p` in a work folder of its own.
export async function claude(version, server, prompt, { args = [], env = {}, limit_s = 110, base } = {}) {
  const folder = await npmPackages(`@anthropic-ai/claude-code@${version}`);
  const native = `claude-code-${process.platform}-${process.arch}`;
  const binary = path.join(folder, 'node_modules', '@anthropic-ai', native, 'claude');
  assert(existsSync(binary), `no claude binary for this machine at ${binary}`);
  const home = scratch('home');
  const work = scratch('work');
  await run('git', ['init', '-q', work], { env: process.env });
  writeFileSync(path.join(home, '.claude.json'), JSON.stringify({
    hasCompletedOnboarding: true, theme: 'dark',
    projects: { [work]: { hasTrustDialogAccepted: true, hasCompletedProjectOnboarding: true } },
  }));
  const result = await run(binary, ['-p', typeof prompt === 'function' ? prompt(work) : prompt, '--permission-mode', 'acceptEdits', '--allowedTools', 'Bash,Read,Write,Edit,Agent,Task', ...args], {
    cwd: work, limit_s,
    env: {
      PATH: process.env.PATH, HOME: home, LANG: 'C.UTF-8', USER: 'tester', SHELL: '/bin/bash', TERM: 'dumb', IS_SANDBOX: '1',
      ANTHROPIC_BASE_URL: base ?? server.url, ANTHROPIC_AUTH_TOKEN: 'local', ANTHROPIC_MODEL: 'local-model',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', DISABLE_TELEMETRY: '1', DISABLE_AUTOUPDATER: '1', ...env,
    },
  });
  rmSync(home, { recursive: true, force: true });
  return { ...result, work, read: (name) => readFileSync(path.join(work, name), 'utf8') };
}
export const claudeVersions = ['2.1.328', '2.1.197'];

// A call in the dialect the scripted model speaks.
export const call = (name, args) => `<tool_call>\n${JSON.stringify({ name, arguments: args })}\n</tool_call>`;
