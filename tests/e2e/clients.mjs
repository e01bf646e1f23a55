// Real coding clients with sessions that can be gone on with: OpenCode, pi and (beside the harness's one-shot) Claude Code: the real program with `env -i`, a HOME of its own, a dummy key,
// pointed at 127.0.0.1. Packages come from npm into the cache folder, once. A client that cannot be installed or started
// throws: the test fails and says why.
//
// Each launcher resolves to {code, stdout, stderr, work, read(name), home}; `session` of an earlier run goes on with it
// (same home and work folder): opencode(server, 'again', {session: first}). `before(work)` puts files into the work folder first.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { assert, npmPackages, run, scratch } from './harness.mjs';

export const opencodeVersion = '1.18.33';
// The last one that runs on Node 20.
export const piVersion = '0.73.1';

async function folders(session) {
  if (session) return { home: session.home, work: session.work };
  const home = scratch('home');
  const work = scratch('work');
  await run('git', ['init', '-q', work], { env: process.env });
  return { home, work };
}
const outcome = (result, home, work) => ({ ...result, home, work, read: (name) => readFileSync(path.join(work, name), 'utf8') });
const bareEnv = (home) => ({ PATH: process.env.PATH, HOME: home, LANG: 'C.UTF-8', USER: 'tester', SHELL: '/bin/bash', TERM: 'dumb' });

// OpenCode: `opencode run`. `api`: 'anthropic' (POST /v1/messages) or 'openai' (POST /v1/chat/completions).
// `permission` and other members of its configuration can be given as `config`.
export async function opencode(server, prompt, { api = 'anthropic', args = [], env = {}, config = {}, limit_s = 110, base, session, before, context = 200000, output = 16384 } = {}) {
  const folder = await npmPackages(`opencode-ai@${opencodeVersion}`);
  const binary = path.join(folder, 'node_modules', `opencode-${process.platform}-${process.arch}`, 'bin', 'opencode');
  assert(existsSync(binary), `no opencode binary for this machine at ${binary}`);
  const { home, work } = await folders(session);
  before?.(work);
  const settings = {
    provider: {
      local: {
        npm: api === 'anthropic' ? '@ai-sdk/anthropic' : '@ai-sdk/openai-compatible', name: 'Local',
        options: { baseURL: `${base ?? server.url}/v1`, apiKey: 'local' },
        models: { 'local-model': { name: 'local', reasoning: true, tool_call: true, limit: { context, output } } },
      },
    },
    model: 'local/local-model', small_model: 'local/local-model', autoupdate: false, share: 'disabled',
    permission: { edit: 'allow', bash: 'allow', webfetch: 'deny' }, ...config,
  };
  const result = await run(binary, ['run', ...(session ? ['--continue'] : []), ...args, prompt], {
    cwd: work, limit_s,
    env: {
      ...bareEnv(home), OPENCODE_CONFIG_CONTENT: JSON.stringify(settings), OPENCODE_DISABLE_AUTOUPDATE: '1', OPENCODE_DISABLE_MODELS_FETCH: '1',
      OPENCODE_DISABLE_LSP_DOWNLOAD: '1', OPENCODE_DISABLE_DEFAULT_PLUGINS: '1', ...env,
    },
  });
  return outcome(result, home, work);
}

// pi: `pi --print`. `api`: 'anthropic-messages', 'openai-completions' or 'openai-responses'.
export async function pi(server, prompt, { api = 'anthropic-messages', args = [], env = {}, settings = {}, limit_s = 110, base, session, context = 200000, output = 16384, reasoning = true } = {}) {
  const folder = await npmPackages(`@mariozechner/pi-coding-agent@${piVersion}`);
  const program = path.join(folder, 'node_modules', '@mariozechner', 'pi-coding-agent', 'dist', 'cli.js');
  assert(existsSync(program), `no pi at ${program}`);
  const { home, work } = await folders(session);
  const agent = path.join(home, 'agent');
  mkdirSync(agent, { recursive: true });
  const url = base ?? server.url;
  writeFileSync(path.join(agent, 'models.json'), JSON.stringify({
    providers: { local: {
      baseUrl: api === 'anthropic-messages' ? url : `${url}/v1`, api, apiKey: 'local',
      models: [{ id: 'local-model', name: 'local', reasoning, input: ['text'], contextWindow: context, maxTokens: output, cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 } }],
    } },
  }));
  writeFileSync(path.join(agent, 'settings.json'), JSON.stringify(settings));
  const result = await run(process.execPath, [program, '--print', '--provider', 'local', '--model', 'local-model', ...(session ? ['--continue'] : []), ...args, prompt], {
    cwd: work, limit_s, env: { ...bareEnv(home), PI_CODING_AGENT_DIR: agent, PI_OFFLINE: '1', ...env },
  });
  return outcome(result, home, work);
}

// As run(), and the client gets a SIGINT after interrupt_ms, as from Ctrl-C; the end is then the client's own.
function runInterrupted(program, args, { env, cwd, limit_s, interrupt_ms }) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (part) => { stdout += part; });
    child.stderr.on('data', (part) => { stderr += part; });
    const timers = [setTimeout(() => child.kill('SIGINT'), interrupt_ms), setTimeout(() => child.kill('SIGKILL'), limit_s * 1000)];
    child.on('error', reject);
    child.on('close', (code) => { timers.forEach(clearTimeout); resolve({ code, stdout, stderr }); });
  });
}

// Claude Code as `claude -p`, with a session to continue: its home stays until the caller is done.
export async function claudeCode(version, server, prompt, { args = [], env = {}, limit_s = 110, base, session, before, interrupt_ms, tools = 'Bash,Read,Write,Edit,Agent,Task,ToolSearch' } = {}) {
  const folder = await npmPackages(`@anthropic-ai/claude-code@${version}`);
  const binary = path.join(folder, 'node_modules', '@anthropic-ai', `claude-code-${process.platform}-${process.arch}`, 'claude');
  assert(existsSync(binary), `no claude binary for this machine at ${binary}`);
  const { home, work } = await folders(session);
  before?.(work);
  if (!session) {
    writeFileSync(path.join(home, '.claude.json'), JSON.stringify({
      hasCompletedOnboarding: true, theme: 'dark', projects: { [work]: { hasTrustDialogAccepted: true, hasCompletedProjectOnboarding: true } },
    }));
  }
  const start = interrupt_ms ? runInterrupted : run;
  const result = await start(binary, ['-p', prompt, ...(session ? ['--continue'] : []), '--permission-mode', 'acceptEdits', '--allowedTools', tools, ...args], {
    cwd: work, limit_s, interrupt_ms,
    env: {
      ...bareEnv(home), IS_SANDBOX: '1', ANTHROPIC_BASE_URL: base ?? server.url, ANTHROPIC_AUTH_TOKEN: 'local', ANTHROPIC_MODEL: 'local-model',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', DISABLE_TELEMETRY: '1', DISABLE_AUTOUPDATER: '1', ...env,
    },
  });
  return outcome(result, home, work);
}
