// SPDX-License-Identifier: MIT
'use client';
import { useEffect, useRef, type RefObject } from 'react';
import { foldAt } from '@/lib/view/fold';
import { store, type Loaded } from '../state/store';
import { FlameController } from './controller';
import type { Pointed } from './HoverCard';
import type { FlameLook } from './renderer';

/** WHICH half of the page's graph: 'main' or, in a sandwich, 'callers'. */
export type Half = 'main' | 'callers';

export function viewOf(half: Half): Loaded | null {
  return store.tab?.[half] ?? null;
}

/** Keeps a controller on the canvas and feeds it what the state says: view, look, direction of growth, range, selection. */
export function useController(half: Half, canvas: RefObject<HTMLCanvasElement | null>, minimap: RefObject<HTMLCanvasElement | null>, on: { hover(at: Pointed | null): void; menu(at: Pointed | null): void }, show: { view: Loaded | null; look: FlameLook; flame: boolean; skip: number; range: { readonly from: number; readonly to: number } | null; selected: number }): RefObject<FlameController | null> {
  const controller = useRef<FlameController | null>(null);
  const shown = useRef<Loaded | null>(null);
  const handlers = useRef(on);
  handlers.current = on;
  useEffect(() => {
    const isMain = half === 'main';
    const made = new FlameController(canvas.current!, isMain ? minimap.current : null, {
      hover: (node, x, y) => handlers.current.hover(node < 0 ? null : { node, x, y }),
      select: (node) => {
        handlers.current.menu(null);
        const seen = viewOf(half);
        if (seen && foldAt(seen.topology, node)) store.query({ foldRoot: false });
        else if (seen) store.select(node > 0 ? seen.topology.func[node] : -1, isMain ? Math.max(node, -1) : -1);
      },
      open: (node) => (node < 0 ? made.zoomTo(0, 1) : made.zoomToNode(node)),
      menu: (node, x, y) => handlers.current.menu(node > 0 ? { node, x, y } : null),
      range: (from, to, live) => {
        const held = store.tab?.query;
        if (isMain && !live && held && (held.from !== from || held.to !== to)) store.query({ from, to });
      },
    });
    controller.current = made;
    if (isMain) {
      store.flame = made;
      flameForTests(made);
    }
    return () => {
      made.destroy();
      controller.current = null;
      shown.current = null;
      if (isMain) store.flame = null;
    };
  }, [half, canvas, minimap]);

  const { view, look, flame, skip, range, selected } = show;
  useEffect(() => {
    const made = controller.current;
    if (!made) return;
    if (shown.current !== view) {
      shown.current = view;
      made.show(view, look);
    } else made.setLook(look);
  }, [view, look]);
  useEffect(() => controller.current?.setFlip(flame), [flame]);
  useEffect(() => controller.current?.setSkip(skip), [skip]);
  useEffect(() => {
    if (range) controller.current?.setRange(range.from, range.to);
  }, [range]);
  useEffect(() => {
    const made = controller.current;
    if (made && view && selected >= 0 && selected < view.topology.count) made.scrollToRow(made.renderer.rowOf(selected));
  }, [selected, view]);
  return controller;
}

/** The bench and the end-to-end tests read frame times and ranges here. */
function flameForTests(made: FlameController): void {
  (globalThis as { rustscopeFlame?: FlameController }).rustscopeFlame = made;
}
