// SPDX-License-Identifier: MIT
/** How numbers are written: SI units (1 MB = 10^6 bytes), at most three significant digits, NaN is a dash. */
import type { Unit } from '@/lib/model/types';

const NONE = '–';

function digits(value: number): string {
  const size = Math.abs(value);
  return size >= 100 || size === Math.floor(size) ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function scaled(value: number, steps: readonly (readonly [number, string])[]): string {
  const size = Math.abs(value);
  // 999.6 would print as 1000: take the next unit from there on.
  for (const [unit, name] of steps) if (size >= unit * 0.9995) return `${digits(value / unit)} ${name}`;
  const [unit, name] = steps[steps.length - 1];
  return `${digits(value / unit)} ${name}`;
}

const BYTES = [[1e12, 'TB'], [1e9, 'GB'], [1e6, 'MB'], [1e3, 'kB'], [1, 'B']] as const;
const NANOS = [[1e9, 's'], [1e6, 'ms'], [1e3, 'µs'], [1, 'ns']] as const;

export function bytes(value: number): string {
  return Number.isNaN(value) ? NONE : value === 0 ? '0 B' : scaled(value, BYTES);
}

export function nanos(value: number): string {
  return Number.isNaN(value) ? NONE : value === 0 ? '0' : scaled(value, NANOS);
}

export function millis(value: number): string {
  return nanos(value * 1e6);
}

/** A whole number in groups of three; toLocaleString costs the first picture 20 ms of loading locales. */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

export function count(value: number): string {
  if (Number.isNaN(value)) return NONE;
  if (Math.abs(value) >= 1e7) return scaled(value, [[1e12, 'T'], [1e9, 'G'], [1e6, 'M']]);
  return value === Math.floor(value) ? grouped(value) : digits(value);
}

export function pct(share: number): string {
  if (Number.isNaN(share)) return NONE;
  const value = share * 100;
  if (value !== 0 && Math.abs(value) < 0.05) return value < 0 ? '> -0.1 %' : '< 0.1 %';
  return `${Math.abs(value) >= 99.95 ? value.toFixed(0) : value.toFixed(1)} %`;
}

export function quantity(value: number, unit: Unit | 'pct'): string {
  switch (unit) {
    case 'us': return nanos(value * 1e3);
    case 'ns': return nanos(value);
    case 'bytes': return bytes(value);
    case 'pct': return Number.isNaN(value) ? NONE : `${digits(value)} %`;
    case 'samples': return Number.isNaN(value) ? NONE : `${count(value)} ${value === 1 ? 'sample' : 'samples'}`;
    default: return count(value);
  }
}

export function signed(value: number, unit: Unit): string {
  return value > 0 ? `+${quantity(value, unit)}` : quantity(value, unit);
}

/** A position on the time axis: 7.84 s, 1:02.5, 1:02:03. */
export function clock(ms: number, stepMs = 10): string {
  const total = Math.max(0, ms) / 1000;
  const places = stepMs >= 1000 ? 0 : stepMs >= 100 ? 1 : stepMs >= 10 ? 2 : 3;
  if (total < 60) return `${total.toFixed(places)} s`;
  const whole = Math.floor(total / 60);
  const seconds = (total - whole * 60).toFixed(Math.min(places, 1)).padStart(places ? 4 : 2, '0');
  return whole < 60 ? `${whole}:${seconds}` : `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}:${seconds}`;
}

/** TEXT in at most MAX characters, the middle left out; what stands last is what tells names apart, so it keeps more. */
export function middleEllipsis(text: string, max: number): string {
  if (text.length <= max) return text;
  if (max <= 1) return '…';
  const head = Math.floor((max - 1) * 0.35);
  return `${text.slice(0, head)}…${text.slice(text.length - (max - 1 - head))}`;
}
