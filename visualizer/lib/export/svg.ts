// SPDX-License-Identifier: MIT
/** The flame graph as a picture for documents: static SVG without script, valid XML whatever the names are. */
import type { Topology, Unit, View } from '../model/types';
import { LAYER_KERNEL } from '../model/types';
import type { Engine } from '../view/engine';

const WIDTH = 1200;
const ROW = 17;
const MARGIN = 12;
const HEAD = 44;
/** Narrower frames are not drawn; the title says so. */
const MIN_PX = 0.4;
const CHAR_PX = 6.6;
/** A 30,000-frame recursion would make a picture nobody can open. */
const MAX_ROWS = 500;

/** XML 1.0 forbids most control characters even as references. */
export function xmlText(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
    .replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;').replace(/'/g, '&apos;');
}

/** Okabe-Ito, lightened to carry dark text; chosen by crate so that a library keeps its colour between pictures. */
const FILLS = ['#9ecae9', '#f5b971', '#8fd3b6', '#e6a0c4', '#c9b8e8', '#f2d16b', '#a8c686', '#f0a58f', '#8cc5c9', '#d7b49e', '#b7c9e2', '#e8c3b9'];
const KERNEL_FILL = '#c4c7cc';

function fillOf(engine: Engine, func: number): string {
  if (func < 0) return KERNEL_FILL;
  if (engine.funcs.layer[func] === LAYER_KERNEL) return KERNEL_FILL;
  const crate = engine.funcs.crate[func];
  const text = crate >= 0 ? engine.crates[crate] : engine.funcs.names[func];
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return FILLS[(hash >>> 0) % FILLS.length];
}

export function formatAmount(value: number, unit: Unit): string {
  const scaled = (v: number, steps: readonly [number, string][]): string => {
    const [size, name] = steps.find(([s]) => Math.abs(v) >= s) ?? steps[steps.length - 1];
    return `${(v / size).toLocaleString('en', { maximumFractionDigits: v / size >= 100 ? 0 : 2 })} ${name}`;
  };
  if (unit === 'us') return scaled(value, [[1e6, 's'], [1e3, 'ms'], [1, 'µs']]);
  if (unit === 'ns') return scaled(value, [[1e9, 's'], [1e6, 'ms'], [1e3, 'µs'], [1, 'ns']]);
  if (unit === 'bytes') return scaled(value, [[1e9, 'GB'], [1e6, 'MB'], [1e3, 'kB'], [1, 'B']]);
  return `${value.toLocaleString('en', { maximumFractionDigits: 2 })}${unit === 'samples' ? ' samples' : ''}`;
}

function middle(text: string, chars: number): string {
  const points = Array.from(text);
  if (points.length <= chars) return text;
  if (chars < 3) return '';
  const tail = Math.floor((chars - 1) / 2);
  return `${points.slice(0, chars - 1 - tail).join('')}…${points.slice(points.length - tail).join('')}`;
}

export function flameSvg(engine: Engine, view: View, t: Topology, title: string, dark: boolean): string {
  const total = view.value[0];
  const ink = dark ? '#e8eaed' : '#1f2328';
  const paper = dark ? '#16181d' : '#ffffff';
  const scale = total > 0 ? (WIDTH - 2 * MARGIN) / total : 0;
  const boxes: string[] = [];
  let deepest = 0;
  let hidden = 0;
  for (let d = 1; d < t.rowStart.length - 1 && total > 0; d++) {
    for (let n = t.rowStart[d]; n < t.rowStart[d + 1]; n++) {
      if (view.value[n] <= 0) continue;
      const width = view.value[n] * scale;
      if (width < MIN_PX || d > MAX_ROWS) {
        hidden++;
        continue;
      }
      deepest = d;
      const x = MARGIN + view.x0[n] * scale;
      const y = HEAD + (d - 1) * ROW;
      const name = t.func[n] < 0 ? '[unknown]' : engine.funcs.names[t.func[n]];
      const label = middle(name, Math.floor((width - 6) / CHAR_PX));
      const share = ((100 * view.value[n]) / total).toFixed(2);
      boxes.push(`<g><title>${xmlText(`${name} (${formatAmount(view.value[n], view.metric.unit)}, ${share} %)`)}</title>`
        + `<rect x="${x.toFixed(2)}" y="${y}" width="${Math.max(width - 0.3, 0.2).toFixed(2)}" height="${ROW - 1}" rx="1.5" fill="${fillOf(engine, t.func[n])}"/>`
        + (label ? `<text x="${(x + 3).toFixed(2)}" y="${y + 12}">${xmlText(label)}</text>` : '') + '</g>');
    }
  }
  const height = HEAD + Math.max(deepest, 2) * ROW + MARGIN;
  const note = total > 0
    ? `${view.metric.label}: ${formatAmount(total, view.metric.unit)}${hidden > 0 ? ` · ${hidden.toLocaleString('en')} frames too small to draw` : ''}`
    : `${view.metric.label}: nothing was measured here`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${xmlText(title)}">\n`
    + `<rect width="100%" height="100%" fill="${paper}"/>\n<g font-family="system-ui, sans-serif" fill="${ink}"><text x="${MARGIN}" y="20" font-size="14" font-weight="600">${xmlText(middle(title, 140))}</text>`
    + `<text x="${MARGIN}" y="36" font-size="11">${xmlText(note)}</text></g>\n<g font-family="ui-monospace, monospace" font-size="11" fill="#1f2328">\n${boxes.join('\n')}\n</g>\n</svg>\n`;
}
