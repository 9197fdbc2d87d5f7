// SPDX-License-Identifier: MIT
/** Which lanes a session has, and their columns reduced to one low and one high value a pixel. */
import type { Column, ProfileInfo } from '@/lib/model/types';
import { bytes, count } from '../format';

export interface Series { readonly label: string; readonly values: Float64Array; readonly line: boolean }
export interface Lane {
  readonly id: string;
  readonly label: string;
  readonly series: readonly Series[];
  readonly max: number;
  /** One value all the time: a thin line says it. */
  readonly constant: boolean;
  readonly format: (value: number) => string;
}

const MB = (value: number): string => bytes(value * 1e6);
const PERCENT = (value: number): string => (Number.isNaN(value) ? '–' : `${value.toFixed(value < 10 ? 1 : 0)} %`);

/** Known lanes, in order: id, label, columns (the first filled, the others as lines), what the values are. */
const KNOWN: readonly (readonly [string, string, readonly (readonly [string, string])[], (value: number, perSecond: number) => string])[] = [
  ['cpu', 'CPU', [['cpu_pct', 'CPU']], PERCENT],
  ['memory', 'Heap, RSS', [['heap_mb', 'heap'], ['anon_mb', 'anonymous'], ['rss_mb', 'RSS']], MB],
  ['alloc', 'Allocation', [['alloc_bytes', 'allocated']], (value, perSecond) => `${bytes(value * perSecond)}/s`],
  ['io', 'I/O', [['read_bytes', 'read'], ['write_bytes', 'written']], (value, perSecond) => `${bytes(value * perSecond)}/s`],
  ['threads', 'Threads', [['threads', 'threads']], count],
  ['fds', 'Descriptors', [['open_fds', 'descriptors']], count],
];

function highest(series: readonly Series[]): number {
  let max = 0;
  for (const { values } of series) for (let i = 0; i < values.length; i++) if (values[i] > max) max = values[i];
  return max;
}

function isConstant(series: readonly Series[]): boolean {
  return series.every(({ values }) => {
    const first = values.find((value) => !Number.isNaN(value));
    return values.every((value) => value === first || Number.isNaN(value));
  });
}

/** Top and height of each lane in CSS pixels below the axis, and of all together; constant ones take a line of text. */
export function layOut(lanes: readonly Lane[], tall: number): { readonly top: readonly number[]; readonly height: readonly number[]; readonly total: number } {
  const height = lanes.map((lane) => (lane.constant ? Math.min(tall, CONSTANT_PX) : tall));
  let total = 0;
  const top = height.map((one) => (total += one) - one);
  return { top, height, total };
}
const CONSTANT_PX = 14;

function measured(column: Column | undefined): column is Column {
  return column !== undefined && column.values.some((value) => !Number.isNaN(value));
}

export function lanesOf(info: ProfileInfo): Lane[] {
  const { timeline } = info.side;
  const perSecond = 1000 / Math.max(1, timeline.intervalMs);
  const lanes: Lane[] = [];
  for (const [id, label, columns, format] of KNOWN) {
    const series: Series[] = [];
    for (const [key, name] of columns) {
      const column = timeline.lanes.get(key);
      if (measured(column)) series.push({ label: name, values: column.values, line: series.length > 0 });
    }
    // The anonymous part stands in for the heap where allocations were not recorded; beside the heap it is noise.
    const shown = id === 'memory' && series.length === 3 ? [series[0], series[2]] : series;
    if (!shown.length) continue;
    const max = highest(shown);
    if (max > 0 || id === 'cpu') lanes.push({ id, label: id === 'memory' && shown[0].label !== 'heap' ? 'Memory' : label, series: shown, max: max || 1, constant: id !== 'cpu' && isConstant(shown), format: (value) => format(value, perSecond) });
  }
  for (const [id, column] of timeline.counters) {
    if (measured(column)) lanes.push({ id: `counter ${id}`, label: column.label, series: [{ label: column.label, values: column.values, line: false }], max: highest([{ label: '', values: column.values, line: false }]) || 1, constant: false, format: count });
  }
  return lanes;
}

/** Total length of the session's axis. */
export function axisEnd(info: ProfileInfo): number {
  const { timeline, meta } = info.side;
  return Math.max(timeline.points * timeline.intervalMs, timeline.points ? 0 : meta.durationMs);
}

/** For each pixel x of WIDTH over [fromMs, toMs): the highest value, NaN where nothing was measured. */
export function decimate(values: Float64Array, intervalMs: number, fromMs: number, toMs: number, width: number, out: Float64Array): void {
  const perPixel = (toMs - fromMs) / width / intervalMs;
  let at = fromMs / intervalMs;
  for (let x = 0; x < width; x++, at += perPixel) {
    const first = Math.max(0, Math.floor(at));
    const last = Math.min(values.length, Math.max(first + 1, Math.ceil(at + perPixel)));
    let high = NaN;
    for (let i = first; i < last; i++) if (!(values[i] <= high)) high = Number.isNaN(values[i]) ? high : values[i];
    out[x] = high;
  }
}

export function niceStep(spanMs: number, ticks: number): number {
  const raw = spanMs / Math.max(1, ticks);
  for (const step of [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5]) if (step >= raw) return step;
  return 72e5;
}
