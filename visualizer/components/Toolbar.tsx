// SPDX-License-Identifier: MIT
'use client';
/** What the flame graph shows: metric, direction, whose code, which layers, colours, undo. */
import { LAYERS, type PresetName } from '@/lib/model/types';
import { colorsOf, hasLayers, layerFill, palette, SHOWN_LAYERS, type ColorBy } from './flame/colors';
import { hasCrates } from './names';
import { store, useApp, useTab, type Mode } from './state/store';
import { MenuButton, type MenuItem } from './ui/Menu';

const LAYER_LABELS: Record<(typeof SHOWN_LAYERS)[number], string> = { user: 'user', dep: 'deps', std: 'std', runtime: 'runtime', alloc: 'alloc', kernel: 'kernel' };
const PRESETS: readonly (readonly [PresetName, string])[] = [['tokio', 'Hide tokio'], ['rayon', 'Hide rayon'], ['futures', 'Hide futures plumbing']];

export function toggleLayer(index: number): void {
  const tab = store.tab;
  if (!tab) return;
  const layers = tab.query.layers ^ (1 << index);
  if (layers & ((1 << SHOWN_LAYERS.length) - 1)) store.query({ layers });
}

export function setMode(mode: Mode): void {
  const tab = store.tab;
  if (!tab) return;
  if (mode !== 'sandwich') return store.query({ mode, from: 0, to: 1 });
  const func = tab.selection?.func ?? -1;
  if (func >= 0) store.sandwich(func);
  else store.say('Select a function first: the sandwich shows its callers and callees.');
}

function moreItems(): MenuItem[] {
  const { query, info } = store.tab!;
  const colorBy = colorsOf(info.funcs, store.get().colorBy);
  const color = (by: ColorBy, label: string): MenuItem => ({ label, checked: colorBy === by, run: () => store.set({ colorBy: by }) });
  const recursion = (value: 'off' | 'direct' | 'all', label: string): MenuItem => ({ label, checked: query.recursion === value, run: () => store.query({ recursion: value, from: 0, to: 1 }) });
  return [
    { heading: 'Colour' },
    color('layer', 'By layer: whose code it is'), color('crate', hasCrates(info) ? 'By crate' : 'By module'), color('heat', 'By heat: share of the whole'),
    { rule: true }, { heading: 'Layers' },
    ...SHOWN_LAYERS.map((name, i): MenuItem => ({ label: `Show ${LAYER_LABELS[name]}`, checked: (query.layers >> i & 1) === 1, run: () => toggleLayer(i) })),
    { rule: true }, { heading: 'Recursion' },
    recursion('off', 'As recorded'), recursion('direct', 'Collapse direct'), recursion('all', 'Collapse direct and indirect'),
    { rule: true }, { heading: 'Root' },
    { label: 'Fold what comes before your code', checked: query.foldRoot, run: () => store.query({ foldRoot: !query.foldRoot, from: 0, to: 1 }) },
    { rule: true }, { heading: 'Presets' },
    ...PRESETS.map(([preset, label]): MenuItem => {
      const at = query.transforms.findIndex((one) => one.kind === 'preset' && one.preset === preset);
      return { label, checked: at >= 0, run: () => (at >= 0 ? store.query({ transforms: query.transforms.filter((_, i) => i !== at) }) : store.transform({ kind: 'preset', preset })) };
    }),
  ];
}

export function Toolbar() {
  const info = useTab((tab) => tab.info);
  const query = useTab((tab) => tab.query);
  const undo = useTab((tab) => tab.past.length > 0);
  const redo = useTab((tab) => tab.future.length > 0);
  const theme = useApp((state) => state.theme);
  const chosen = useApp((state) => state.colorBy);
  const colors = palette(theme === 'dark');
  if (!info || !query) return null;
  const present = new Set(info.funcs.layer.subarray(0, info.funcs.real));
  const colorBy = colorsOf(info.funcs, chosen);
  const modes: readonly (readonly [Mode, string, string])[] = [['top-down', 'Top-down', '1'], ['bottom-up', 'Bottom-up', '2'], ['sandwich', 'Sandwich', '3']];
  return (
    <div className="flex h-10 shrink-0 items-center gap-2 overflow-x-auto border-b border-line bg-bg px-3" role="toolbar" aria-label="View">
      <select aria-label="Metric" data-testid="metric" className="field shrink-0 pr-1 font-medium" value={query.metric} onChange={(event) => store.query({ metric: event.target.value })}>
        {info.metrics.map((metric) => <option key={metric.id} value={metric.id}>{metric.label}</option>)}
      </select>
      <div role="group" aria-label="Direction" className="flex shrink-0">
        {modes.map(([mode, label, key], i) => (
          <button key={mode} type="button" data-testid={mode} aria-pressed={query.mode === mode} title={`${label} (${key})`} className={`btn ${i ? '-ml-px rounded-l-none' : ''} ${i < 2 ? 'rounded-r-none' : ''} aria-pressed:z-10`} onClick={() => setMode(mode)}>
            {label}
          </button>
        ))}
      </div>
      <button type="button" className="btn w-7 px-0" data-testid="flip" aria-pressed={query.flame} aria-label="Root at the bottom" title="Flame or icicle: root at the bottom or the top (x)" onClick={() => store.query({ flame: !query.flame })}>
        <svg width="12" height="12" viewBox="0 0 12 12" aria-hidden="true" fill="currentColor"><path d="M1 1h10v2H1zM1 5h7v2H1zM1 9h4v2H1z" /></svg>
      </button>
      <button type="button" className="btn" data-testid="only-my-code" aria-pressed={query.onlyMyCode} title="Charge std, runtime, allocator and dependencies to the frame of yours that called them (y)" onClick={() => store.query({ onlyMyCode: !query.onlyMyCode, from: 0, to: 1 })}>
        Only my code
      </button>
      {hasLayers(info.funcs) && (
        <div role="group" aria-label="Layers" className="flex shrink-0 items-center gap-1 border-l border-line pl-2 max-[1400px]:hidden">
          {SHOWN_LAYERS.map((name, i) => !present.has(i) ? null : (
            <button key={name} type="button" data-testid={`layer-${name}`} className="btn btn-quiet px-1.5 text-muted aria-pressed:border-line-strong aria-pressed:bg-sunken aria-pressed:text-fg" aria-pressed={(query.layers >> i & 1) === 1} title={`Show ${LAYERS[i]} frames (hidden ones are charged to their callers)`} onClick={() => toggleLayer(i)}>
              <span aria-hidden="true" className="size-3 rounded-sm border border-line-strong" data-testid={`layer-swatch-${name}`} style={{ background: !(query.layers >> i & 1) ? 'transparent' : colorBy === 'layer' ? colors.fills[layerFill(colors, i)].css : 'var(--line-strong)' }} />
              <span className={query.layers >> i & 1 ? '' : 'line-through'}>{LAYER_LABELS[name]}</span>
            </button>
          ))}
        </div>
      )}
      <span className="flex-1" />
      <MenuButton label="View: colour, layers, recursion, presets" testId="more" items={moreItems}>View <span aria-hidden="true">▾</span></MenuButton>
      <div className="flex shrink-0">
        <button type="button" className="btn btn-quiet w-7 px-0" data-testid="undo" aria-label="Undo" title="Undo (u)" disabled={!undo} onClick={() => store.undo()}>⟲</button>
        <button type="button" className="btn btn-quiet w-7 px-0" data-testid="redo" aria-label="Redo" title="Redo (U)" disabled={!redo} onClick={() => store.redo()}>⟳</button>
      </div>
    </div>
  );
}

