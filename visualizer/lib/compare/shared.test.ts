// SPDX-License-Identifier: MIT
/** The comparison that `rustscope compare` is tested with (tests/compare, tests/unit/test_gate_session.c): both join alike. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ALL_LAYERS, type CompareRequest, type CompareView } from '../model/types';
import { open } from '../testing';
import { Comparison } from './compare';
import { plainModule, plainName } from './names';

const FOLDER = join(__dirname, '..', '..', '..', 'tests', 'compare');
const json = (name: string): unknown => JSON.parse(readFileSync(join(FOLDER, name), 'utf8'));

interface Expected { functions: Record<string, { self_us: [number, number]; total_us: [number, number] }> }

async function compared(metric: string): Promise<CompareView> {
  const base = await open(readFileSync(join(FOLDER, 'base.json'), 'utf8'));
  const next = await open(readFileSync(join(FOLDER, 'new.json'), 'utf8'));
  const request: CompareRequest = {
    base: { profile: base.id, metric, window: null }, next: { profile: next.id, metric, window: null }, relative: false, direction: 'top-down', onlyMyCode: false,
    layers: ALL_LAYERS, collapseRecursion: 'off', foldRoot: false, haveTopology: 0,
  };
  return new Comparison(base, metric, next, metric).view(request);
}

describe('the comparison that is shared with the command line', () => {
  test.each(json('names.json') as [string, string][])('%s is %s', (name, plain) => {
    expect(plainName(name)).toBe(plain);
  });
  test('the program is one module, and libraries lose their version', () => {
    expect([plainModule('old-app', '/srv/old-app'), plainModule('libc.so.6', '/srv/app'), plainModule('serde', '/srv/app')]).toEqual(['[program]', 'libc.so', 'serde']);
  });
  test('functions have the same times', async () => {
    const view = await compared('cpu');
    // Self and total of the same function, whatever the unit's scale: the file's microseconds.
    const scale = 238000 / view.nextTotal;
    const rows = Object.fromEntries(Array.from({ length: view.rows.count }, (_, i) => [view.funcs.names[view.rows.func[i]], {
      self_us: [view.rows.baseSelf[i] * scale, view.rows.nextSelf[i] * scale].map(Math.round),
      total_us: [view.rows.baseTotal[i] * scale, view.rows.nextTotal[i] * scale].map(Math.round),
    }]));
    expect(rows).toEqual((json('expected.json') as Expected).functions);
  });
});
