// SPDX-License-Identifier: MIT
// Writes the built-in sample, public/sample.json.gz: the made-up service of e2e/session.mjs, whose truths are known.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { makeSession } from '../e2e/session.mjs';

const folder = fileURLToPath(new URL('../public/', import.meta.url));
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}sample.json.gz`, gzipSync(JSON.stringify(makeSession({ seconds: 14.2 })), { level: 9 }));
