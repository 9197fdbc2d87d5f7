// SPDX-License-Identifier: MIT
// Bundles the analysis worker into a string the page starts from a Blob: a worker file beside the page cannot be loaded
// from file://, and the page is one file.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

export async function bundleWorker() {
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
  writeFileSync(`${root}.generated/worker.ts`, `export default ${JSON.stringify(result.outputFiles[0].text)};\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundleWorker();
