// SPDX-License-Identifier: MIT
'use client';
import { useMemo } from 'react';
import type { ProfileInfo } from '@/lib/model/types';
import { foldAt } from '@/lib/view/fold';
import { quantity } from '../format';
import { shortName } from '../names';
import { useApp, type Loaded } from '../state/store';
import { colorsOf, heatFill, palette } from './colors';
import { fillsOf, nodeName } from './frames';
import type { FlameLook } from './renderer';

/** Colours and labels of a view's frames under the page's theme and colour mode. */
export function useLook(info: ProfileInfo | null, view: Loaded | null, marks: Pick<FlameLook, 'matched' | 'selected' | 'hovered'>): FlameLook {
  const colors = palette(useApp((state) => state.theme) === 'dark');
  const chosen = useApp((state) => state.colorBy);
  const fills = useMemo(() => (info ? fillsOf(info, colors, colorsOf(info.funcs, chosen)) : new Int16Array(0)), [info, colors, chosen]);
  // Apart from the marks: the minimap keeps its picture while the same functions say how frames look.
  const base = useMemo(() => {
    const funcs = view?.topology.func;
    const total = view?.value[0] ?? 1;
    return {
      fill: (node: number): number => {
        const func = funcs![node];
        if (func < 0 || foldAt(view!.topology, node)) return colors.root;
        return fills[func] >= 0 ? fills[func] : heatFill(colors, view!.value[node] / total);
      },
      label: (node: number): string => {
        const func = funcs![node];
        return func < 0 ? `all · ${quantity(total, view!.metric.unit)}` : foldAt(view!.topology, node) ? nodeName(info!, view!, node) : shortName(info!.funcs.names[func]);
      },
    };
  }, [view, fills, colors, info]);
  const { matched, selected, hovered } = marks;
  return useMemo(() => ({ ...base, palette: colors, matched, selected, hovered }), [base, colors, matched, selected, hovered]);
}
