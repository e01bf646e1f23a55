// Claude Code itself, both versions, against the scripted model: the tool loop, parallel tools, a subagent, a slow first
// token, a stream that is cut, an engine that is killed. Each runs the real binary with -p and looks at what it did.
import { readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test, assert, equal, serve, fakeModel, claude, claudeVersions, call, sleep } from './harness.mjs';

const thought = '<think>\nThe user wants a file and a look at it.\n</think>\n\n';

function loopScript(work) {
  return {
    name: 'scripted', context_tokens: 262144,
    rules: [
      { when: { contains: ['MAKE-THE-FILE'], tool_results: 0 }, say: `${thought}I will write it.\n${call('Write', { file_path: path.join(work, 'hello.txt'), content: 'first line\nsecond line\n' })}` },
      { when: { contains: ['MAKE-THE-FILE'], tool_results: 1 }, say: call('Bash', { command: 'wc -l < hello.txt > count.txt', description: 'Count lines' }) },
      { when: { contains: ['MAKE-THE-FILE'], tool_results: 2 }, say: 'The file hello.txt has two lines.' },
    ],
    otherwise: 'OK.',
  };
}

// The script names the work folder, which exists only once the client starts: it is found by the prompt's own words.
async function withLoop(version, body) {
  const server = await serve(fakeModel(loopScript('.')), { args: ['--ctx', '262144'] });
  try { await body(server); } finally { await server.stop(); }
}

for (const version of claudeVersions) {
  test(`Claude Code ${version} writes a file, runs a command and finishes`, async () => withLoop(version, async (server) => {
    const result = await claude(version, server, 'MAKE-THE-FILE hello.txt, count its lines, then say so.');
    assert(result.code === 0, `exit ${result.code}: ${result.stdout} ${result.stderr}`);
    equal(result.read('hello.txt'), 'first line\nsecond line\n', 'the file');
    equal(result.read('count.txt').trim(), '2', 'what the command wrote');
    assert(result.stdout.includes('The file hello.txt has two lines.'), `answer: ${result.stdout}`);
    assert(!/API Error/i.test(result.stdout + result.stderr), result.stderr);
  }));

  test(`Claude Code ${version} runs two tool calls of one turn`, async () => {
    const server = await serve(fakeModel({
      name: 'scripted', context_tokens: 262144,
      rules: [
        { when: { contains: ['BOTH-AT-ONCE'], tool_results: 0 }, say: `${call('Bash', { command: 'echo one > one.txt', description: 'one' })}\n${call('Bash', { command: 'echo two > two.txt', description: 'two' })}` },
        { when: { contains: ['BOTH-AT-ONCE'], tool_results: 2 }, say: 'Both ran.' },
      ],
      otherwise: 'OK.',
    }));
    try {
      const result = await claude(version, server, 'BOTH-AT-ONCE please');
      equal([result.read('one.txt'), result.read('two.txt')], ['one\n', 'two\n'], 'both files');
      assert(result.stdout.includes('Both ran.'), `answer: ${result.stdout}${result.stderr}`);
    } finally { await server.stop(); }
  });

  test(`Claude Code ${version} lets a subagent work and goes on`, async () => {
    const server = await serve(fakeModel({
      name: 'scripted', context_tokens: 262144,
      rules: [
        { when: { contains: ['SEND-A-HELPER'], tool_results: 0 }, say: call('Agent', { description: 'Make a mark', prompt: 'HELPER-TASK: make the mark file.', subagent_type: 'general-purpose' }) },
        { when: { contains: ['SEND-A-HELPER'] }, say: 'The helper was sent.' },
        { when: { contains: ['HELPER-TASK'], not_contains: ['SEND-A-HELPER'], tool_results: 0 }, say: call('Bash', { command: 'echo mark > mark.txt', description: 'mark' }) },
        { when: { contains: ['HELPER-TASK'], not_contains: ['SEND-A-HELPER'] }, say: 'The mark is made.' },
      ],
      otherwise: 'OK.',
    }));
    try {
      const result = await claude(version, server, 'SEND-A-HELPER now');
      equal(result.read('mark.txt'), 'mark\n', 'what the subagent wrote');
      assert(result.code === 0 && result.stdout.includes('The helper was sent.'), `answer: ${result.stdout}${result.stderr}`);
    } finally { await server.stop(); }
  });

  test(`Claude Code ${version} waits 90 s for the first token with one request`, async () => {
    const server = await serve(fakeModel({
      name: 'scripted', context_tokens: 262144,
      rules: [{ when: { contains: ['VERY-SLOW'] }, first_token_delay_ms: 90000, say: 'Worth the wait.' }], otherwise: 'OK.',
    }));
    try {
      const result = await claude(version, server, 'VERY-SLOW please', { limit_s: 170 });
      assert(result.stdout.includes('Worth the wait.'), `answer: ${result.stdout}${result.stderr}`);
      const { requests_total } = await server.status();
      assert(requests_total.messages <= (version === '2.1.197' ? 2 : 1), `${requests_total.messages} message requests`);
    } finally { await server.stop(); }
  }, { slots: 0, limit_s: 180 });

  test(`Claude Code ${version} recovers from a stream cut in the middle`, async () => {
    const server = await serve(fakeModel({
      name: 'scripted', context_tokens: 262144,
      rules: [{ when: { contains: ['CUT-ME'] }, token_delay_ms: 2, say: `Here is a long answer. ${'word '.repeat(120)}END-OF-ANSWER` }], otherwise: 'OK.',
    }));
    let cuts = 0;
    // A proxy that ends the first answer after 6 kB, as a dying network would.
    const proxy = net.createServer((client) => {
      const upstream = net.connect(server.port, '127.0.0.1');
      let seen = 0;
      client.pipe(upstream);
      upstream.on('data', (bytes) => {
        seen += bytes.length;
        client.write(bytes);
        if (cuts === 0 && seen > 6000) { cuts += 1; client.destroy(); upstream.destroy(); }
      });
      upstream.on('end', () => client.end());
      upstream.on('error', () => client.destroy());
      client.on('error', () => upstream.destroy());
      client.on('close', () => upstream.destroy());
    });
    await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    try {
      const result = await claude(version, server, 'CUT-ME please', { base: `http://127.0.0.1:${proxy.address().port}` });
      equal(cuts, 1, 'cuts');
      assert(result.code === 0 && result.stdout.includes('END-OF-ANSWER'), `answer: ${result.stdout}${result.stderr}`);
    } finally { proxy.close(); await server.stop(); }
  });
}

test('Claude Code sees nothing of an engine that is killed in the middle of its tool loop', async () => withLoop('2.1.328', async (server) => {
  const running = claude('2.1.328', server, 'MAKE-THE-FILE hello.txt, count its lines, then say so.');
  const killed = [];
  for (let i = 0; i < 3; i += 1) {
    await sleep(1500);
    const pid = await server.enginePid().catch(() => 0);
    if (pid > 0) { try { process.kill(pid, 'SIGKILL'); killed.push(pid); } catch { /* already gone */ } }
  }
  const result = await running;
  assert(killed.length > 0, 'no engine was killed');
  assert(result.code === 0 && result.stdout.includes('The file hello.txt has two lines.'), `answer: ${result.stdout}${result.stderr}`);
  equal(readFileSync(path.join(result.work, 'hello.txt'), 'utf8'), 'first line\nsecond line\n', 'the file');
}));
