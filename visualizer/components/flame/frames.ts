// SPDX-License-Identifier: MIT
/** Questions about the frames of a view, for everything that shows or acts on one. */
import type { PageFuncs, ProfileInfo } from '@/lib/model/types';
import { foldAt } from '@/lib/view/fold';
import { pathOf, selfValue } from '@/lib/view/layout';
import { shortName } from '../names';
import type { Loaded } from '../state/store';
import { crateFill, layerFill, type ColorBy, type Palette } from './colors';

/** Index into the palette by function; -1 where the fill depends on the node. */
export function fillsOf(info: { funcs: PageFuncs; crates: readonly string[] }, colors: Palette, by: ColorBy): Int16Array {
  const { funcs, crates } = info;
  const byCrate = crates.map((name) => crateFill(colors, name));
  const fills = new Int16Array(funcs.count);
  for (let i = 0; i < fills.length; i++) {
    if (by === 'heat') fills[i] = -1;
    else if (by === 'layer') fills[i] = layerFill(colors, funcs.layer[i]);
    else fills[i] = funcs.crate[i] >= 0 ? byCrate[funcs.crate[i]] : crateFill(colors, funcs.names[i]);
  }
  return fills;
}

export function selfOf(view: Loaded, node: number): number {
  return Math.max(0, selfValue(view.topology, view.value, node));
}

export function childrenByWeight(view: Loaded, node: number): number[] {
  const { firstChild } = view.topology;
  const children: number[] = [];
  for (let i = firstChild[node]; i < firstChild[node + 1]; i++) if (view.value[i] > 0) children.push(i);
  return children.sort((a, b) => view.value[b] - view.value[a]);
}

export function nodeName(info: ProfileInfo, view: Loaded, node: number): string {
  const func = view.topology.func[node];
  const path = foldAt(view.topology, node);
  return path ? foldLabel(info.funcs.names, path) : func < 0 ? 'all' : info.funcs.names[func];
}

/** A folded frame in words: how many frames, the outermost and the innermost. */
export function foldLabel(names: readonly string[], path: readonly number[]): string {
  return `▸ ${path.length} frames: ${shortName(names[path[0]])} … ${shortName(names[path[path.length - 1]])}`;
}

/** The names from NODE out to the root. */
export function stackOf(info: ProfileInfo, view: Loaded, node: number): string[] {
  return pathOf(view.topology, node).reverse().map((func) => info.funcs.names[func] ?? '[unknown]');
}
