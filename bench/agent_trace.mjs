// A coding agent's afternoon as requests on the Anthropic wire, the same for every server: texts from a seed, the assistant's
// turns written here and not taken from the answers, so that every server is asked exactly the same.
//
//   main session   20 turns; prompt 24k tokens at first, 60k at last: instructions with the folder's text in their middle, twelve
//                  tools, the first request, then per turn a tool call and its result
//   subagents      two after turn 6, together, three turns each; own instructions and five of the tools, shared by both
//   titles         beside the first request of a session and after turns 8 and 15; no tools
//   second session three turns after turn 12, another folder: the same as the main one up to the folder's text
//
// With `header`, a billing block that is another one in every request precedes the instructions, as some clients send.

const kWords = ('the file server token cache code name query return const value result test error build path line read '
  + 'write list string number function class module package source target project user request response model prompt context '
  + 'memory thread process session agent task step plan reason small large first last next before after between through').split(' ');

// mulberry32: small, seeded, the same everywhere.
export function draws(seed) {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

// About so many tokens of prose: a word of the list is one token on the tiny models, a line end another one.
export function prose(draw, tokens) {
  let text = '';
  for (let i = 0; i < tokens; i += 1) text += i % 16 === 15 ? '.\n' : `${kWords[draw(kWords.length)]} `;
  return text;
}

const marked = (text) => ({ type: 'text', text, cache_control: { type: 'ephemeral' } });

export class Workshop {
  constructor({ seed = 1, scale = 1, header = false }) {
    this.scale = scale;
    this.header = header;
    this.seed = seed;
    this.headers = draws(seed + 1000);
    const draw = draws(seed);
    const size = (tokens) => Math.max(8, Math.round(tokens * scale));
    this.size = size;
    this.before = prose(draw, size(5000));
    this.after = prose(draw, size(5600));
    this.tools = Array.from({ length: 12 }, (_, i) => ({
      name: `Tool${i}`, description: prose(draw, size(500)),
      input_schema: { type: 'object', properties: { path: { type: 'string', description: prose(draw, 12) }, count: { type: 'integer' } }, required: ['path'] },
    }));
    this.subInstructions = prose(draw, size(1100));
    this.subReminder = prose(draw, size(1500));
  }

  billing() {
    const hex = (digits) => Array.from({ length: digits }, () => this.headers(16).toString(16)).join('');
    return this.header ? [{ type: 'text', text: `x-anthropic-billing-header: cc_version=2.1.101.${hex(3)}; cc_entrypoint=cli; cch=${hex(5)};` }] : [];
  }

  body(system, tools, messages, max_tokens = 12) {
    return { model: 'bench', max_tokens, temperature: 0, system: [...this.billing(), ...system], ...(tools.length ? { tools } : {}), messages };
  }

  session(name, folder, firstTokens, turnTokens) {
    const draw = draws(this.seed * 7919 + folder);
    const system = [
      { type: 'text', text: 'You work on programs for a person who watches.' },
      marked(`${this.before}\nFolder /home/person/project-${folder}\n${prose(draw, this.size(400))}\n${this.after}`),
    ];
    return new Session(this, { name, system, tools: this.tools, draw, first: prose(draw, this.size(firstTokens)), turnTokens: this.size(turnTokens) });
  }

  subagent(number) {
    const draw = draws(this.seed * 104729 + number);
    const system = [marked(this.subInstructions)];
    const first = `${this.subReminder}\n${prose(draw, this.size(600))}`;
    return new Session(this, { name: `subagent ${number}`, system, tools: this.tools.slice(0, 5), draw, first, turnTokens: this.size(1500) });
  }

  title(number) {
    const draw = draws(this.seed * 15485863 + number);
    return { name: `title ${number}`, body: this.body([marked(`Write a short title. ${prose(draws(this.seed + 5), 60)}`)], [], [{ role: 'user', content: prose(draw, 300) }]) };
  }
}

// A conversation that grows by one call and its result per turn.
class Session {
  constructor(shop, { name, system, tools, draw, first, turnTokens }) {
    Object.assign(this, { shop, name, system, tools, draw, turnTokens, turn: 0 });
    this.messages = [{ role: 'user', content: [{ type: 'text', text: first }] }];
  }

  next() {
    if (this.turn > 0) {
      const id = `toolu_${this.name.replace(/ /g, '_')}_${this.turn}`;
      this.messages.push(
        { role: 'assistant', content: [{ type: 'text', text: `Step ${this.turn}: ${prose(this.draw, 30)}` }, { type: 'tool_use', id, name: 'Tool1', input: { path: `/src/${this.turn}.ts`, count: this.turn } }] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: id, content: prose(this.draw, this.turnTokens) }] },
      );
    }
    this.turn += 1;
    const messages = structuredClone(this.messages);
    messages.at(-1).content.at(-1).cache_control = { type: 'ephemeral' };
    return { name: `${this.name}, turn ${this.turn}`, body: this.shop.body(this.system, this.tools, messages) };
  }
}

// Sends the whole trace: `send({name, body})` is called in the order of events, for requests that run together without
// waiting for each other.
export async function playTrace(options, send) {
  const shop = new Workshop(options);
  const main = shop.session('main', 1, 5500, 1620);
  const other = shop.session('second session', 2, 5500, 1620);
  for (let turn = 1; turn <= 20; turn += 1) {
    const together = [send(main.next())];
    if (turn === 1) together.push(send(shop.title(1)));
    await Promise.all(together);
    if (turn === 8 || turn === 15) await send(shop.title(turn));
    if (turn === 6) {
      const agents = [shop.subagent(1), shop.subagent(2)];
      await Promise.all(agents.map(async (agent) => { for (let i = 0; i < 3; i += 1) await send(agent.next()); }));
    }
    if (turn === 12) {
      await Promise.all([send(other.next()), send(shop.title(2))]);
      for (let i = 0; i < 2; i += 1) await send(other.next());
    }
  }
}

// Agents that start together on one set of instructions of 18k tokens, each with its own task.
export function fourAgents(options) {
  const shop = new Workshop(options);
  return [1, 2, 3, 4].map((number) => {
    const draw = draws(options.seed * 32452843 + number);
    const session = shop.session(`agent ${number}`, 9, 1, 1);
    session.messages = [{ role: 'user', content: [{ type: 'text', text: prose(draw, shop.size(400)) }] }];
    return session.next();
  });
}

// All distinct tokens of a list of token lists: the nodes of their trie. Also how many leading tokens of each one were
// there before it, which is what a cache that never computes twice could have read.
export class Trie {
  constructor() { this.lists = []; this.distinct = 0; }

  shared(tokens) {
    let best = 0;
    for (const list of this.lists) {
      let i = 0;
      const end = Math.min(list.length, tokens.length);
      while (i < end && list[i] === tokens[i]) i += 1;
      best = Math.max(best, i);
    }
    return best;
  }

  add(tokens) {
    const shared = this.shared(tokens);
    this.distinct += tokens.length - shared;
    this.lists.push(tokens);
    return shared;
  }
}
