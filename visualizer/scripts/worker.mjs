// SPDX-License-Identifier: MIT
// Bundles the analysis worker into a string the page starts from a Blob: a worker file beside the page cannot be loaded
// from file://, and the page is one file.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The bundle as text. Under `next dev` it lies in a module; the built page has it in a block of its own (see build.mjs). */
export async function bundleWorker({ inModule = true } = {}) {
  const result = await build({
    absWorkingDir: root,
    entryPoints: ['lib/worker/worker.ts'],
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    legalComments: 'none',
    charset: 'ascii',
  });
  mkdirSync(`${root}.generated`, { recursive: true });
  const { text } = result.outputFiles[0];
  writeFileSync(`${root}.generated/worker.ts`, `export default ${JSON.stringify(inModule ? text : '')};\n`);
  return text;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundleWorker();
