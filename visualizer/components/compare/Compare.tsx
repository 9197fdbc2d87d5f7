// SPDX-License-Identifier: MIT
'use client';
/** Two sessions: a flame graph of differences, what got worse and better, both timelines over each other. */
import { useEffect, useMemo, useRef, useState } from 'react';
import type { Unit } from '@/lib/model/types';
import { isNoise, samplesOf } from '@/lib/compare/noise';
import { foldAt } from '@/lib/view/fold';
import { DIFF_STEPS, diffFill, palette } from '../flame/colors';
import { FlameController } from '../flame/controller';
import { foldLabel } from '../flame/frames';
import type { FlameLook } from '../flame/renderer';
import { count, pct, quantity, signed } from '../format';
import { shortName } from '../names';
import { sessionLabel } from '../sessionLabel';
import { store, useApp, type Compare as CompareState } from '../state/store';
import { VirtualTable, type TableColumn } from '../tables/VirtualTable';
import { lanesOf } from '../timeline/lanes';

type Diff = NonNullable<CompareState['view']>;

/** Shares are points of 100 %. */
function amount(value: number, unit: Unit, relative: boolean): string {
  return relative ? pct(value) : quantity(value, unit);
}

function change(value: number, unit: Unit, relative: boolean): string {
  return relative ? `${value > 0 ? '+' : ''}${pct(value)}` : signed(value, unit);
}

export function Compare() {
  const compare = useApp((state) => state.compare)!;
  const tabs = useApp((state) => state.tabs);
  const [found, setFound] = useState(-1);
  const base = tabs.find((tab) => tab.info.id === compare.base)!.info;
  const next = tabs.find((tab) => tab.info.id === compare.next)!.info;
  const { view } = compare;
  const pick = (key: 'base' | 'next', label: string): React.ReactElement => (
    <label className="flex min-w-0 items-center gap-1.5 text-xs text-muted">
      {label}
      <select className="field max-w-72" value={compare[key]} onChange={(event) => void store.compare({ [key]: Number(event.target.value) })}>
        {tabs.map((tab) => <option key={tab.info.id} value={tab.info.id}>{sessionLabel(tab.info, tabs.map((one) => one.info))}</option>)}
      </select>
    </label>
  );
  const shared = base.metrics.filter((metric) => next.metrics.some((other) => other.id === metric.id));
  return (
    <main className="flex min-h-0 flex-1 flex-col" data-testid="compare-view">
      <div className="flex h-10 shrink-0 items-center gap-3 overflow-x-auto border-b border-line px-3" role="toolbar" aria-label="Compare">
        {pick('base', 'Base')}
        {pick('next', 'New')}
        <select aria-label="Metric" className="field shrink-0 font-medium" value={compare.metric} onChange={(event) => void store.compare({ metric: event.target.value })}>
          {(shared.length ? shared : base.metrics).map((metric) => <option key={metric.id} value={metric.id}>{metric.label}</option>)}
        </select>
        <div role="group" aria-label="Scale" className="flex shrink-0">
          <button type="button" className="btn rounded-r-none" aria-pressed={compare.relative} onClick={() => void store.compare({ relative: true })}>Relative</button>
          <button type="button" className="btn -ml-px rounded-l-none" aria-pressed={!compare.relative} onClick={() => void store.compare({ relative: false })}>Absolute</button>
        </div>
        <div role="group" aria-label="Direction" className="flex shrink-0">
          <button type="button" className="btn rounded-r-none" aria-pressed={compare.direction === 'top-down'} onClick={() => void store.compare({ direction: 'top-down' })}>Top-down</button>
          <button type="button" className="btn -ml-px rounded-l-none" aria-pressed={compare.direction === 'bottom-up'} onClick={() => void store.compare({ direction: 'bottom-up' })}>Bottom-up</button>
        </div>
        <button type="button" className="btn" aria-pressed={compare.onlyMyCode} onClick={() => void store.compare({ onlyMyCode: !compare.onlyMyCode })}>Only my code</button>
        <button type="button" className="btn" aria-pressed={compare.foldRoot} title="One frame for what comes before your code" onClick={() => void store.compare({ foldRoot: !compare.foldRoot })}>Fold the root</button>
        <button type="button" className="btn btn-quiet" title="Swap base and new" onClick={() => void store.compare({ base: compare.next, next: compare.base })}>⇄ Swap</button>
        <span className="flex-1" />
        <Legend />
      </div>
      <Overlay base={compare.base} next={compare.next} />
      {compare.error && <p className="p-4 text-bad">{compare.error}</p>}
      {view && (
        <>
          {view.warnings.length > 0 && <p className="border-b border-line bg-accent-soft/60 px-3 py-1 text-xs">{view.warnings.join(' ')}</p>}
          <p className="shrink-0 border-b border-line px-3 py-1 text-xs" data-testid="compare-total">
            {quantity(view.baseTotal, view.unit)} → {quantity(view.nextTotal, view.unit)}{' '}
            <strong className={isNoise(view, view.baseTotal, view.nextTotal, false) ? 'text-muted' : view.nextTotal > view.baseTotal ? 'text-bad' : view.nextTotal < view.baseTotal ? 'text-good' : 'text-muted'}>{signed(view.nextTotal - view.baseTotal, view.unit)} ({view.nextTotal > view.baseTotal ? '+' : ''}{pct(view.nextTotal / view.baseTotal - 1)})</strong>
            <NoiseSentence view={view} />
          </p>
          <DiffFlame view={view} relative={compare.relative} found={found} />
          <DiffTable view={view} relative={compare.relative} found={found} onFind={setFound} />
        </>
      )}
    </main>
  );
}

/** What grey means, and how much was measured: fewer samples hide more. */
function NoiseSentence({ view }: { view: Diff }) {
  const [base, next] = samplesOf(view);
  if (Number.isNaN(base) || Number.isNaN(next)) return null;
  const total = isNoise(view, view.baseTotal, view.nextTotal, false) ? 'The difference of the totals is within its sampling error. ' : '';
  return <span className="ml-3 text-muted" data-testid="noise">{total}Grey differences are within the sampling error (95 %) of {count(Math.round(base))} and {count(Math.round(next))} samples.</span>;
}

function Legend() {
  const dark = useApp((state) => state.theme === 'dark');
  const colors = palette(dark);
  return (
    <span className="flex shrink-0 items-center gap-1.5 text-2xs text-muted" aria-label="Blue is less, orange is more">
      less
      <span className="flex">{Array.from({ length: 2 * DIFF_STEPS + 1 }, (_, i) => i % 2 === 0 && <span key={i} className="h-3 w-2.5" style={{ background: colors.fills[colors.diff + i].css }} />)}</span>
      more
    </span>
  );
}

function frameName({ topology, funcs }: Diff, node: number, text = (name: string): string => name): string {
  const path = foldAt(topology, node);
  return path ? foldLabel(funcs.names, path) : topology.func[node] < 0 ? 'all' : text(funcs.names[topology.func[node]]);
}

function DiffFlame({ view, relative, found }: { view: Diff; relative: boolean; found: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const controller = useRef<FlameController | null>(null);
  const [hover, setHover] = useState<{ node: number; x: number; y: number } | null>(null);
  const [hoverView, setHoverView] = useState(view);
  if (hoverView !== view) {
    setHoverView(view);
    setHover(null);
  }
  const dark = useApp((state) => state.theme === 'dark');
  const colors = palette(dark);
  const matched = useMemo(() => {
    if (found < 0) return null;
    const mask = new Uint8Array(view.funcs.count);
    mask[found] = 1;
    return mask;
  }, [view, found]);
  const base = useMemo(() => ({
    // Relative: how much of the frame itself changed. Absolute: how much it moved the total.
    fill: (node: number): number => {
      const [was, is] = [view.base[node], view.next[node]];
      if (isNoise(view, was, is, relative)) return diffFill(colors, 0);
      const scale = relative ? Math.max(was, is) : Math.max(view.base[0], view.next[0]) * 0.25;
      return diffFill(colors, scale > 0 ? Math.max(-1, Math.min(1, (is - was) / scale)) : 0);
    },
    label: (node: number): string => frameName(view, node, shortName),
  }), [view, relative, colors]);
  const look = useMemo<FlameLook>(() => ({ ...base, palette: colors, matched, selected: -1, hovered: hover?.node ?? -1 }), [base, colors, matched, hover?.node]);
  useEffect(() => {
    const made = new FlameController(canvas.current!, null, {
      hover: (node, x, y) => setHover(node < 0 ? null : { node, x, y }),
      select: (node) => node > 0 && shown.current && foldAt(shown.current.topology, node) && void store.compare({ foldRoot: false }), open: (node) => (node < 0 ? made.zoomTo(0, 1) : made.zoomToNode(node)), menu: () => {}, range: () => {},
    });
    controller.current = made;
    return () => made.destroy();
  }, []);
  const shown = useRef<Diff | null>(null);
  useEffect(() => {
    if (shown.current !== view) {
      shown.current = view;
      controller.current?.show(view, look);
    } else controller.current?.setLook(look);
  }, [view, look]);
  const node = hover && hover.node < view.topology.count ? hover.node : -1;
  return (
    <div className="relative min-h-0 flex-1" role="img" aria-label="Flame graph of differences; the table below lists every function" tabIndex={0} onKeyDown={(event) => event.key === '0' && controller.current?.zoomTo(0, 1)}>
      <canvas ref={canvas} aria-hidden="true" className="absolute inset-0 block size-full touch-none" />
      {node >= 0 && (
        <div role="tooltip" className="pointer-events-none fixed z-40 max-w-md rounded-md border border-line bg-bg px-3 py-2 text-xs shadow-float" style={{ left: Math.min(hover!.x + 14, innerWidth - 420), top: Math.min(hover!.y + 18, innerHeight - 100) }}>
          <div className="font-medium break-all">{frameName(view, node)}</div>
          <div className="text-muted">{amount(view.base[node], view.unit, relative)} → {amount(view.next[node], view.unit, relative)} <span className="font-medium text-fg">{change(view.next[node] - view.base[node], view.unit, relative)}</span>{isNoise(view, view.base[node], view.next[node], relative) && ', within its sampling error'}</div>
        </div>
      )}
    </div>
  );
}

function DiffTable({ view, relative, found, onFind }: { view: Diff; relative: boolean; found: number; onFind: (func: number) => void }) {
  const [which, setWhich] = useState<'worse' | 'better' | 'all'>('worse');
  const { rows } = view;
  const beyond = Number.isNaN(samplesOf(view)[0]) ? '' : ' beyond the sampling error';
  const columns = useMemo<TableColumn[]>(() => {
    const delta = (row: number): number => rows.nextSelf[row] - rows.baseSelf[row];
    const tone = (was: number, is: number): string => (isNoise(view, was, is, relative) ? 'text-muted' : is > was ? 'text-bad' : is < was ? 'text-good' : '');
    const said = (was: number, is: number): string | undefined => (isNoise(view, was, is, relative) ? 'within its sampling error' : undefined);
    const name = (row: number): string => view.funcs.names[rows.func[row]];
    const value = (id: string, label: string, get: (row: number) => number): TableColumn => ({ id, label, number: get, cell: (row) => amount(get(row), view.unit, relative), width: '7rem' });
    return [
      { id: 'name', label: 'Function', text: name, cell: (row) => <span title={name(row)}>{shortName(name(row))}</span>, width: 'minmax(12rem, 3fr)' },
      value('base', 'Base self', (row) => rows.baseSelf[row]),
      value('next', 'New self', (row) => rows.nextSelf[row]),
      { id: 'delta', label: 'Change', number: (row) => (which === 'better' ? -delta(row) : which === 'all' ? Math.abs(delta(row)) : delta(row)), cell: (row) => <span className={tone(rows.baseSelf[row], rows.nextSelf[row])} title={said(rows.baseSelf[row], rows.nextSelf[row])}>{change(delta(row), view.unit, relative)}</span>, width: '7rem' },
      { id: 'ratio', label: 'Ratio', number: (row) => rows.nextSelf[row] / rows.baseSelf[row], cell: (row) => (rows.baseSelf[row] > 0 ? (rows.nextSelf[row] > 0 ? `× ${(rows.nextSelf[row] / rows.baseSelf[row]).toFixed(2)}` : 'gone') : 'new'), width: '5rem' },
      { id: 'total', label: 'Total change', number: (row) => rows.nextTotal[row] - rows.baseTotal[row], cell: (row) => <span className={tone(rows.baseTotal[row], rows.nextTotal[row])} title={said(rows.baseTotal[row], rows.nextTotal[row])}>{change(rows.nextTotal[row] - rows.baseTotal[row], view.unit, relative)}</span>, width: '7rem' },
    ];
  }, [view, rows, relative, which]);
  const filter = useMemo(() => which === 'all' ? undefined : (row: number): boolean => !isNoise(view, rows.baseSelf[row], rows.nextSelf[row], relative) && (which === 'worse' ? rows.nextSelf[row] > rows.baseSelf[row] : rows.nextSelf[row] < rows.baseSelf[row]), [rows, which, view, relative]);
  return (
    <section aria-label="Changes" className="flex h-[34%] shrink-0 flex-col border-t border-line">
      <div role="tablist" aria-label="Changes" className="flex h-8 shrink-0 items-center gap-1 border-b border-line bg-panel px-3">
        {([['worse', 'Regressions'], ['better', 'Improvements'], ['all', 'All']] as const).map(([id, label]) => (
          <button key={id} type="button" role="tab" aria-selected={which === id} className={`-mb-px h-full cursor-pointer border-b-2 px-2 text-xs ${which === id ? 'border-accent font-medium' : 'border-transparent text-muted'}`} onClick={() => setWhich(id)}>{label}</button>
        ))}
      </div>
      <VirtualTable key={which} label="Changes" rows={rows.count} columns={columns} sortBy="delta" filter={filter} selected={found >= 0 ? rows.func.indexOf(found) : -1} onSelect={(row) => onFind(rows.func[row] === found ? -1 : rows.func[row])} empty={which === 'worse' ? `Nothing got slower or bigger${beyond}.` : `Nothing got faster or smaller${beyond}.`} />
    </section>
  );
}

/** CPU and memory of both sessions over each other: the base filled, the new one as a line. */
function Overlay({ base, next }: { base: number; next: number }) {
  const tabs = useApp((state) => state.tabs);
  const dark = useApp((state) => state.theme === 'dark');
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [a, b] = [base, next].map((id) => tabs.find((tab) => tab.info.id === id)!.info);
  const pairs = useMemo(() => {
    const theirs = new Map(lanesOf(b).map((lane) => [lane.id, lane]));
    return lanesOf(a).filter((lane) => theirs.has(lane.id)).slice(0, 3).map((lane) => [lane, theirs.get(lane.id)!] as const);
  }, [a, b]);
  useEffect(() => {
    const box = canvas.current?.parentElement;
    if (!box) return;
    const observer = new ResizeObserver(() => setWidth(box.clientWidth));
    observer.observe(box);
    return () => observer.disconnect();
  }, [pairs.length]);
  const height = pairs.length * 36;
  useEffect(() => {
    const target = canvas.current;
    if (!target || !width) return;
    const dpr = window.devicePixelRatio || 1;
    target.width = Math.round(width * dpr);
    target.height = Math.round(height * dpr);
    const context = target.getContext('2d')!;
    context.scale(dpr, dpr);
    const end = Math.max(a.side.timeline.points * a.side.timeline.intervalMs, b.side.timeline.points * b.side.timeline.intervalMs, 1);
    const [left, plot] = [96, Math.max(1, width - 160)];
    pairs.forEach(([mine, theirs], i) => {
      const bottom = i * 36 + 33;
      const scale = 28 / Math.max(mine.max, theirs.max, 1e-9);
      context.fillStyle = dark ? '#2c4668' : '#bcd3ee';
      context.strokeStyle = dark ? '#ff9d61' : '#b0420a';
      for (const [info, lane, line] of [[a, mine, false], [b, theirs, true]] as const) {
        const { values } = lane.series[0];
        const { intervalMs } = info.side.timeline;
        context.beginPath();
        for (let x = 0; x < plot; x++) {
          const first = Math.floor(((x / plot) * end) / intervalMs);
          if (first >= values.length) break;
          let high = 0;
          for (let k = first; k <= Math.min(values.length - 1, Math.floor((((x + 1) / plot) * end) / intervalMs)); k++) if (values[k] > high) high = values[k];
          if (line) context.lineTo(left + x, bottom - high * scale);
          else context.fillRect(left + x, bottom - high * scale, 1, high * scale);
        }
        if (line) context.stroke();
      }
    });
  }, [pairs, width, height, dark, a, b]);
  if (!pairs.length) return null;
  return (
    <div className="relative shrink-0 border-b border-line bg-panel" style={{ height }} role="img" aria-label="Timelines of both sessions: base filled, new as a line">
      <canvas ref={canvas} aria-hidden="true" className="absolute inset-0 size-full" />
      {pairs.map(([lane], i) => <span key={lane.id} className="absolute left-3 text-2xs text-muted" style={{ top: i * 36 + 10 }}>{lane.label}</span>)}
    </div>
  );
}
