// SPDX-License-Identifier: MIT
import { describe, expect, test } from 'vitest';
import { isNoise } from './noise';

const sampled = (baseTotal: number, nextTotal: number, period = 1000): Parameters<typeof isNoise>[0] => ({ periods: [period, period], baseTotal, nextTotal });

describe('noise', () => {
  test('a difference within two standard errors of the counts is none', () => {
    const view = sampled(1_000_000, 1_000_000);
    expect(isNoise(view, 100_000, 115_000, false)).toBe(true); // 100 and 115 samples: 15 against 28.9
    expect(isNoise(view, 100_000, 140_000, false)).toBe(false); // 40 against 30.5
    expect(isNoise(view, 0.1, 0.115, true)).toBe(true);
    expect(isNoise(view, 0.1, 0.14, true)).toBe(false);
  });
  test('a handful of samples proves nothing, six against none do', () => {
    const view = sampled(1_000_000, 1_000_000);
    expect([3, 5, 6].map((samples) => isNoise(view, 0, samples * 1000, false))).toEqual([true, true, false]);
    expect([3, 5, 6].map((samples) => isNoise(view, samples / 1000, 0, true))).toEqual([true, true, false]);
  });
  test('ten times the samples see a smaller difference', () => {
    expect(isNoise(sampled(1_000_000, 1_000_000), 0.1, 0.115, true)).toBe(true);
    expect(isNoise(sampled(10_000_000, 10_000_000), 0.1, 0.115, true)).toBe(false);
  });
  test('what was counted has no sampling error', () => {
    expect(isNoise({ periods: [NaN, NaN], baseTotal: 10, nextTotal: 10 }, 4, 5, false)).toBe(false);
    expect(isNoise({ periods: [1000, NaN], baseTotal: 10, nextTotal: 10 }, 4, 5, true)).toBe(false);
  });
  test('of 400 equal pairs about one in twenty is called different', () => {
    let seed = 5;
    const random = (): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) / 2 ** 32;
    const draw = (): number => Array.from({ length: 2000 }, random).filter((x) => x < 0.05).length / 2000;
    const wrong = Array.from({ length: 400 }, () => isNoise(sampled(2_000_000, 2_000_000), draw(), draw(), true)).filter((noise) => !noise).length;
    expect(wrong).toBeGreaterThan(3);
    expect(wrong).toBeLessThan(40);
  });
});
