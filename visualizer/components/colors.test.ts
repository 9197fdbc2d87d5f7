// SPDX-License-Identifier: MIT
/** What axe cannot see: the colours of the canvas. */
import { describe, expect, test } from 'vitest';
import { crateFill, DIFF_STEPS, diffFill, layerFill, palette, SHOWN_LAYERS, type Fill } from './flame/colors';

type Rgb = readonly [number, number, number];

function rgbOf(css: string): Rgb {
  const parts = css.startsWith('#') ? css.match(/[0-9a-f]{2}/gi)!.map((hex) => parseInt(hex, 16)) : css.match(/\d+/g)!.map(Number);
  return [parts[0], parts[1], parts[2]];
}
const linear = (channel: number): number => (channel / 255 <= 0.04045 ? channel / 255 / 12.92 : ((channel / 255 + 0.055) / 1.055) ** 2.4);
function luminance(rgb: Rgb): number {
  return 0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2]);
}
function contrast(a: string, b: string): number {
  const [low, high] = [luminance(rgbOf(a)), luminance(rgbOf(b))].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

/* Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB. */
const VISION: Record<string, readonly number[]> = {
  usual: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  'without red cones': [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  'without green cones': [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
  'without blue cones': [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
};
/** CIELAB of a colour as SEEN. */
function lab(css: string, seen: readonly number[]): Rgb {
  const [r, g, b] = rgbOf(css).map(linear);
  const [R, G, B] = [0, 3, 6].map((row) => Math.max(0, Math.min(1, seen[row] * r + seen[row + 1] * g + seen[row + 2] * b)));
  const f = (t: number): number => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  const x = f((0.4124 * R + 0.3576 * G + 0.1805 * B) / 0.9505);
  const y = f(0.2126 * R + 0.7152 * G + 0.0722 * B);
  const z = f((0.0193 * R + 0.1192 * G + 0.9505 * B) / 1.089);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}
function distance(a: Fill, b: Fill, seen: readonly number[]): number {
  const [p, q] = [lab(a.css, seen), lab(b.css, seen)];
  return Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
}

describe.each([['light', false], ['dark', true]] as const)('the colours of frames, %s', (_, dark) => {
  const p = palette(dark);
  test('text on every fill has 4.5:1', () => {
    for (const fill of p.fills) expect(contrast(p.text, fill.css), fill.css).toBeGreaterThanOrEqual(4.5);
    expect(contrast(p.matchText, p.match.css)).toBeGreaterThanOrEqual(4.5);
  });
  test('text on what a search dims can still be read', () => {
    for (const fill of p.dimmed) expect(contrast(p.dimText, fill.css)).toBeGreaterThanOrEqual(4.5);
  });
  test.each(Object.keys(VISION))('less, unchanged and more are told apart, vision %s', (vision) => {
    const [less, same, more] = [-1, 0, 1].map((change) => p.fills[diffFill(p, change)]);
    for (const [a, b] of [[less, same], [same, more], [less, more]]) expect(distance(a, b, VISION[vision])).toBeGreaterThan(12);
  });
});

describe.each([['light', false], ['dark', true]] as const)('layers, %s', (_, dark) => {
  const p = palette(dark);
  test.each(Object.keys(VISION))('no two are alike, vision %s', (vision) => {
    const fills = SHOWN_LAYERS.map((_name, i) => p.fills[layerFill(p, i)]);
    for (let a = 0; a < fills.length; a++) for (let b = a + 1; b < fills.length; b++) expect(distance(fills[a], fills[b], VISION[vision]), `${SHOWN_LAYERS[a]} and ${SHOWN_LAYERS[b]}`).toBeGreaterThan(vision === 'usual' ? 12 : 6);
  });
});

test('a crate has its colour in every session and theme', () => {
  expect(['std', 'tokio', 'serde_json', 'shop'].map((crate) => crateFill(palette(false), crate))).toEqual(['std', 'tokio', 'serde_json', 'shop'].map((crate) => crateFill(palette(true), crate)));
  expect(['std', 'tokio', 'serde_json', 'shop'].map((crate) => crateFill(palette(false), crate) - palette(false).crates)).toEqual([21, 14, 4, 14]);
});

test('a change beyond the scale is as strong as it gets, one of a hundredth is none', () => {
  const p = palette(false);
  expect([diffFill(p, -9), diffFill(p, 0.009), diffFill(p, 9)].map((fill) => fill - p.diff - DIFF_STEPS)).toEqual([-DIFF_STEPS, 0, DIFF_STEPS]);
});
