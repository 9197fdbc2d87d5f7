// SPDX-License-Identifier: MIT
/** Questions about the frames of a view, for everything that shows or acts on one. */
import type { PageFuncs, ProfileInfo } from '@/lib/model/types';
import { selfValue } from '@/lib/view/layout';
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
  return func < 0 ? 'all' : info.funcs.names[func];
}

export function stackOf(info: ProfileInfo, view: Loaded, node: number): string[] {
  const names: string[] = [];
  for (let at = node; at > 0; at = view.topology.parent[at]) names.push(info.funcs.names[view.topology.func[at]] ?? '[unknown]');
  return names;
}
