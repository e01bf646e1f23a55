// The built-in model through real clients: `node models/mini/clients.mjs [claude-2.1.328|claude-2.1.197|opencode ...]`. Each carries out the
// twenty instructions, each in a work folder of its own, and the files and the answer are looked at. Prints what failed and a table.
import { serve, claudeVersions } from '../../tests/e2e/harness.mjs';
import { claudeCode, opencode } from '../../tests/e2e/clients.mjs';
import { instructions } from './instructions.mjs';

const clients = {
  ...Object.fromEntries(claudeVersions.map((version) => [`claude-${version}`, (server, ask, before) => claudeCode(version, server, ask, { before, tools: 'Bash,Read,Write,Edit,Glob,Grep' })])),
  opencode: (server, ask, before) => opencode(server, ask, { before }),
};
const wanted = process.argv.slice(2);
const rows = [];
for (const [name, run] of Object.entries(clients).filter(([name]) => wanted.length === 0 || wanted.includes(name))) {
  const server = await serve(null, { args: ['--threads', '2'] });
  let right = 0;
  const begun = Date.now();
  for (const { ask, before, right: isRight } of instructions) {
    let result;
    try { result = await run(server, ask, before); } catch (error) { result = { work: '/nowhere', stdout: '', stderr: String(error) }; }
    if (isRight(result.work, result.stdout)) right += 1;
    else console.log(`${name}: ${ask}\n    ${(result.stdout + result.stderr).trim().slice(-500).replaceAll('\n', '\n    ')}`);
  }
  await server.stop();
  rows.push(`${name.padEnd(16)} ${right}/${instructions.length}   ${((Date.now() - begun) / 1000 / instructions.length).toFixed(1)} s each`);
}
console.log(rows.join('\n'));
process.exit(0);
