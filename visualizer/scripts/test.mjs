// SPDX-License-Identifier: MIT
// npm test: types, unit tests, the build, and the end-to-end tests on what was built. Ends with one line of counts, and
// writes JUnit files for the runner of the whole project when RUSTSCOPE_JUNIT names a folder.
//
//   node scripts/test.mjs [--no-build]
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const junit = process.env.RUSTSCOPE_JUNIT;
if (junit) mkdirSync(junit, { recursive: true });

function run(what, command, args) {
  console.log(`\n== ${what}`);
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' } });
  if (error) console.error(String(error));
  return status === 0;
}

const node = process.execPath;
const bin = (name, file) => `${root}node_modules/${name}/${file}`;
const failed = [];
const stage = (what, ok) => ok || failed.push(what);

if (!process.argv.includes('--no-build')) {
  // The build checks the types, too. --check: the page that the CLI carries is what the sources give.
  stage('the build, and the page in the CLI', run('build', node, ['scripts/build.mjs', '--check']));
}
stage('unit tests', run('unit tests', node, [bin('vitest', 'vitest.mjs'), 'run', '--reporter=default', ...(junit ? ['--reporter=junit', `--outputFile=${junit}/visualizer-unit.xml`] : [])]));
const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium';
if (!existsSync(chromium)) console.log(`\nskipped: the end-to-end tests need ${chromium} (apt-get install chromium, or CHROMIUM=path)`);
else {
  const files = ['views', 'formats', 'safety', 'large', 'firefox', 'cli'].map((name) => `e2e/${name}.test.mjs`);
  stage('end-to-end tests', run('end-to-end tests', node, ['--test', '--test-concurrency=1', '--test-reporter=spec', '--test-reporter-destination=stdout', ...(junit ? ['--test-reporter=junit', `--test-reporter-destination=${junit}/visualizer-e2e.xml`] : []), ...files]));
}
for (const what of failed) console.error(`failed: ${what}`);
process.exit(failed.length ? 1 : 0);
