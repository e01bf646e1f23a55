// llmprobe, a public conformance suite, on the surfaces there are: messages, count-tokens, models. The scripted model answers
// its questions, so that every check is exercised; what is scored is the server.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test, assert, equal, serve, fakeModel, npmPackages, run, scratch, call } from './harness.mjs';

const thought = (text) => `<think>\n${text}\n</think>\n\n`;
const weather = (city) => call('get_weather', { city });
// The file's text spells the dialect's own delimiters; a model writes such a token's text with an escape.
const delimiters = '<tool_call>\n{"name": "write_file", "arguments": {"path": "notes.md", "content": "Delimiters used by this format: \\u003c/tool_call> and \\u003c/think> and \\u003c|im_end|>."}}\n</tool_call>';
const rules = [
  [['quartz'], 'quartz'],
  [['The city you are asking about is Par'], 'is.'],
  [['Call both tools'], `${weather('Tokyo')}\n${call('get_time', { city: 'Tokyo', timezone: 'Asia/Tokyo' })}`],
  [['Book a table'], call('book_table', { restaurant: 'Chez Nous', party_size: 4, outdoor: true })],
  [['Call write_file with path notes.md'], delimiters],
  [['weather in Berlin'], weather('Berlin')],
  [['Repeat this text exactly, nothing else: 日本語'], '日本語 · émoji 🎉 · «quotes»'],
  [['cobalt lantern 42'], 'cobalt lantern 42'],
  [['alpha beta gamma'], 'alpha beta gamma'],
  [['12 + 30'], '42'],
  [['17 * 23'], `${thought('17 * 23 = 340 + 51 = 391.')}391`],
  [['17 * 3? Think'], `${thought('17 * 3 = 51.')}51`],
  [['17 * 3? Reply'], '51'],
  [['why the sky is blue'], `${thought('Light of short waves is scattered more than light of long waves. '.repeat(8))}Scattering.`],
  [['Add 3 to your last answer'], '7'],
  [['2 + 2'], '4'],
  [['band name'], 'Velvet Anchor'],
  [['one word, what is your role'], 'Archivist'],
  [['Count from 1 to 100'], Array.from({ length: 100 }, (_, i) => i + 1).join(', ')],
  [['Count from 1 to 5'], '1, 2, 3, 4, 5'],
  [['long essay about the sea'], 'The sea is wide and old. '.repeat(40)],
  ...['Alice', 'Bob', 'Carol', 'Dave'].map((name) => [[`My name is ${name}`], name]),
  [['capital'], 'Paris'],
];
const script = {
  name: 'scripted', context_tokens: 131072,
  rules: [
    { when: { contains: ["What's the weather in Paris"], tool_results: 1 }, say: 'It is 18 degrees in Paris.' },
    ...rules.map(([contains, say]) => ({ when: { contains }, say })),
    { when: { contains: ["weather in Paris"] }, say: weather('Paris') },
  ],
  otherwise: 'Hello there, these are a few words.',
};

test('llmprobe: messages, count-tokens and models at 100 %', async () => {
  const folder = await npmPackages('llmprobe@0.6.12');
  const server = await serve(fakeModel(script));
  try {
    const report = path.join(scratch('probe'), 'report.json');
    const home = scratch('home');
    const result = await run('node', [path.join(folder, 'node_modules', 'llmprobe', 'bin', 'dist', 'llmprobe.mjs'), `${server.url}/v1`, '--full', '--reasoning', 'default', '--no-bench', '--no-save', '--json', '--save', report], {
      env: { PATH: process.env.PATH, HOME: home }, limit_s: 170,
    });
    assert(existsSync(report), result.stdout.slice(-2000) + result.stderr.slice(-2000));
    const { conformance } = JSON.parse(readFileSync(report, 'utf8'));
    const ours = ['messages', 'count-tokens', 'models'];
    const ids = new Set(conformance.results.filter((r) => ours.includes(r.surface)).map((r) => r.id));
    console.log(`     llmprobe: ${conformance.bySurface.map((s) => `${s.surface} ${s.passed}/${s.total}`).join(', ')}; not exercised: ${conformance.inconclusive.filter((r) => ids.has(r.id)).map((r) => r.id).join(', ') || 'none'}; warnings: ${conformance.warnings.map((w) => w.id).join(', ') || 'none'}`);
    for (const surface of ours) {
      const score = conformance.bySurface.find((s) => s.surface === surface);
      assert(score?.total > 0, `${surface} was not exercised`);
      equal(score.passed, score.total, `${surface}: ${JSON.stringify(conformance.results.filter((r) => r.surface === surface && r.outcome === 'fail'))}`);
    }
  } finally { await server.stop(); }
}, { limit_s: 180 });

