// SPDX-License-Identifier: MIT
import { describe, expect, test } from 'vitest';
import { random } from '../fixtures/session';
import { decodeText } from '../text/decode';
import { ChildTable, SliceTable } from './columns';

describe('byte slices', () => {
  test('get the ids that their texts get, wherever they lie, whatever their length', () => {
    const next = random(3);
    // Few letters and a zero byte: many equal slices, many that differ in their last byte or in their length alone.
    const bytes = Uint8Array.from({ length: 20_003 }, () => [0x61, 0x62, 0x00][Math.floor(next() * 3)]);
    const table = new SliceTable(bytes, decodeText);
    const ids = new Map<string, number>();
    for (let i = 0; i < 60_000; i++) {
      const from = i < 30 ? bytes.length - i : Math.floor(next() * bytes.length);
      const to = Math.min(bytes.length, from + Math.floor(next() * 14));
      const text = decodeText(bytes.subarray(from, to));
      if (!ids.has(text)) ids.set(text, ids.size);
      if (table.id(from, to) !== ids.get(text)) expect(`${text} at ${from}`).toBe('');
    }
    expect(ids.size).toBeGreaterThan(10_000);
    expect(table.names).toEqual([...ids.keys()]);
  });
});

describe('children', () => {
  test('are found again: wide parents, deep chains, and through every growth', () => {
    const table = new ChildTable(4);
    const ids = new Map<string, number>();
    const child = (parent: number, key: number): number => {
      const pair = `${parent} ${key}`;
      if (!ids.has(pair)) ids.set(pair, ids.size);
      const node = table.child(parent, key);
      if (node !== ids.get(pair)) expect(pair).toBe('');
      return node;
    };
    const next = random(4);
    const root = child(-1, -1);
    for (let key = 0; key < 5000; key++) child(root, key);
    for (let stack = 0; stack < 3000; stack++) {
      let node = root;
      for (let depth = 0; depth < 20; depth++) node = child(node, Math.floor(next() ** 3 * 40));
    }
    for (const pair of [...ids.keys()]) child(...(pair.split(' ').map(Number) as [number, number]));
    expect(table.count).toBe(ids.size);
    for (const [pair, node] of ids) if (`${table.parent.data[node]} ${table.key.data[node]}` !== pair) expect(pair).toBe('');
  });
});
