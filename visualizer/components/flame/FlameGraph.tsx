// SPDX-License-Identifier: MIT
'use client';
/**
 * The flame graph with everything around its canvas: hover card, context menu, keyboard, minimap, and a hidden tree that
 * says to assistive technology where the selection stands (parents, the frame itself, its heaviest children).
 */
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { FLAG_INLINED, LAYERS, type PageFuncs, type ProfileInfo } from '@/lib/model/types';
import { selfValue } from '@/lib/view/layout';
import { pct, quantity } from '../format';
import { shortName } from '../names';
import { store, useApp, useTab, type Loaded } from '../state/store';
import { Menu, type MenuItem } from '../ui/Menu';
import { crateFill, heatFill, layerFill, palette, type ColorBy, type Palette } from './colors';
import { FlameController } from './controller';
import type { FlameLook } from './renderer';

interface Hover { readonly node: number; readonly x: number; readonly y: number }

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

export async function copyText(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // No clipboard API on file:// in some browsers: the old way still works from a click.
    const area = document.createElement('textarea');
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  store.say(`Copied ${what}`);
}

/** WHICH half: 'main' or, in a sandwich, 'callers' (drawn with the root at the bottom, so that callers stand on top). */
export function FlameGraph({ which, className = '' }: { which: 'main' | 'callers'; className?: string }) {
  const info = useTab((tab) => tab.info);
  const view = useTab((tab) => (which === 'main' ? tab.main : tab.callers));
  const query = useTab((tab) => tab.query);
  const search = useTab((tab) => tab.search);
  const selection = useTab((tab) => tab.selection);
  const theme = useApp((state) => state.theme);
  const colorBy = useApp((state) => state.colorBy);
  const canvasRef = useRef<HTMLCanvasElement>(null);
  const minimapRef = useRef<HTMLCanvasElement>(null);
  const controller = useRef<FlameController | null>(null);
  const [hover, setHover] = useState<Hover | null>(null);
  const [menu, setMenu] = useState<Hover | null>(null);
  const isMain = which === 'main';
  const sandwich = query?.mode === 'sandwich';
  const flame = isMain ? !sandwich && (query?.flame ?? false) : true;
  const before = useRef(query);

  const colors = palette(theme === 'dark');
  const fills = useMemo(() => (info ? fillsOf(info, colors, colorBy) : new Int16Array(0)), [info, colors, colorBy]);
  const selectedNode = isMain ? selection?.node ?? -1 : -1;

  const base = useMemo(() => {
    const funcs = view?.topology.func;
    const total = view?.value[0] ?? 1;
    return {
      fill: (node: number): number => {
        const func = funcs![node];
        if (func < 0) return colors.root;
        return fills[func] >= 0 ? fills[func] : heatFill(colors, view!.value[node] / total);
      },
      label: (node: number): string => {
        const func = funcs![node];
        return func < 0 ? `all · ${quantity(total, view!.metric.unit)}` : shortName(info!.funcs.names[func]);
      },
    };
  }, [view, fills, colors, info]);
  const look = useMemo<FlameLook>(
    () => ({ ...base, palette: colors, matched: search?.matched ?? null, selected: selectedNode, hovered: hover?.node ?? -1 }),
    [base, colors, search?.matched, selectedNode, hover?.node],
  );
  const shown = useRef<Loaded | null>(null);

  useEffect(() => {
    const made = new FlameController(canvasRef.current!, isMain ? minimapRef.current : null, {
      hover: (node, x, y) => setHover((held) => (node < 0 ? null : held?.node === node && held.x === x && held.y === y ? held : { node, x, y })),
      select: (node) => {
        setMenu(null);
        const tab = store.tab;
        const seen = isMain ? tab?.main : tab?.callers;
        if (!seen) return;
        store.select(node > 0 ? seen.topology.func[node] : -1, isMain ? Math.max(node, -1) : -1);
      },
      open: (node) => (node < 0 ? made.zoomTo(0, 1) : made.zoomToNode(node)),
      menu: (node, x, y) => setMenu(node > 0 ? { node, x, y } : null),
      range: (from, to, live) => {
        if (!isMain) return;
        if (live) {
          before.current ??= store.tab?.query ?? null;
          return;
        }
        before.current = null;
        const held = store.tab?.query;
        if (held && (held.from !== from || held.to !== to)) store.query({ from, to });
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
  }, [isMain]);

  useEffect(() => {
    const made = controller.current;
    if (!made) return;
    if (shown.current !== view) {
      shown.current = view;
      made.show(view, look);
    } else made.setLook(look);
  }, [view, look]);
  useEffect(() => controller.current?.setFlip(flame), [flame]);
  useEffect(() => {
    if (isMain && query) controller.current?.setRange(query.from, query.to);
  }, [isMain, query]);
  useEffect(() => {
    const made = controller.current;
    if (made && view && selectedNode >= 0 && selectedNode < view.topology.count) made.scrollToRow(made.renderer.rowOf(selectedNode));
  }, [selectedNode, view]);

  const key = useCallback((event: React.KeyboardEvent): void => {
    const made = controller.current;
    const tab = store.tab;
    const seen = isMain ? tab?.main : tab?.callers;
    if (!made || !tab || !seen) return;
    const node = tab.selection?.node ?? -1;
    const go = (next: number): void => {
      if (next < 0) return;
      store.select(seen.topology.func[next], next);
      store.reveal(next);
    };
    const vertical = (down: boolean): void => {
      if (node < 0) return go(0);
      if (down) return go(childrenByWeight(seen, node)[0] ?? -1);
      go(seen.topology.parent[node]);
    };
    const sideways = (step: 1 | -1): void => {
      if (node < 1) return;
      const parent = seen.topology.parent[node];
      for (let i = node + step; i >= seen.topology.firstChild[parent] && i < seen.topology.firstChild[parent + 1]; i += step) if (seen.value[i] > 0) return go(i);
    };
    if (event.ctrlKey || event.metaKey || event.altKey) {
      if (event.key === 'c' && node > 0 && !getSelection()?.toString()) {
        event.preventDefault();
        void copyText(stackOf(tab.info, seen, node).join('\n'), 'the stack');
      }
      return;
    }
    switch (event.key) {
      case 'ArrowDown': vertical(!flame); break;
      case 'ArrowUp': vertical(flame); break;
      case 'ArrowLeft': sideways(-1); break;
      case 'ArrowRight': sideways(1); break;
      case 'Enter': made.zoomToNode(Math.max(0, node)); break;
      case '+': case '=': made.zoomBy(0.5); break;
      case '-': made.zoomBy(2); break;
      case '0': made.zoomTo(0, 1); break;
      case 'Home': go(0); break;
      case '<': made.panBy(-0.25); break;
      case '>': made.panBy(0.25); break;
      case 'ContextMenu': {
        if (node > 0) {
          const box = canvasRef.current!.getBoundingClientRect();
          setMenu({ node, x: box.left + Math.max(0, made.renderer.span(node)[0]) + 8, y: box.top + made.renderer.rowTop(made.renderer.rowOf(node)) + 20 });
        }
        break;
      }
      default: return;
    }
    event.preventDefault();
    event.stopPropagation();
  }, [flame, isMain]);

  const empty = view && !(view.value[0] > 0);
  return (
    <div className={`relative flex min-h-0 flex-col ${className}`}>
      <div
        role="tree"
        tabIndex={0}
        aria-label={isMain ? 'Flame graph' : 'Callers'}
        aria-describedby={isMain ? 'flame-help' : undefined}
        data-testid={`flame-${which}`}
        className="relative min-h-0 flex-1 overflow-hidden outline-offset-[-2px]"
        onKeyDown={key}
      >
        <canvas ref={canvasRef} aria-hidden="true" className="absolute inset-0 block size-full cursor-pointer touch-none" />
        {info && view && !empty && <AriaTree info={info} view={view} node={selectedNode} />}
        {empty && (
          <p className="absolute inset-x-0 top-1/3 px-6 text-center text-muted">
            {query?.window ? 'Nothing was recorded in this window.' : `No ${view.metric.label} here.`}
            <br />
            {query?.window ? (
              <button type="button" className="link" onClick={() => store.query({ window: null })}>Show the whole session</button>
            ) : query?.transforms.length ? (
              <button type="button" className="link" onClick={() => store.query({ transforms: [] })}>Remove the filters</button>
            ) : 'Another metric may have data.'}
          </p>
        )}
      </div>
      {isMain && (
        <p role="status" className="sr-only">
          {info && view && selectedNode > 0 && selectedNode < view.topology.count ? `${nodeName(info, view, selectedNode)}, ${pct(view.value[selectedNode] / view.value[0])} of the total` : ''}
        </p>
      )}
      {isMain && <p id="flame-help" className="sr-only">Arrow keys move between frames, Enter zooms in, 0 shows everything, question mark lists all keys.</p>}
      {isMain && (
        <div className="h-6 shrink-0 cursor-ew-resize border-t border-line" title="Drag to choose a part, click to move there">
          <canvas ref={minimapRef} aria-hidden="true" data-testid="minimap" className="block size-full touch-none" />
        </div>
      )}
      {hover && !menu && info && view && <HoverCard hover={hover} info={info} view={view} />}
      {menu && info && view && <Menu x={menu.x} y={menu.y} label="Frame" items={frameMenu(info, view, menu.node, controller.current)} onClose={() => setMenu(null)} />}
    </div>
  );
}

/** The bench and the end-to-end tests read frame times and ranges here. */
function flameForTests(made: FlameController): void {
  (globalThis as { rustscopeFlame?: FlameController }).rustscopeFlame = made;
}

export function frameMenu(info: ProfileInfo, view: Loaded, node: number, made: FlameController | null): MenuItem[] {
  const func = view.topology.func[node];
  const real = func >= 0 && func < info.funcs.real;
  const crate = real ? info.funcs.crate[func] : -1;
  const module = real ? info.funcs.module[func] : -1;
  const short = shortName(info.funcs.names[func] ?? 'all');
  return [
    { heading: short },
    { label: 'Zoom to this frame', keys: 'Enter', run: () => made?.zoomToNode(node) },
    { label: 'Callers and callees (sandwich)', keys: 's', run: () => store.sandwich(func), off: !real },
    { rule: true },
    { label: 'Focus: make it the root', keys: 'f', run: () => store.transform({ kind: 'focus', func }), off: !real },
    { label: 'Merge into its caller', keys: 'm', run: () => store.transform({ kind: 'merge', func }), off: !real },
    { label: 'Collapse what it calls', keys: 'c', run: () => store.transform({ kind: 'collapse-function', func }), off: !real },
    { label: 'Drop samples with it', keys: 'd', run: () => store.transform({ kind: 'drop', func }), off: !real },
    { rule: true },
    { label: crate >= 0 ? `Collapse crate ${info.crates[crate]}` : 'Collapse crate', keys: 'C', run: () => store.transform({ kind: 'collapse-crate', crate }), off: crate < 0 },
    { label: crate >= 0 ? `Merge crate ${info.crates[crate]} into callers` : 'Merge crate', keys: 'M', run: () => store.transform({ kind: 'merge-crate', crate }), off: crate < 0 },
    { label: module >= 0 ? `Collapse module ${info.modules[module].name}` : 'Collapse module', run: () => store.transform({ kind: 'collapse-module', module }), off: module < 0 },
    { rule: true },
    { label: 'Find this function', run: () => store.search(info.funcs.names[func] ?? '', false), off: func < 0 },
    { label: 'Copy name', run: () => void copyText(info.funcs.names[func] ?? 'all', 'the name') },
    { label: 'Copy stack', keys: 'Ctrl C', run: () => void copyText(stackOf(info, view, node).join('\n'), 'the stack') },
  ];
}

function HoverCard({ hover, info, view }: { hover: Hover; info: ProfileInfo; view: Loaded }) {
  const { node } = hover;
  if (node >= view.topology.count) return null;
  const func = view.topology.func[node];
  const total = view.value[0];
  const { unit } = view.metric;
  const self = selfOf(view, node);
  const { funcs } = info;
  const file = func >= 0 && funcs.file[func] >= 0 ? info.files[funcs.file[func]] : '';
  const crate = func >= 0 && funcs.crate[func] >= 0 ? info.crates[funcs.crate[func]] : '';
  const module = func >= 0 && funcs.module[func] >= 0 ? info.modules[funcs.module[func]].name : '';
  const below = hover.y < innerHeight - 190;
  return (
    <div
      role="tooltip"
      data-testid="hover-card"
      className="pointer-events-none fixed z-40 w-max max-w-md rounded-md border border-line bg-bg px-3 py-2 shadow-float"
      style={{ left: Math.max(8, Math.min(hover.x + 14, innerWidth - 460)), ...(below ? { top: hover.y + 18 } : { bottom: innerHeight - hover.y + 10 }) }}
    >
      <div className="font-medium break-all">{nodeName(info, view, node)}</div>
      <dl className="mt-1 grid grid-cols-[auto_auto_auto] justify-start gap-x-3 text-xs">
        <dt className="text-muted">total</dt>
        <dd className="text-right">{quantity(view.value[node], unit)}</dd>
        <dd className="text-right text-muted">{pct(view.value[node] / total)}</dd>
        <dt className="text-muted">self</dt>
        <dd className="text-right">{quantity(self, unit)}</dd>
        <dd className="text-right text-muted">{pct(self / total)}</dd>
      </dl>
      {func >= 0 && (
        <div className="mt-1 text-xs break-all text-muted">
          {[crate && crate !== module ? `${crate} · ${module}` : module || crate, LAYERS[funcs.layer[func]] !== 'unknown' && LAYERS[funcs.layer[func]], view.topology.flags[node] & FLAG_INLINED && 'inlined']
            .filter(Boolean).join(' · ')}
          {file && <div className="font-mono text-2xs">{file}{funcs.line[func] > 0 ? `:${funcs.line[func]}` : ''}</div>}
        </div>
      )}
    </div>
  );
}

/** What the canvas shows around the selection, as a tree for screen readers: never the 700,000 nodes. */
function AriaTree({ info, view, node }: { info: ProfileInfo; view: Loaded; node: number }) {
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
