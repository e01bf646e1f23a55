// Generated models of some hundred thousand parameters: real libllama, random weights.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { checkout } from './harness.mjs';

const folder = process.env.HEARTH_TEST_MODELS || path.join(process.env.HEARTH_CACHE || path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'hearth'), 'models');
// The file of a model of that kind; further words are the generator's (tests/models).
export function tinyModel(kind, ...more) {
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `e2e-${[kind, ...more].join('').replaceAll(/[^a-z0-9]+/g, '-')}.gguf`);
  execFileSync(path.join(checkout, 'build', process.env.HEARTH_PRESET || 'release', 'bin', 'tiny_model'), [kind, file, ...more]);
  return file;
}
