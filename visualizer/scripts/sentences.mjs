// SPDX-License-Identifier: MIT
// npm run sentences: prints every text that the page can show, by file, for somebody to read whenever wording changes.
// A text is a string or the content of an element with two words in it; class lists and code are left out by their looks.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const STRING = /(['"`])((?:\\.|(?!\1)[^\\\n])*?)\1/g;
const CONTENT = />([^<>{}=;]*[a-z]{2,} [^<>{}=;]*)</g;
const WORDS = /[A-Za-z]{2,}[,:;]? [A-Za-z(%$]/;
const CLASSES = /(?:^|\s)(?:btn|field|flex|grid|block|inline|absolute|relative|border|rounded|truncate|font-(?:medium|mono)|size-full|(?:px|text|bg|min|max|h|w|mt|md|sm):?-?)(?:[-:]\S|\s|$)/;

const walk = (folder) => readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? walk(`${folder}/${entry.name}`) : [`${folder}/${entry.name}`]));
let count = 0;
for (const path of ['app', 'components', 'lib', 'scripts/boot.js'].flatMap((name) => (name.endsWith('.js') ? [name] : walk(`${root}${name}`).map((file) => file.slice(root.length))))) {
  if (!/\.(tsx?|js)$/.test(path) || /\.test\.|fixtures\/|testing\.ts/.test(path)) continue;
  const code = readFileSync(root + path, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');
  const strings = [...code.matchAll(STRING)].map((match) => match[2]).filter((text) => WORDS.test(text) && !CLASSES.test(text));
  const content = [...code.matchAll(CONTENT)].map((match) => match[1].trim().replace(/\s+/g, ' ')).filter((text) => WORDS.test(text) && !/&&|\?|=>/.test(text));
  const texts = [...new Set([...strings, ...content])];
  if (texts.length) console.log([path, ...texts].join('\n    '));
  count += texts.length;
}
console.log(`${count} texts`);
