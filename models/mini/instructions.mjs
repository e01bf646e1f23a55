// Twenty plain instructions and what must be true of the work folder afterwards: none of their names, contents or words
// for them comes from the training data's generator. Used by tests/e2e/builtin.test.mjs (a few) and models/mini/clients.mjs (all).
import { existsSync, readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';

const has = (work, name, text) => existsSync(path.join(work, name)) && readFileSync(path.join(work, name), 'utf8').trim() === text;
const put = (work, name, text) => { mkdirSync(path.dirname(path.join(work, name)), { recursive: true }); writeFileSync(path.join(work, name), text); };
const nothing = () => {};

// {ask, before(work), right(work, said)}
export const instructions = [
  { ask: "Create a file called greeting.txt with the content 'Good morning from the harbour'", before: nothing, right: (w) => has(w, 'greeting.txt', 'Good morning from the harbour') },
  { ask: 'Create todo-list.md containing "- water the plants"', before: nothing, right: (w) => has(w, 'todo-list.md', '- water the plants') },
  { ask: "Write 'threshold = 42' to settings.toml", before: nothing, right: (w) => has(w, 'settings.toml', 'threshold = 42') },
  { ask: 'Please make a file colours/warm.txt that contains "red, orange, amber"', before: nothing, right: (w) => has(w, 'colours/warm.txt', 'red, orange, amber') },
  { ask: 'Save `{"port": 9090, "debug": false}` as server.json', before: nothing, right: (w) => has(w, 'server.json', '{"port": 9090, "debug": false}') },
  { ask: "Read shopping.txt and tell me what it says", before: (w) => put(w, 'shopping.txt', 'eggs and butter\n'), right: (w, said) => said.includes('eggs and butter') },
  { ask: "What's in notes/meeting.md?", before: (w) => put(w, 'notes/meeting.md', 'Budget approved on Tuesday\n'), right: (w, said) => said.includes('Budget approved on Tuesday') },
  { ask: 'Show me the contents of version.txt', before: (w) => put(w, 'version.txt', 'release 7.3.1\n'), right: (w, said) => said.includes('release 7.3.1') },
  { ask: "In config.ini, replace 'localhost' with 'db.example.org'", before: (w) => put(w, 'config.ini', 'host = localhost\nport = 1\n'), right: (w) => has(w, 'config.ini', 'host = db.example.org\nport = 1') },
  { ask: 'Change "blue" to "green" in theme.css', before: (w) => put(w, 'theme.css', 'a { color: blue; }\n'), right: (w) => has(w, 'theme.css', 'a { color: green; }') },
  { ask: 'Edit story.txt: replace `dragon` with `kitten`', before: (w) => put(w, 'story.txt', 'The dragon sleeps.\n'), right: (w) => has(w, 'story.txt', 'The kitten sleeps.') },
  { ask: 'Replace "1.4.0" with "1.5.0" in package.cfg', before: (w) => put(w, 'package.cfg', 'version: 1.4.0\n'), right: (w) => has(w, 'package.cfg', 'version: 1.5.0') },
  { ask: 'Run the command `echo lighthouse`', before: nothing, right: (w, said) => said.includes('lighthouse') },
  { ask: 'Run `expr 19 + 23` and tell me what it prints', before: nothing, right: (w, said) => said.includes('42') },
  { ask: 'Execute `mkdir -p archive/2031`', before: nothing, right: (w) => existsSync(path.join(w, 'archive/2031')) },
  { ask: 'Please run `cp original.txt duplicate.txt`', before: (w) => put(w, 'original.txt', 'same\n'), right: (w) => has(w, 'duplicate.txt', 'same') },
  { ask: "Create hello.py with 'print(\"ahoy sailor\")', then run it", before: nothing, right: (w, said) => has(w, 'hello.py', 'print("ahoy sailor")') && said.includes('ahoy sailor') },
  { ask: "Create poem.txt with the content 'roses are red' and then replace 'red' with 'white' in it", before: nothing, right: (w) => has(w, 'poem.txt', 'roses are white') },
  { ask: "Create counter.js with `console.log(6 * 7)`, then run it and tell me what it prints", before: nothing, right: (w, said) => has(w, 'counter.js', 'console.log(6 * 7)') && said.includes('42') },
  { ask: 'Create first.txt with "one". Then create second.txt with "two". Finally run `cat first.txt second.txt`', before: nothing,
    right: (w, said) => has(w, 'first.txt', 'one') && has(w, 'second.txt', 'two') && said.includes('two') },
];
