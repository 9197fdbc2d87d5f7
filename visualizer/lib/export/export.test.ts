// SPDX-License-Identifier: MIT
import { describe, expect, test } from 'vitest';
import { randomSession } from '../fixtures/profiles';
import type { ExportFormat } from '../model/types';
import { lines, open, request } from '../testing';
import type { Engine } from '../view/engine';
import { exportView } from './export';

const HOSTILE = '</script><img onerror=x>;a"b\'c&d,\u0001\u202E\u2028;__proto__ 5\nplain 3\n';

function written(engine: Engine, format: ExportFormat, over = {}): Promise<string> {
  return exportView(engine, request(over), format, 'a <title> & "more"', false).text();
}

/** Well-formed enough: tags balance, and no raw markup character is outside them. */
function checkXml(text: string): void {
  const open: string[] = [];
  for (const [, close, name, selfClosing] of text.replace(/^<\?xml.*\?>/, '').matchAll(/<(\/?)([a-z]+)(?:\s+[a-zA-Z:-]+="[^"<]*")*\s*(\/?)>/g)) {
    if (close) expect(open.pop()).toBe(name);
    else if (!selfClosing) open.push(name);
  }
  expect(open).toEqual([]);
  expect(text.replace(/^<\?xml.*\?>/, '').replace(/<\/?[a-z]+(?:\s+[a-zA-Z:-]+="[^"<]*")*\s*\/?>/g, '')).not.toMatch(/[<]|&(?!(amp|lt|gt|quot|apos);)/);
  expect(text).not.toMatch(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/);
}

describe('exports', () => {
  test('folded and speedscope read back as the same stacks', async () => {
    const engine = await open(randomSession(2).json());
    const view = engine.view(request({ metric: 'cpu' }));
    for (const format of ['folded', 'speedscope'] as const) {
      const again = await open(await written(engine, format, { metric: 'cpu' }));
      expect(lines(again, again.view(request({ metric: 's0' }))), format).toEqual(lines(engine, view));
    }
  });
  test('what is exported is what is shown', async () => {
    const engine = await open('main;a;x 3\nmain;b 1\n');
    expect((await written(engine, 'folded', { direction: 'bottom-up' })).split('\n').sort()).toEqual(['', 'b;main 1', 'x;a;main 3']);
    expect(await written(engine, 'folded', { transforms: [{ kind: 'drop', func: 3 }] })).not.toContain('b');
  });
  test('names that are markup stay names', async () => {
    const engine = await open(HOSTILE);
    const svg = await written(engine, 'svg');
    checkXml(svg);
    expect(svg).toContain('&lt;/script&gt;&lt;img');
    expect(svg).not.toContain('<img');
    expect(JSON.parse(await written(engine, 'speedscope')).shared.frames.map((f: { name: string }) => f.name)).toContain('__proto__');
    expect(await written(engine, 'csv')).toContain('"a""b\'c&d,');
  });
  test('one sample, no sample and 30,000 levels make valid pictures', async () => {
    checkXml(await written(await open('a 1\n'), 'svg'));
    const empty = await written(await open('a 1\nb 0\n'), 'svg', { transforms: [{ kind: 'drop', func: 0 }] });
    checkXml(empty);
    expect(empty).toContain('nothing was measured here');
    const deep = await written(await open(`${'a;b;'.repeat(15_000)}c 1\n`), 'svg');
    checkXml(deep);
    expect(deep.length).toBeLessThan(500_000);
  });
  test('CSV has the columns of the table', async () => {
    const csv = await written(await open('a;b 3\na 1\n'), 'csv');
    expect(csv).toBe('function,crate,module,file,line,layer,self_samples,self_pct,total_samples,total_pct\r\nb,,,,,unknown,3,75.000,3,75.000\r\na,,,,,unknown,1,25.000,4,100.000\r\n');
  });
});
