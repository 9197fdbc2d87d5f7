// SPDX-License-Identifier: MIT
'use client';
/**
 * The time axis: lanes on one canvas, the window (brush) and the event markers above it. Dragging anywhere makes a
 * window; every move asks for the flame graph and the tables of that window at once. Ctrl+wheel zooms the axis at the
 * pointer, wheel with Shift pans, a click on a marker opens its spike.
 */
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { TimelineEvent, TimeWindow } from '@/lib/model/types';
import { palette } from '../flame/colors';
import { clock } from '../format';
import { store, useApp, useTab, type Query } from '../state/store';
import { observeSize } from '../ui/observeSize';
import { axisEnd, decimate, lanesOf, layOut, niceStep, type Lane } from './lanes';

const GUTTER = 96;
const RIGHT = 80; // "1,008 MB/s" and its margin
const TIMES = 16; // the row of times,
const AXIS = 28; // and below it that of the markers

type Grip = 'new' | 'move' | 'from' | 'to';

export function Timeline() {
  const info = useTab((tab) => tab.info);
  const window_ = useTab((tab) => tab.query.window);
  const spike = useTab((tab) => tab.spike);
  const theme = useApp((state) => state.theme);
  const canvasRef = useRef<HTMLCanvasElement>(null);
  const boxRef = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [pageHeight, setPageHeight] = useState(0);
  const [ratio, setRatio] = useState(1);
  const [range, setRange] = useState<readonly [number, number] | null>(null);
  const [cursor, setCursor] = useState<{ x: number; ms: number } | null>(null);
  const drag = useRef<{ grip: Grip; startMs: number; window: TimeWindow | null; before: Query; moved: boolean } | null>(null);

  const narrow = width > 0 && width < 640;
  const lanes = useMemo(() => (info ? lanesOf(info).slice(0, narrow ? 3 : 12) : []), [info, narrow]);
  const end = info ? axisEnd(info) : 0;
  const [from, to] = range ?? [0, end];
  const interval = info?.side.timeline.intervalMs || 100;
  // On a short screen the flame graph needs the rows more than the lanes their height.
  const tall = pageHeight > 0 && pageHeight < 800 ? 18 : lanes.length > 4 ? 26 : 32;
  const layout = useMemo(() => layOut(lanes, tall), [lanes, tall]);
  const height = AXIS + layout.total;
  const plot = Math.max(1, width - GUTTER - RIGHT);
  const xOf = useCallback((ms: number) => GUTTER + ((ms - from) / Math.max(1e-9, to - from)) * plot, [from, to, plot]);
  const msOf = useCallback((x: number) => Math.max(0, Math.min(end, from + ((x - GUTTER) / plot) * (to - from))), [from, to, plot, end]);

  useEffect(() => setRange(null), [info]);

  useEffect(() => {
    const box = boxRef.current;
    if (!box) return;
    const measure = (): void => {
      setWidth(box.clientWidth);
      setPageHeight(innerHeight);
      setRatio(devicePixelRatio);
    };
    measure();
    return observeSize(box, measure);
  }, [lanes.length]);

  useEffect(() => {
    const canvas = canvasRef.current;
    if (canvas && width) drawLanes(canvas, lanes, { width, height, layout, from, to, interval, dark: theme === 'dark', cursor: cursor?.ms ?? null });
  }, [lanes, width, height, layout, from, to, interval, theme, cursor, ratio]);

  // React listens to wheel passively; zooming the axis must keep the page from zooming.
  useEffect(() => {
    const box = boxRef.current;
    if (!box) return;
    const wheel = (event: WheelEvent): void => {
      const zooms = event.ctrlKey || event.metaKey;
      const sideways = event.shiftKey ? event.deltaY : event.deltaX;
      if (!zooms && !sideways) return;
      event.preventDefault();
      const span = to - from;
      const size = zooms ? Math.max(interval * 4, Math.min(end, span * Math.exp(event.deltaY * 0.0025))) : span;
      const at = msOf(event.clientX - box.getBoundingClientRect().left);
      const left = zooms ? at - ((at - from) * size) / span : from + (sideways / plot) * span;
      const start = Math.max(0, Math.min(end - size, left));
      setRange(size >= end * 0.999 ? null : [start, start + size]);
    };
    box.addEventListener('wheel', wheel, { passive: false });
    return () => box.removeEventListener('wheel', wheel);
  }, [from, to, end, interval, msOf, plot]);

  if (!info) return null;
  if (!lanes.length || end <= 0) {
    return (
      <section aria-label="Timeline" className="flex h-8 shrink-0 items-center gap-2 border-b border-line bg-panel px-3 text-xs text-muted">
        <span className="font-medium text-fg">No time axis.</span>
        <span className="truncate">
          This file holds totals only. <code className="font-mono">rustscope -- ./my-app</code> records CPU, memory and threads over time.
        </span>
      </section>
    );
  }

  const snap = (ms: number): number => Math.round(ms / interval) * interval;
  const apply = (next: TimeWindow | null, live: boolean): void => {
    const clean = next && next.toMs - next.fromMs >= interval * 0.5 ? next : null;
    const held = store.tab?.query.window ?? null;
    if (held?.fromMs === clean?.fromMs && held?.toMs === clean?.toMs) return;
    store.query({ window: clean }, live);
  };

  const down = (event: React.PointerEvent<HTMLDivElement>, grip: Grip): void => {
    if (event.button || !store.tab) return;
    event.stopPropagation();
    const box = boxRef.current!;
    box.setPointerCapture(event.pointerId);
    const startMs = msOf(event.clientX - box.getBoundingClientRect().left);
    drag.current = { grip, startMs, window: store.tab.query.window, before: store.tab.query, moved: false };
  };

  const move = (event: React.PointerEvent<HTMLDivElement>): void => {
    const x = event.clientX - boxRef.current!.getBoundingClientRect().left;
    const ms = msOf(x);
    setCursor(x >= GUTTER && x <= GUTTER + plot ? { x, ms } : null);
    const held = drag.current;
    if (!held) return;
    if (!held.moved && Math.abs(xOf(held.startMs) - x) < 3) return;
    held.moved = true;
    const low = Math.min(ms, held.startMs);
    const high = Math.max(ms, held.startMs);
    const { window } = held;
    if (held.grip === 'new' || !window) apply({ fromMs: Math.floor(low / interval) * interval, toMs: Math.min(end, Math.ceil(high / interval) * interval) }, true);
    else if (held.grip === 'move') {
      const size = window.toMs - window.fromMs;
      const start = Math.max(0, Math.min(end - size, snap(window.fromMs + ms - held.startMs)));
      apply({ fromMs: start, toMs: start + size }, true);
    } else {
      const fixed = held.grip === 'from' ? window.toMs : window.fromMs;
      apply({ fromMs: Math.min(fixed, snap(ms)), toMs: Math.max(fixed, snap(ms)) }, true);
    }
  };

  const up = (): void => {
    const held = drag.current;
    drag.current = null;
    if (!held) return;
    if (!held.moved && held.grip === 'new') apply(null, true);
    store.commit(held.before);
    if (held.grip !== 'move' || held.moved) store.patch({ spike: null });
  };

  const nudge = (event: React.KeyboardEvent, edge: 'from' | 'to' | 'both'): void => {
    const window = store.tab?.query.window;
    const sign = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (!window || !sign) return;
    event.preventDefault();
    event.stopPropagation();
    const step = interval * sign * (event.shiftKey ? 10 : 1);
    const fromMs = edge === 'to' ? window.fromMs : Math.max(0, window.fromMs + step);
    const toMs = edge === 'from' ? window.toMs : Math.min(end, window.toMs + step);
    if (toMs - fromMs >= interval) apply({ fromMs, toMs }, false);
  };

  const left = window_ ? xOf(window_.fromMs) : 0;
  const right = window_ ? xOf(window_.toMs) : 0;
  const clipLeft = Math.max(GUTTER, Math.min(GUTTER + plot, left));
  const clipRight = Math.max(GUTTER, Math.min(GUTTER + plot, right));
  const outliers = info.side.outliers;

  return (
    <section aria-label="Timeline" className="relative shrink-0 border-b border-line bg-panel select-none">
      <div
        ref={boxRef}
        data-testid="timeline"
        className="relative cursor-crosshair touch-none"
        style={{ height }}
        onPointerDown={(event) => down(event, 'new')}
        onPointerMove={move}
        onPointerUp={up}
        onPointerCancel={up}
        onPointerLeave={() => setCursor(null)}
        onDoubleClick={() => apply(null, false)}
      >
        <canvas ref={canvasRef} aria-hidden="true" className="absolute inset-0" style={{ width, height }} />
        {lanes.map((lane, i) => (
          <LaneLegend key={lane.id} lane={lane} top={AXIS + layout.top[i]} height={layout.height[i]} at={cursor ? Math.floor(cursor.ms / interval) : -1} />
        ))}
        {window_ && clipRight > clipLeft && (
          <>
            <div className="pointer-events-none absolute bg-bg/60" style={{ left: GUTTER, width: clipLeft - GUTTER, top: AXIS, bottom: 0 }} />
            <div className="pointer-events-none absolute bg-bg/60" style={{ left: clipRight, width: GUTTER + plot - clipRight, top: AXIS, bottom: 0 }} />
            <div
              role="slider"
              tabIndex={0}
              aria-label="Window"
              aria-valuemin={0}
              aria-valuemax={Math.round(end)}
              aria-valuenow={Math.round(window_.fromMs)}
              aria-valuetext={`${clock(window_.fromMs)} to ${clock(window_.toMs)}`}
              data-testid="brush"
              className="absolute cursor-grab border-x-2 border-accent active:cursor-grabbing"
              style={{ left: clipLeft - 1, width: clipRight - clipLeft + 2, top: AXIS, bottom: 0 }}
              onPointerDown={(event) => down(event, 'move')}
              onKeyDown={(event) => nudge(event, 'both')}
            />
            {(['from', 'to'] as const).map((edge) => (
              <div
                key={edge}
                role="slider"
                tabIndex={0}
                aria-label={edge === 'from' ? 'Window start' : 'Window end'}
                aria-valuemin={edge === 'from' ? 0 : Math.round(window_.fromMs)}
                aria-valuemax={edge === 'from' ? Math.round(window_.toMs) : Math.round(end)}
                aria-valuenow={Math.round(edge === 'from' ? window_.fromMs : window_.toMs)}
                aria-valuetext={clock(edge === 'from' ? window_.fromMs : window_.toMs)}
                className="absolute w-2.5 cursor-ew-resize"
                style={{ left: (edge === 'from' ? clipLeft : clipRight) - 5, top: AXIS, bottom: 0 }}
                onPointerDown={(event) => down(event, edge)}
                onKeyDown={(event) => nudge(event, edge)}
              />
            ))}
          </>
        )}
        {outliers.slice(0, 200).map((outlier, i) => {
          const x = xOf(outlier.atMs);
          return x < GUTTER || x > GUTTER + plot ? null : (
            <span key={i} title={`outlier: ${outlier.name}, ${outlier.sigma.toFixed(1)} σ at ${clock(outlier.atMs)}`} className="absolute size-1 rounded-full bg-bad" style={{ left: x - 2, top: (TIMES + AXIS) / 2 - 2 }} />
          );
        })}
        {info.side.events.slice(0, 400).map((event, i) => (
          <Marker key={i} event={event} x={xOf(event.startMs)} low={GUTTER} high={GUTTER + plot} height={height} active={spike?.event === event} />
        ))}
        {cursor && !drag.current && (
          <div className="pointer-events-none absolute top-0 rounded bg-fg px-1 text-2xs text-bg" style={{ left: Math.min(cursor.x + 6, width - 70), height: TIMES }}>
            {clock(cursor.ms, (to - from) / plot)}
          </div>
        )}
      </div>
    </section>
  );
}

function LaneLegend({ lane, top, height, at }: { lane: Lane; top: number; height: number; at: number }) {
  const values = lane.series.map((one) => (at >= 0 && at < one.values.length ? one.values[at] : NaN));
  return (
    <>
      <div className="pointer-events-none absolute left-3 flex items-center truncate text-2xs text-muted" style={{ top, height, width: GUTTER - 16 }} title={lane.series.map((one) => one.label).join(', ')}>
        {lane.label}
      </div>
      <div data-testid="lane-value" className="pointer-events-none absolute right-2 flex flex-col items-end justify-center text-right text-2xs leading-3 text-muted" style={{ top, height, width: RIGHT - 8 }}>
        {at >= 0 ? values.slice(0, height < 24 ? 1 : 2).map((value, i) => <span key={i} className={i ? '' : 'font-medium text-fg'}>{lane.format(value)}</span>) : <span>{lane.format(lane.max)}</span>}
      </div>
    </>
  );
}

function Marker({ event, x, low, high, height, active }: { event: TimelineEvent; x: number; low: number; high: number; height: number; active: boolean }) {
  if (x < low - 1 || x > high + 1) return null;
  const spike = event.type.includes('spike');
  return (
    <>
      <div className={`pointer-events-none absolute w-px ${active ? 'bg-accent' : 'bg-line-strong'}`} style={{ left: x, top: AXIS, height: height - AXIS }} />
      <button
        type="button"
        data-testid={spike ? 'spike' : 'mark'}
        aria-label={`${spike ? 'Spike' : event.type} at ${clock(event.startMs)}: ${event.text}`}
        title={event.text}
        className={`absolute flex h-6 w-4 -translate-x-1/2 cursor-pointer items-center justify-center text-2xs ${active ? 'text-accent' : spike ? 'text-bad' : 'text-muted'}`}
        style={{ left: x, top: (TIMES + AXIS) / 2 - 12 }}
        onPointerDown={(down) => down.stopPropagation()}
        onClick={() => void store.openSpike(event)}
      >
        <svg viewBox="0 0 12 12" width="10" height="10" aria-hidden="true" fill="currentColor">
          {spike ? <path d="M1 2h10L6 11z" /> : <path d="M6 1l5 5-5 5-5-5z" />}
        </svg>
      </button>
    </>
  );
}

interface DrawOptions { width: number; height: number; layout: ReturnType<typeof layOut>; from: number; to: number; interval: number; dark: boolean; cursor: number | null }

function drawLanes(canvas: HTMLCanvasElement, lanes: readonly Lane[], options: DrawOptions): void {
  const { width, height, layout, from, to, interval, dark, cursor } = options;
  const dpr = window.devicePixelRatio || 1;
  const [deviceWidth, deviceHeight] = [Math.round(width * dpr), Math.round(height * dpr)];
  if (canvas.width !== deviceWidth || canvas.height !== deviceHeight) [canvas.width, canvas.height] = [deviceWidth, deviceHeight];
  const context = canvas.getContext('2d')!;
  context.setTransform(dpr, 0, 0, dpr, 0, 0);
  context.clearRect(0, 0, width, height);
  const plot = Math.max(1, Math.floor(width - GUTTER - RIGHT));
  const colors = palette(dark);
  const ink = dark ? '#a2a2ad' : '#5c5c64';
  const line = dark ? '#2b2b31' : '#e3e3e6';

  context.font = '11px system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif';
  context.textBaseline = 'middle';
  context.textAlign = 'center';
  const step = niceStep(to - from, plot / 96);
  for (let at = Math.ceil(from / step) * step; at <= to + 1e-6; at += step) {
    const x = GUTTER + ((at - from) / (to - from)) * plot;
    context.fillStyle = line;
    context.fillRect(Math.round(x), AXIS, 1, height - AXIS);
    context.fillStyle = ink;
    if (x > GUTTER + 8 && x < GUTTER + plot - 16) context.fillText(clock(at, step), x, TIMES / 2);
  }

  const column = new Float64Array(plot);
  lanes.forEach((lane, index) => {
    const laneHeight = layout.height[index];
    const top = AXIS + layout.top[index];
    const bottom = top + laneHeight - 3;
    const scale = (laneHeight - 7) / lane.max;
    context.fillStyle = line;
    context.fillRect(GUTTER, top + laneHeight - 1, plot, 1);
    lane.series.forEach((series, order) => {
      decimate(series.values, interval, from, to, plot, column);
      const fill = colors.fills[colors.crates + ((index * 5 + order * 3) % 12)].css;
      if (series.line) {
        context.strokeStyle = dark ? '#c9c9d2' : '#55555e';
        context.lineWidth = 1;
        context.beginPath();
        let drawing = false;
        for (let x = 0; x < plot; x++) {
          if (Number.isNaN(column[x])) drawing = false;
          else {
            const y = bottom - column[x] * scale;
            if (drawing) context.lineTo(GUTTER + x + 0.5, y);
            else context.moveTo(GUTTER + x + 0.5, y);
            drawing = true;
          }
        }
        context.stroke();
        return;
      }
      context.fillStyle = fill;
      for (let x = 0; x < plot; x++) if (column[x] > 0) context.fillRect(GUTTER + x, bottom - column[x] * scale, 1, column[x] * scale + 1);
      context.fillStyle = dark ? '#d8d8de' : '#6a6a72';
      for (let x = 0; x < plot; x++) if (column[x] > 0) context.fillRect(GUTTER + x, bottom - column[x] * scale - 0.5, 1, 1);
    });
  });
  if (cursor !== null) {
    const x = Math.round(GUTTER + ((cursor - from) / (to - from)) * plot);
    context.fillStyle = ink;
    context.fillRect(x, AXIS, 1, height - AXIS);
  }
}
