// SPDX-License-Identifier: MIT
/** Small questions about a view's columns, asked by the page while drawing and pointing. */
import type { Topology } from '../model/types';
import { foldAt } from './fold';

export interface Columns { readonly topology: Topology; readonly value: Float64Array; readonly x0: Float64Array }

/** Value of a node that none of its children has; the rounding of summed fractions is not shown as self. */
export function selfValue(t: Topology, value: Float64Array, node: number): number {
  let self = value[node];
  for (let c = t.firstChild[node]; c < t.firstChild[node + 1]; c++) self -= value[c];
  return Math.abs(self) < Math.abs(value[node]) * 1e-12 ? 0 : self;
}

export function depthOf(t: Topology, node: number): number {
  let low = 0;
  let high = t.rowStart.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (t.rowStart[middle] <= node) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Functions from the root's child down to NODE; those behind a folded frame are among them. */
export function pathOf(t: Topology, node: number): number[] {
  const path: number[] = [];
  for (let n = node; n > 0; n = t.parent[n]) {
    const folded = foldAt(t, n);
    if (folded) path.push(...[...folded].reverse());
    else path.push(t.func[n]);
  }
  return path.reverse();
}

/** The node that PATH leads to, or the deepest one on the way that exists. */
export function nodeAt(t: Topology, path: readonly number[]): number {
  let node = 0;
  for (const func of path) {
    let next = -1;
    for (let c = t.firstChild[node]; c < t.firstChild[node + 1] && next < 0; c++) if (t.func[c] === func) next = c;
    if (next < 0) return node;
    node = next;
  }
  return node;
}

/** First node of row DEPTH whose right edge is beyond X, or the row's end. x0 rises within a row, empty nodes included. */
export function firstBeyond(columns: Columns, depth: number, x: number): number {
  const { topology: t, x0, value } = columns;
  let low = t.rowStart[depth];
  let high = t.rowStart[depth + 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x0[middle] + value[middle] > x) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The node under X in row DEPTH, or -1. */
export function nodeUnder(columns: Columns, depth: number, x: number): number {
  if (depth < 0 || depth >= columns.topology.rowStart.length - 1) return -1;
  const node = firstBeyond(columns, depth, x);
  return node < columns.topology.rowStart[depth + 1] && columns.x0[node] <= x ? node : -1;
}
