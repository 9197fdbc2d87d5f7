// SPDX-License-Identifier: MIT
'use client';
import type { ProfileInfo } from '@/lib/model/types';
import { pct } from '../format';
import type { Loaded } from '../state/store';
import { childrenByWeight, nodeName, selfOf } from './frames';

/** What the canvas shows around the selection, as a tree for screen readers: never the 700,000 nodes. */
export function AriaTree({ info, view, node }: { info: ProfileInfo; view: Loaded; node: number }) {
  const at = node >= 0 && node < view.topology.count ? node : 0;
  const path: number[] = [];
  for (let i = at; i >= 0; i = view.topology.parent[i]) path.unshift(i);
  const children = childrenByWeight(view, at).slice(0, 12);
  const total = view.value[0];
  const item = (i: number, level: number): React.ReactElement => (
    <div key={i} role="treeitem" aria-level={level} aria-selected={i === node} aria-expanded={level <= path.length ? true : undefined}>
      {nodeName(info, view, i)}, {pct(view.value[i] / total)}, self {pct(selfOf(view, i) / total)}
    </div>
  );
  return (
    <div className="sr-only" role="group" data-testid="aria-tree">
      {path.map((i, level) => item(i, level + 1))}
      {children.map((i) => item(i, path.length + 1))}
    </div>
  );
}
