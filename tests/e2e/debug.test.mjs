// hearth debug: what it writes and how it ends, run as a person would run it.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test, assert, equal, hearth, checkout, scratch, fakeModel } from './harness.mjs';

const folder = scratch('debug');
const turns = "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
function template(text) {
  const file = path.join(folder, `${Math.random().toString(36).slice(2)}.jinja`);
  writeFileSync(file, text);
  return file;
}
function debug(args, input) {
  const done = spawnSync(hearth, ['debug', ...args], { input, timeout: 90_000 });
  return { status: done.status, out: done.stdout.toString(), err: done.stderr.toString() };
}
const raw = (text, variables, ...more) => debug(['render', '--raw', '--template', template(text), ...more], typeof variables === 'string' ? variables : JSON.stringify(variables));
const messages = [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'Größe <|im_end|> 🙂' }];
const body = (more = {}) => JSON.stringify({ model: 'm', max_tokens: 5, system: 'Be brief.', messages: [{ role: 'user', content: 'Größe <|im_end|> 🙂' }], ...more });

test('debug render --raw gives the template its own variables, and writes the prompt and nothing else', () => {
  const text = '<s><|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nGröße <|im_end|> 🙂<|im_end|>\n<|im_start|>assistant\n';
  equal(raw(turns, { messages, add_generation_prompt: true, bos_token: '<s>' }), { status: 0, out: text, err: '' });
  equal(raw('{{ messages[0].content }}', { messages }).out, 'Be brief.', 'no line break is added');
  equal(raw('a\n\n', {}).out, 'a\n', 'as Jinja2: one line break of the end goes');
  equal(raw('{{ x|tojson }}', '{"x": {"z": 1, "a": [1.0, 1e16, 18446744073709551615, 123456789012345678901], "ü": null}}').out, '{"z": 1, "a": [1.0, 1e+16, 18446744073709551615, 123456789012345678901], "ü": null}');
  equal(raw('{{ tools is none }}{{ nothing is defined }}{{ bos_token }}', { tools: null }).out, 'TrueFalse', 'nothing is made up');
  equal(raw('{{ bos_token }}', {}, '--bos', '<s>').out, '<s>', 'but for what the command line says');
  assert(/^\d{4}-\d\d-\d\d$/.test(raw("{{ strftime_now('%Y-%m-%d') }}", {}).out), 'the date of today');
}, { slots: 0 });

test('debug parse: the line before the message names what was mended, and how often', () => {
  const tools = path.join(folder, 'tools.json');
  writeFileSync(tools, JSON.stringify([{ name: 'Bash', input_schema: { type: 'object', properties: { command: { type: 'string' } } } }]));
  const last = (text) => debug(['parse', '--dialect', 'qwen3', '--tools', tools], text).out.trim().split('\n').slice(-2).map((line) => JSON.parse(line));
  const [mended, { message }] = last('<tool_call>\n{"name": "bash", "arguments": {"command" "ls",}}\n</tool_call>');
  equal(mended, { repairs: { missing_colon: 1, extra_comma: 1, name_case: 1 } });
  equal(message.content[0].input, { command: 'ls' });
  equal(last('<tool_call>\n{"name": "Bash", "arguments": {"command": "ls"}}\n</tool_call>')[0], { repairs: {} });
}, { slots: 0 });

test('debug render: a template that refuses, is broken or runs wild ends with its words and status 1', () => {
  equal(raw("{{ raise_exception('Roles must alternate: ' + x) }}", { x: 'user' }), { status: 1, out: '', err: 'hearth: Roles must alternate: user\n' });
  for (const [text, words] of [['{% if %}', 'line 1'], ['{{ range(1000000000) }}', 'Range too big'], ['{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}', 'recurses too deep'],
    ['{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}', 'too many steps'], ['{{ 1 + "a" }}', 'unsupported operand']]) {
    const done = raw(text, {});
    equal([done.status, done.out], [1, ''], text);
    assert(done.err.includes(words), `${text}: ${done.err}`);
  }
  const strict = template("{{ raise_exception('No system messages here.') }}");
  const done = debug(['render', '--template', strict], body());
  equal([done.status, done.out], [1, '']);
  assert(done.err.includes('No system messages here.'), done.err);
  for (const text of ['{% if %}', '{{ 1 + messages }}']) {
    const broken = debug(['render', '--template', template(text)], body());
    equal([broken.status, broken.out], [1, ''], text);
    assert(broken.err.includes('of the template'), broken.err);
  }
  for (const input of ['', 'no json', '[1]', '{"model":"m"}', body({ messages: [{ role: 'user', content: [{ type: 'image', source: {} }] }] })]) {
    const wrong = debug(['render', '--template', template(turns)], input);
    assert(wrong.status !== 0 && wrong.out === '' && wrong.err.startsWith('hearth: '), `${input}: ${JSON.stringify(wrong)}`);
  }
  equal(debug(['render', '--template', path.join(folder, 'none.jinja')], '{}').status, 1);
});

test('debug render without a model and a template says which template it takes', () => {
  const done = debug(['render'], body());
  equal([done.status, done.err], [0, 'hearth: neither --model nor --template is given: this is the plain ChatML template\n']);
  assert(done.out.startsWith('<|im_start|>system\nBe brief.<|im_end|>\n'), done.out);
  equal(debug(['render', '--template', template(turns)], body()).err, '', 'nothing to say of one that is named');
}, { slots: 0 });

test('debug render shows who wrote each byte', () => {
  const { runs, text } = JSON.parse(raw(turns, { messages, bos_token: '<s>' }, '--provenance=json').out);
  const bytes = Buffer.from(text);
  const parts = runs.map((run) => [run.from, bytes.subarray(run.begin, run.end).toString(), run.role]);
  assert(parts.some(([from, said, role]) => from === 'messages[1]' && said === 'Größe <|im_end|> 🙂' && role === 'user'), JSON.stringify(parts));
  equal(parts[0].slice(0, 2), ['bos_token', '<s>']);
  equal(parts.at(-1).slice(0, 2), ['template', '<|im_end|>\n']);
  equal(runs.at(-1).end, bytes.length);
  const wire = JSON.parse(debug(['render', '--template', template(turns), '--special', '<|im_end|>', '--provenance=json'], body()).out);
  const from = new Set(wire.runs.map((run) => run.from));
  assert(from.has('system') && from.has('messages[0]') && from.has('template'), [...from].join());
  const coloured = debug(['render', '--template', template(turns), '--provenance'], body({ system: 'a\x1b[31mb' })).out;
  assert(coloured.includes('\x1b[32mGröße <|im_end|> 🙂\x1b[0m') && coloured.includes('a\\x1b[31mb'), coloured);
}, { slots: 0 });

test('debug render takes a request the way the server does, and rules can be switched off', () => {
  const file = template(turns);
  const marked = body({ system: [{ type: 'text', text: 'x-anthropic-billing-header: a' }, { type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }] });
  const plain = debug(['render', '--template', file], body()).out;
  equal(debug(['render', '--template', file], marked).out, plain);
  equal(plain, '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nGröße <|im_end|> 🙂<|im_end|>\n<|im_start|>assistant\n');
  assert(debug(['render', '--template', file, '--canonicalize-off', 'billing-header,blank-text'], marked).out.includes('x-anthropic-billing-header'));
  const unknown = debug(['render', '--template', file, '--canonicalize-off', 'nonsense'], body());
  assert(unknown.status === 1 && unknown.err.includes('token-budget'), unknown.err);
  const script = fakeModel({ name: 'scripted', otherwise: 'Hello.', chat_template: turns });
  equal(debug(['render', '--model', script], body()).out, plain, "a model's own template");
}, { slots: 0 });

test('debug tokenize shows ids and pieces, and control tokens only when asked', () => {
  const models = process.env.HEARTH_TEST_MODELS || path.join(process.env.HEARTH_CACHE || path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'hearth'), 'models');
  mkdirSync(models, { recursive: true });
  const model = path.join(models, 'e2e-attention.gguf');
  execFileSync(path.join(checkout, 'build', process.env.HEARTH_PRESET || 'release', 'bin', 'tiny_model'), ['attention', model]);
  const begun = Date.now();
  const tokens = (text, ...more) => JSON.parse(debug(['tokenize', '--model', model, '--json', ...more], text).out);
  const special = tokens('a<|im_end|>', '--parse-special');
  equal([special.count, special.tokens.at(-1).piece], [2, '<|im_end|>']);
  const text = tokens('a<|im_end|> ü\n');
  assert(text.count > 5 && !text.tokens.some((token) => token.piece === '<|im_end|>'), JSON.stringify(text));
  const bytes = text.tokens.flatMap((token) => token.bytes ?? [...Buffer.from(token.piece)]);
  equal(Buffer.from(bytes).toString(), 'a<|im_end|> ü\n', 'the pieces are the text');
  assert(/^\s*\d+ {2}"a"\n/.test(debug(['tokenize', '--model', model], 'a').out));
  assert(Date.now() - begun < 20_000, 'only the vocabulary is read');
  equal(debug(['tokenize', '--model', path.join(folder, 'none.gguf')], 'a').status, 1);
});

test('show says what a model is and which dialect it was told by, as a table and as JSON', () => {
  const show = (...args) => { const done = spawnSync(hearth, ['show', ...args], { timeout: 90_000 }); return { status: done.status, out: done.stdout.toString(), err: done.stderr.toString() }; };
  const model = fakeModel({ otherwise: 'Done.' });
  const facts = JSON.parse(show(model, '--json').out);
  assert(['template', 'vocabulary', 'nothing'].includes(facts.dialect.chosen_by), JSON.stringify(facts.dialect));
  assert(facts.trained_context_tokens >= 0 && typeof facts.chat_template.used === 'boolean');
  const table = show(model, '--dialect', 'gpt-oss');
  equal([table.status, table.err], [0, '']);
  assert(/^dialect +gpt-oss, told by --dialect$/m.test(table.out), table.out);
  equal(show('/nowhere/x.gguf').status, 1);
  assert(show(model, '--dialect', 'nobody').err.includes('is no dialect'), 'a name that is none is refused');
}, { slots: 0 });
