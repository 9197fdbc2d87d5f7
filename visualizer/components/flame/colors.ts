// SPDX-License-Identifier: MIT
/**
 * Fills for frames. Colour by crate hashes the crate's name, so that a crate has its colour in every session and every
 * view; by layer has one colour a layer; by heat follows the share. Hues are spread over lightness as well as angle, so
 * that neighbours differ without hue vision. Every fill keeps at least 4.5:1 to its text colour, in both themes.
 */
import { LAYERS, type PageFuncs } from '@/lib/model/types';

export type ColorBy = 'crate' | 'layer' | 'heat';

export interface Fill { readonly css: string; readonly rgba: number }

export interface Palette {
  readonly dark: boolean;
  readonly fills: readonly Fill[];
  readonly dimmed: readonly Fill[];
  readonly match: Fill;
  readonly text: string;
  readonly dimText: string;
  readonly matchText: string;
  readonly background: string;
  readonly root: number;
  readonly crates: number;  // first index of the crate fills
  readonly layers: number;
  readonly heat: number;
  readonly diff: number;    // first of 2 × DIFF_STEPS + 1, middle = unchanged
}

const CRATE_HUES = [250, 165, 85, 315, 205, 30, 125, 350, 280, 60, 185, 230];
const CRATES = 2 * CRATE_HUES.length;
const HEAT_STEPS = 16;
export const DIFF_STEPS = 8;
/**
 * By layer (user, dep, std, runtime, alloc, kernel, profiler, unknown): lightness in light and dark, chroma in both, hue. The
 * reader's code is the only strong colour, what stands around it recedes, and no two are alike without hue vision.
 */
const LAYER_LOOKS: readonly (readonly [number, number, number, number])[] = [
  [0.77, 0.5, 0.125, 60], [0.84, 0.43, 0.075, 250], [0.91, 0.37, 0.055, 165], [0.88, 0.35, 0.035, 310], [0.79, 0.45, 0.095, 5], [0.8, 0.265, 0.018, 250], [0.86, 0.33, 0.01, 100], [0.93, 0.4, 0.004, 280],
];
/** Everything but the reader's code needs less chroma on black to recede as far. */
const LAYER_DARK_CHROMA = 0.85;

function oklch(lightness: number, chroma: number, hue: number): Fill {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const channel = (linear: number): number => {
    const value = linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055;
    return Math.max(0, Math.min(255, Math.round(value * 255)));
  };
  const red = channel(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s);
  const green = channel(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s);
  const blue = channel(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s);
  return { css: `rgb(${red},${green},${blue})`, rgba: ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0 };
}

export function hash(text: string): number {
  let value = 2166136261;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 16777619);
  return (value ^ (value >>> 15)) >>> 0;
}

const made = new Map<boolean, Palette>();

export function palette(dark: boolean): Palette {
  const known = made.get(dark);
  if (known) return known;
  const base = dark ? 0.42 : 0.86;
  const chroma = dark ? 0.07 : 0.075;
  const swing = dark ? 0.03 : 0.035;
  const fills: Fill[] = [dark ? oklch(0.34, 0.005, 280) : oklch(0.9, 0.004, 280)];
  const crates = fills.length;
  for (let i = 0; i < CRATES; i++) {
    const strong = i < CRATE_HUES.length ? 1 : -1;
    fills.push(oklch(base + ((i % 3) - 1) * swing * strong + (strong > 0 ? 0 : dark ? 0.06 : -swing), chroma * (strong > 0 ? 1 : dark ? 0.75 : 1.2), CRATE_HUES[i % CRATE_HUES.length] + (strong > 0 ? 0 : 14)));
  }
  const layers = fills.length;
  for (const [light, night, strength, hue] of LAYER_LOOKS) fills.push(dark ? oklch(night, strength * LAYER_DARK_CHROMA, hue) : oklch(light, strength, hue));
  const heat = fills.length;
  for (let i = 0; i < HEAT_STEPS; i++) {
    const at = i / (HEAT_STEPS - 1);
    fills.push(dark ? oklch(0.3 + 0.2 * at, 0.02 + 0.1 * at, 75 - 45 * at) : oklch(0.95 - 0.2 * at, 0.02 + 0.12 * at, 85 - 45 * at));
  }
  const diff = fills.length;
  // Blue for less, orange for more: told apart by people without red or green cones, and by lightness against the middle.
  for (let i = -DIFF_STEPS; i <= DIFF_STEPS; i++) {
    const at = Math.abs(i) / DIFF_STEPS;
    const hue = i < 0 ? 250 : 50;
    fills.push(dark ? oklch(0.32 + 0.18 * at, 0.13 * at, hue) : oklch(0.93 - 0.17 * at, 0.14 * at, hue));
  }
  const dimmed = fills.map(() => (dark ? oklch(0.255, 0.004, 280) : oklch(0.945, 0.003, 280)));
  const result: Palette = {
    dark, fills, dimmed,
    match: dark ? oklch(0.72, 0.15, 55) : oklch(0.72, 0.17, 50),
    text: dark ? '#f1f1f4' : '#1c1c20',
    dimText: dark ? '#8f8f99' : '#68686f',
    matchText: '#1c1206',
    background: dark ? '#131316' : '#ffffff',
    root: 0, crates, layers, heat, diff,
  };
  made.set(dark, result);
  return result;
}

/** Layers that a person is shown; the profiler's own frames are left out, and the rest is unknown. */
export const SHOWN_LAYERS = ['user', 'dep', 'std', 'runtime', 'alloc', 'kernel'] as const;

const layered = new WeakMap<PageFuncs, boolean>();
/** Whether the functions are of more than one layer, so that layers tell something. */
export function hasLayers(funcs: PageFuncs): boolean {
  let known = layered.get(funcs);
  if (known === undefined) {
    const present = new Set(funcs.layer.subarray(0, funcs.real));
    layered.set(funcs, (known = SHOWN_LAYERS.filter((_, i) => present.has(i)).length > 1));
  }
  return known;
}

/** CHOSEN by hand, or what tells most: whose code it is, where the session knows. */
export function colorsOf(funcs: PageFuncs, chosen: ColorBy | null): ColorBy {
  return chosen ?? (hasLayers(funcs) ? 'layer' : 'crate');
}

export function crateFill(p: Palette, crate: string): number {
  return p.crates + (hash(crate) % CRATES);
}

export function layerFill(p: Palette, layer: number): number {
  return p.layers + Math.min(layer, LAYERS.length - 1);
}

/** SHARE of the root, 0..1; the scale is a square root, so that 1 % can be told from 4 %. */
export function heatFill(p: Palette, share: number): number {
  return p.heat + Math.min(HEAT_STEPS - 1, Math.max(0, Math.round(Math.sqrt(share) * (HEAT_STEPS - 1))));
}

/** CHANGE -1..1: -1 gone, 1 new. */
export function diffFill(p: Palette, change: number): number {
  const step = Math.sign(change) * Math.ceil(Math.sqrt(Math.abs(change)) * DIFF_STEPS - 1e-9);
  return p.diff + DIFF_STEPS + Math.max(-DIFF_STEPS, Math.min(DIFF_STEPS, Math.abs(change) < 0.01 ? 0 : step));
}
