// Tool calls of a model of random weights, held by the request's grammar: how many are valid, and how fast.
//   node bench/call_bench.mjs MODEL.gguf [--calls N] [--recorded]
// Thirty tools in the shapes that coding agents send; with --recorded also the tools of Claude Code and OpenCode as they send
// them today (kept in memory, never written down). What a schema leaves open is bounded before it is sent (a random model never
// ends a string by itself); each call is checked against the schema as it was. Ends with 1 when a call is not valid.
import { serve, post, fakeModel, claude, claudeVersions } from '../tests/e2e/harness.mjs';
import { recorder } from '../tests/e2e/recorder.mjs';
import { opencode } from '../tests/e2e/clients.mjs';

const args = process.argv.slice(2);
const option = (name, otherwise) => { const at = args.indexOf(name); return at >= 0 ? args[at + 1] : otherwise; };
const model = args[0];
if (!model || model.startsWith('--')) { console.error('usage: node bench/call_bench.mjs MODEL.gguf [--calls N] [--recorded]'); process.exit(2); }
const callCount = Number(option('--calls', 1000));

const text = { type: 'string' };
const flag = { type: 'boolean' };
const count = (minimum, maximum) => ({ type: 'integer', minimum, maximum });
const object = (properties, required = [], more = { additionalProperties: false }) => ({ type: 'object', properties, required, ...more });
const list = (items, more = {}) => ({ type: 'array', items, ...more });
const schemas = {
  run_command: object({ command: text, timeout: { type: 'number', minimum: 0, maximum: 600000 }, description: text, background: flag }, ['command']),
  read: object({ file_path: { ...text, minLength: 1 }, offset: count(0, 9007199254740991), limit: { type: 'integer', exclusiveMinimum: 0 } }, ['file_path']),
  write: object({ file_path: text, content: text }, ['file_path', 'content']),
  edit: object({ file_path: text, old_text: text, new_text: text, everywhere: { ...flag, default: false } }, ['file_path', 'old_text', 'new_text']),
  edit_many: object({ file_path: text, edits: list(object({ old: text, new: text }, ['old', 'new']), { minItems: 1 }) }, ['file_path', 'edits']),
  find_files: object({ pattern: text, path: text }, ['pattern']),
  search: object({ pattern: text, path: text, glob: text, mode: { enum: ['content', 'files', 'count'] }, '-B': { type: 'number' }, '-A': { type: 'number' }, '-n': flag, head_limit: count(0, 500) }, ['pattern']),
  list_folder: object({ path: text, ignore: list(text) }, ['path']),
  todo: object({ todos: list(object({ content: { ...text, minLength: 1 }, status: { enum: ['pending', 'in_progress', 'completed'] }, active: { ...text, minLength: 1 } }, ['content', 'status', 'active'])) }, ['todos']),
  ask_user: object({ questions: list(object({ question: text, header: { ...text, maxLength: 12 }, options: list(object({ label: text, description: text }, ['label', 'description']), { minItems: 2, maxItems: 4 }), multi: flag }, ['question', 'header', 'options', 'multi']), { minItems: 1, maxItems: 4 }), answers: { type: 'object', additionalProperties: text } }, ['questions']),
  fetch: object({ url: { ...text, format: 'uri' }, prompt: text }, ['url', 'prompt']),
  web_search: object({ query: { ...text, minLength: 2 }, allowed: list(text), blocked: list(text) }, ['query']),
  notebook: object({ path: text, cell_id: text, source: text, kind: { enum: ['code', 'markdown'] }, edit: { enum: ['replace', 'insert', 'delete'] } }, ['path', 'source']),
  helper: object({ description: text, prompt: text, agent: { enum: ['general', 'explore', 'plan'] }, model: { anyOf: [{ enum: ['small', 'large'] }, { type: 'null' }] } }, ['description', 'prompt', 'agent']),
  stop_task: object({ task_id: { ...text, pattern: '^task_[a-z0-9]{6}$' } }, ['task_id']),
  leave_plan: object({}),
  anything: { type: 'object' },
  mcp_query: object({ filter: { $ref: '#/$defs/filter' } }, ['filter'], { $defs: { filter: { anyOf: [object({ field: text, op: { enum: ['=', '<', '>'] }, value: { type: ['string', 'number', 'boolean', 'null'] } }, ['field', 'op', 'value']), object({ all: list({ $ref: '#/$defs/filter' }, { maxItems: 2 }) }, ['all'])] } } }),
  mcp_issue: object({ owner: text, repo: text, state: { type: 'string', enum: ['open', 'closed', 'all'] }, labels: list(text), since: { ...text, format: 'date-time' }, page: count(1, 100) }, ['owner', 'repo']),
  mcp_id: object({ id: { ...text, format: 'uuid' }, day: { ...text, format: 'date' }, mail: { ...text, format: 'email' } }, ['id', 'day']),
  mcp_union: object({ target: { oneOf: [object({ kind: { const: 'file' }, path: text }, ['kind', 'path']), object({ kind: { const: 'line' }, number: count(1, 100000) }, ['kind', 'number'])] } }, ['target']),
  mcp_map: object({ env: { type: 'object', additionalProperties: text }, ports: { type: 'object', additionalProperties: count(1, 65535) } }, ['env']),
  mcp_tree: object({ node: { $ref: '#/definitions/node' } }, ['node'], { definitions: { node: object({ name: text, children: list({ $ref: '#/definitions/node' }, { maxItems: 1 }) }, ['name']) } }),
  mcp_numbers: object({ share: { type: 'number', minimum: 0, maximum: 1 }, angle: { type: 'number', minimum: -180, maximum: 180 }, step: count(-12, 3) }, ['share', 'angle', 'step']),
  mcp_all: { allOf: [object({ a: count(0, 9) }, ['a'], {}), object({ b: flag }, ['b'], {})] },
  mcp_point: object({ point: list({ type: 'number', minimum: -90, maximum: 90 }, { minItems: 2, maxItems: 2 }) }, ['point']),
  'mcp__very-long.name_with-marks': object({ 'key with space': text, 'quote"d': flag, 'ünï': count(0, 3) }, ['key with space', 'quote"d', 'ünï']),
  mcp_nested: object({ a: object({ b: object({ c: object({ d: list(list(count(0, 9), { maxItems: 2 }), { maxItems: 2 }) }, ['d']) }, ['c']) }, ['b']) }, ['a']),
  mcp_nullable: object({ name: { type: ['string', 'null'] }, parent: { anyOf: [{ type: 'integer' }, { type: 'null' }] }, done: { type: 'boolean', nullable: true } }, ['name', 'parent', 'done']),
  mcp_const: object({ version: { const: 2 }, action: { const: 'apply' }, dry: { enum: [true, false, null] } }, ['version', 'action', 'dry']),
};

// Every open string, list and map with an end.
function bounded(schema) {
  if (Array.isArray(schema)) return schema.map(bounded);
  if (schema === null || typeof schema !== 'object') return schema;
  const out = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, key === 'enum' || key === 'const' || key === 'required' ? value : key === 'properties' || key === '$defs' || key === 'definitions' ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, bounded(inner)])) : bounded(value)]));
  const types = [out.type].flat();
  const open = Object.keys(out).every((key) => ['description', 'title', 'default'].includes(key));
  if (open) return { type: 'string', maxLength: 8 };
  if (types.includes('string') && !('enum' in out) && !('pattern' in out) && !('format' in out)) out.maxLength ??= Math.max(10, out.minLength ?? 0);
  if (out.pattern) out.pattern = out.pattern.replace(/\{(\d+),\}/g, (_, least) => `{${least},${Number(least) + 6}}`).replace(/\+(?=\$|\))/g, '{1,8}').replace(/\*(?=\$|\))/g, '{0,8}');
  if (types.includes('array')) { out.maxItems ??= Math.max(2, out.minItems ?? 0); out.items ??= { type: 'integer' }; }
  if (types.includes('object') && !out.properties) { out.maxProperties ??= 2; out.propertyNames ??= { maxLength: 8 }; if (!out.additionalProperties || out.additionalProperties === true) out.additionalProperties = { type: 'string', maxLength: 8 }; }
  return out;
}

// A small validator of its own: what a client would check.
function problem(schema, value, root, at = '$') {
  if (schema === true || schema === undefined) return null;
  if (schema === false) return `${at}: nothing is allowed`;
  if (schema.$ref) return problem(schema.$ref === '#' ? root : schema.$ref.slice(2).split('/').reduce((node, part) => node?.[part], root), value, root, at);
  for (const one of schema.allOf ?? []) { const wrong = problem(one, value, root, at); if (wrong) return wrong; }
  for (const any of [schema.anyOf, schema.oneOf]) if (any && any.every((one) => problem(one, value, root, at))) return `${at}: no alternative fits`;
  const same = (a) => JSON.stringify(a) === JSON.stringify(value);
  if ('const' in schema && !same(schema.const)) return `${at}: not the constant`;
  if (schema.enum && !schema.enum.some(same)) return `${at}: ${JSON.stringify(value)} is none of the enum`;
  const type = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  const types = schema.type === undefined ? null : [schema.type].flat();
  if (types && !types.includes(type) && !(types.includes('integer') && Number.isInteger(value)) && !(schema.nullable && value === null)) return `${at}: a ${type}, not ${types}`;
  if (type === 'string') {
    const length = [...value].length;
    if (length < (schema.minLength ?? 0) || length > (schema.maxLength ?? Infinity)) return `${at}: ${length} characters`;
    if (schema.pattern && !new RegExp(schema.pattern, 'u').test(value)) return `${at}: ${value} does not match`;
    if (schema.format === 'date-time' && Number.isNaN(Date.parse(value))) return `${at}: ${value} is no date`;
    if (schema.format === 'uuid' && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)) return `${at}: ${value} is no uuid`;
  }
  if (type === 'number' && (value < (schema.minimum ?? -Infinity) || value > (schema.maximum ?? Infinity) || value <= (schema.exclusiveMinimum ?? -Infinity) || value >= (schema.exclusiveMaximum ?? Infinity))) return `${at}: ${value} is out of bounds`;
  if (type === 'array') {
    if (value.length < (schema.minItems ?? 0) || value.length > (schema.maxItems ?? Infinity)) return `${at}: ${value.length} items`;
    for (const [i, one] of value.entries()) { const wrong = problem(schema.items, one, root, `${at}[${i}]`); if (wrong) return wrong; }
  }
  if (type === 'object') {
    for (const name of schema.required ?? []) if (!(name in value)) return `${at}: ${name} is missing`;
    for (const [name, one] of Object.entries(value)) {
      const wrong = problem(schema.properties?.[name] ?? schema.additionalProperties, one, root, `${at}.${name}`);
      if (wrong) return wrong;
    }
  }
  return null;
}

async function measure(server, what, tools, calls) {
  const sent = tools.map(({ name, input_schema }) => ({ name, description: 'a tool', input_schema: bounded(input_schema) }));
  const counts = { valid: 0, invalid: 0, tokens: 0, tools: new Set() };
  const begun = Date.now();
  let next = 0;
  const lane = async () => {
    for (let seed; (seed = next++) < calls;) {
      // Each tool has its turn, and in every second round the model chooses.
      const tool = tools[seed % tools.length];
      const tool_choice = Math.floor(seed / tools.length) % 2 === 0 ? { type: 'tool', name: tool.name, disable_parallel_tool_use: true } : { type: 'any', disable_parallel_tool_use: true };
      const { json, raw } = await post(server, '/v1/messages', { model: 'm', max_tokens: 4000, temperature: 1, seed, messages: [{ role: 'user', content: 'go on' }], tools: sent, tool_choice });
      const [call, ...others] = json?.content ?? [];
      const declared = tools.find((one) => one.name === call?.name);
      const wrong = json?.stop_reason !== 'tool_use' || !declared || others.length > 0 ? `not one call: ${raw.slice(0, 300)}` : problem(declared.input_schema, call.input, declared.input_schema);
      counts.tokens += json?.usage?.output_tokens ?? 0;
      if (wrong) { counts.invalid += 1; if (counts.invalid <= 5) console.log(`  ${declared?.name ?? '?'}: ${wrong}\n    ${JSON.stringify(call?.input).slice(0, 300)}`); } else { counts.valid += 1; counts.tools.add(call.name); }
    }
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
  const seconds = (Date.now() - begun) / 1000;
  console.log(`${what}: ${counts.valid} of ${calls} calls valid (${(100 * counts.valid / calls).toFixed(1)} %), ${counts.tools.size} of ${tools.length} tools called, ${counts.tokens} tokens in ${seconds.toFixed(1)} s`);
  return counts.invalid;
}

// The tools of a client's own request, by a proxy in front of a scripted model.
async function recordedTools(what, client) {
  const server = await serve(fakeModel({ otherwise: 'Done.' }));
  const proxy = await recorder(server);
  try {
    await client(server, proxy);
    const withTools = proxy.requests.filter((entry) => entry.body?.tools?.length > 0);
    const tools = (withTools.at(-1)?.body.tools ?? []).filter((tool) => tool.input_schema);
    console.log(`${what}: ${tools.length} tools recorded`);
    return tools;
  } finally { proxy.close(); await server.stop(); }
}

let invalid = 0;
const recorded = [];
if (args.includes('--recorded')) {
  const version = claudeVersions.at(-1);
  recorded.push([`Claude Code ${version}`, await recordedTools(`Claude Code ${version}`, (server, proxy) => claude(version, { ...server, url: proxy.url }, 'Say something.', { args: ['--output-format', 'json'] }))]);
  recorded.push(['OpenCode', await recordedTools('OpenCode', (server, proxy) => opencode(server, 'Say something.', { base: proxy.url }))]);
}
const server = await serve(model, { args: ['--ctx', '131072', '--parallel', '4', '--threads', '1'] });
try {
  const own = Object.entries(schemas).map(([name, input_schema]) => ({ name, input_schema }));
  invalid += await measure(server, `${own.length} tools as agents send them`, own, callCount);
  for (const [what, tools] of recorded) if (tools.length > 0) invalid += await measure(server, `${what}'s ${tools.length} tools`, tools, callCount);
} finally { await server.stop(); }
process.exit(invalid > 0 ? 1 : 0);
