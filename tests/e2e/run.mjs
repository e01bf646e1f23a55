// Runs the end-to-end tests: `node tests/e2e/run.mjs [NAME PART ...]`. The last line is `e2e: N passed, N failed`.
// Tests that compute share two lanes (the machine has two cores); tests that only wait (slots: 0) run beside them.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { here, registered } from './harness.mjs';

for (const file of readdirSync(here).filter((name) => name.endsWith('.test.mjs')).sort()) await import(path.join(here, file));
const wanted = process.argv.slice(2);
const tests = registered().filter((t) => wanted.length === 0 || wanted.some((part) => t.name.includes(part)));
let passed = 0;
let failed = 0;

async function runOne({ name, body, limit_s }) {
  const begun = Date.now();
  let timer;
  const limit = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`not done after ${limit_s} s`)), limit_s * 1000); });
  try {
    await Promise.race([body(), limit]);
    passed += 1;
    console.log(`ok   ${((Date.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${((Date.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${name}\n     ${String(error?.stack ?? error).replaceAll('\n', '\n     ')}`);
  } finally {
    clearTimeout(timer);
  }
}

const waiting = tests.filter((t) => t.slots === 0).map(runOne);
const queue = tests.filter((t) => t.slots > 0);
async function lane() { for (let next; (next = queue.shift());) await runOne(next); }
await Promise.all([lane(), lane(), ...waiting]);
console.log(`e2e: ${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
