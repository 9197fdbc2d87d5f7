// SPDX-License-Identifier: MIT
/** Which differences between two sampled measurements say nothing. */
import type { CompareView } from '../model/types';

/** Standard errors within which 95 % of differences between equal things lie. */
const Z = 1.96;

type Sampled = Pick<CompareView, 'periods' | 'baseTotal' | 'nextTotal'>;

/** Samples of each side; NaN where the metric was counted and not sampled. */
export function samplesOf({ periods, baseTotal, nextTotal }: Sampled): readonly [number, number] {
  return [baseTotal / periods[0], nextTotal / periods[1]];
}

/**
 * Whether WAS and IS differ by no more than sampling alone makes them differ. A count of samples has the square root of
 * itself as its standard error, a share of N samples that of a proportion; one sample more on each side keeps the handful
 * that is new or gone from looking certain (none against five is chance, none against six is not). Exact amounts have no
 * such error.
 */
export function isNoise(view: Sampled, was: number, is: number, relative: boolean): boolean {
  const [a, b] = view.periods;
  if (Number.isNaN(a) || Number.isNaN(b) || was === is) return false;
  if (!relative) return Math.abs(is - was) <= Z * Math.sqrt((was + a) * a + (is + b) * b);
  const [m, n] = samplesOf(view);
  const spread = (share: number, of: number): number => ((share + 1 / of) * Math.max(0, 1 - share)) / of;
  return Math.abs(is - was) <= Z * Math.sqrt(spread(was, m) + spread(is, n));
}
