// SPDX-License-Identifier: MIT
// Builds the page and puts it into one HTML file that works from file://, offline, under a Content Security Policy that
// allows nothing but what is inside it.
//
//   node scripts/build.mjs           writes out/index.html and the copy that the CLI carries
//   node scripts/build.mjs --check   builds, and fails when the CLI's copy is not what the sources give
//
// The stylesheet and the scripts go inline, in their order, and are named in the policy by their hashes. The
// analysis worker stands first, with the few lines that start it (boot.js), so that it is up, downloading and reading
// while the page's own code is read. Two data blocks stay open: `rustscope-session` before it, which the CLI fills, and
// `rustscope-sample`, filled here.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { bundleWorker } from './worker.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
export const template = fileURLToPath(new URL('../../src/cli/report/viewer.html', import.meta.url));
const sample = `${root}public/sample.json.gz`;

function sha256(text) {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/** What may stand inside <script> without ending it or opening a comment. */
function scriptSafe(code) {
  return code.replace(/<\/script/gi, '<\\/script').replace(/<!--/g, '<\\!--');
}

function inline(html, worker) {
  const boot = readFileSync(`${root}scripts/boot.js`, 'utf8');
  const path = (address) => `${root}out/${address.replace(/^\.?\/+/, '').replace(/[?#].*$/, '')}`;
  let styles = '';
  const scripts = [];
  html = html.replace(/<link[^>]*>/g, (tag) => {
    const href = /href="([^"]+)"/.exec(tag)?.[1];
    if (/rel="stylesheet"/.test(tag)) styles += readFileSync(path(href), 'utf8');
    return ''; // stylesheets are inline now, preloads and icons would be requests
  });
  html = html.replace(/<script([^>]*)>([\s\S]*?)<\/script>/g, (_, attributes, body) => {
    if (/nomodule/i.test(attributes)) return '';
    const src = /src="([^"]+)"/.exec(attributes)?.[1];
    // Chunks find themselves by document.currentScript, which has no address when inline.
    scripts.push(src ? scriptSafe(readFileSync(path(src), 'utf8')).replace(/document\.currentScript/g, `({src:${JSON.stringify(src)}})`) : body);
    return '';
  });
  // The page's own payload names its stylesheet once more, as a link to be added; it is here already.
  const code = scripts.map((text) => text.replace(/\.\/_next\/static\/css\/[\w.-]+\.css/g, 'data:text/css,'));
  styles = styles.replace(/<\/style/gi, '<\\/style');
  const policy = [
    "default-src 'none'",
    `script-src ${[boot, ...new Set(code)].map(sha256).join(' ')}`,
    `style-src ${sha256(styles)} 'unsafe-hashes' data:`,
    'img-src data: blob:',
    'worker-src blob:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const block = (id, text) => `<script type="application/json" id="${id}">${text}</script>`;
  const carried = existsSync(sample) ? JSON.stringify({ name: 'sample session', gzip: readFileSync(sample).toString('base64') }) : '';
  return html
    .replace(/<head>/, () => `<head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}"><link rel="icon" href="data:,"><style>${styles}</style>${block('rustscope-session', '/*RUSTSCOPE_SESSION*/')}<script type="text/plain" id="rustscope-worker">${scriptSafe(worker)}</script><script>${boot}</script>`)
    .replace(/<meta charSet="utf-8"\/>/, '')
    .replace(/<\/body>/, () => `${block('rustscope-sample', carried)}${code.map((text) => `<script>${text}</script>`).join('')}</body>`);
}

export async function buildPage() {
  const worker = await bundleWorker({ inModule: false });
  rmSync(`${root}out`, { recursive: true, force: true });
  execFileSync(process.execPath, [`${root}node_modules/next/dist/bin/next`, 'build', '--webpack'], {
    cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production' },
  });
  const page = inline(readFileSync(`${root}out/index.html`, 'utf8'), worker);
  writeFileSync(`${root}out/index.html`, page);
  return page;
}

/** Bytes of JavaScript in the page, gzipped. */
export function shippedScript(page) {
  const code = [...page.matchAll(/<script(?: type="text\/plain"[^>]*)?>([\s\S]*?)<\/script>/g)].map((match) => match[1]).join('\n');
  return { bytes: code.length, gzipped: gzipSync(code, { level: 9 }).length };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const page = await buildPage();
  const { bytes, gzipped } = shippedScript(page);
  console.log(`one file of ${page.length} bytes; ${bytes} of JavaScript (${gzipped} gzipped)`);
  if (gzipped > 260_000) throw new Error('the page ships more than 260 kB of JavaScript');
  if (process.argv.includes('--check')) {
    if (!existsSync(template) || readFileSync(template, 'utf8') !== page) {
      console.error('src/cli/report/viewer.html is not what visualizer/ gives: run `npm run build` there and commit it.');
      process.exit(1);
    }
    console.log('src/cli/report/viewer.html is what the sources give');
  } else writeFileSync(template, page);
}
