// SPDX-License-Identifier: MIT
/**
 * The flame graph on a canvas, at a cost bounded by pixels and not by nodes.
 *
 * Rows are slices of the topology whose left edges rise, so each row is walked by binary search from pixel to pixel:
 * frames that share one pixel cost one step. Frames of 4 device pixels and more are drawn as rectangles with text; the
 * narrower ones are written as pixels into a strip (ImageData, one line a row) that is stretched over the rows in one
 * drawImage. Measured with 774k nodes on two cores without a GPU: 2.4 ms a frame, where one fillRect a frame took 32 ms
 * and SVG ended at about 500 frames (VIEWER measurements, bench/visualizer).
 *
 * The renderer draws what it is told and holds no state of the session. Ranges are shares of the root, 0..1.
 */
import type { Topology } from '@/lib/model/types';
import { FLAG_INLINED } from '@/lib/model/types';
import { depthOf } from '@/lib/view/layout';
import { matchesNode } from '@/lib/view/search';
import { middleEllipsis } from '../format';
import { withoutParameters } from '../names';
import type { Fill, Palette } from './colors';

export interface FlameData {
  readonly topology: Topology;
  readonly value: Float64Array;
  readonly x0: Float64Array;
}

export interface FlameLook {
  readonly palette: Palette;
  /** Index into palette.fills of a node (drawn ones only are asked). */
  fill(node: number): number;
  label(node: number): string;
  /** 1 = matched, by function; null = no search. */
  readonly matched: Uint8Array | null;
  readonly selected: number;
  readonly hovered: number;
}

export const ROW_PX = 20;
const NARROW_PX = 4;
const TEXT_PX = 26;
const FONT = '11.5px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif';

/** Where a row is drawn: a line of pixels from BASE on, SCALE pixels a unit of value from ORIGIN on. */
interface Line {
  readonly words: Uint32Array;
  readonly base: number;
  readonly width: number;
  readonly scale: number;
  readonly origin: number;
  readonly wide: number[] | null;
  readonly top: number;
}

export class FlameRenderer {
  private readonly context: CanvasRenderingContext2D;
  private readonly strip = document.createElement('canvas');
  private readonly stripContext: CanvasRenderingContext2D;
  private pixels: ImageData | null = null;
  private words: Uint32Array = new Uint32Array(0);
  private readonly widths = new Map<string, number>();
  private dpr = 1;
  width = 0;   // CSS pixels
  height = 0;
  data: FlameData | null = null;
  from = 0;
  to = 1;
  /** Rows at the root that are not drawn: in a sandwich the bar between the halves is the function. */
  skip = 0;
  /** CSS pixels scrolled away from row 0. */
  scroll = 0;
  /** 0 = root at the top (icicle), 1 = root at the bottom (flame); between while flipping. */
  flip = 0;
  /** 0..1: how far rows are unfolded, for the change of direction. */
  unfold = 1;

  constructor(readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext('2d', { alpha: false })!;
    this.stripContext = this.strip.getContext('2d')!;
  }

  /** Returns whether anything changed. Sizes are whole device pixels, so odd ratios neither blur nor loop. */
  resize(width: number, height: number, dpr: number): boolean {
    const deviceWidth = Math.max(1, Math.round(width * dpr));
    const deviceHeight = Math.max(1, Math.round(height * dpr));
    if (this.canvas.width === deviceWidth && this.canvas.height === deviceHeight && this.dpr === dpr) return false;
    this.canvas.width = deviceWidth;
    this.canvas.height = deviceHeight;
    this.dpr = dpr;
    this.width = width;
    this.height = height;
    this.widths.clear();
    return true;
  }

  get ratio(): number {
    return this.dpr;
  }

  get total(): number {
    return this.data && this.data.value.length ? this.data.value[0] : 0;
  }

  get rows(): number {
    return this.data ? this.data.topology.rowStart.length - 1 : 0;
  }

  get contentHeight(): number {
    return Math.max(0, this.rows - this.skip) * ROW_PX;
  }

  /** Top edge of a row in CSS pixels. */
  rowTop(row: number): number {
    const place = (row - this.skip) * ROW_PX * this.unfold;
    const down = place - this.scroll;
    if (this.flip === 0) return down;
    const up = this.height - ROW_PX - place + this.scroll;
    return down + (up - down) * this.flip;
  }

  private rowAt(y: number): number {
    const row = this.skip + (this.flip < 0.5 ? Math.floor((y + this.scroll) / ROW_PX) : Math.floor((this.height - y + this.scroll) / ROW_PX));
    return row >= this.skip && row < this.rows ? row : -1;
  }

  /** The node under a point in CSS pixels, -1 for none. The heaviest of those that share a pixel. */
  hit(x: number, y: number): number {
    const row = this.rowAt(y);
    if (row < 0 || !this.total) return -1;
    const { topology, value, x0 } = this.data!;
    const scale = this.width / ((this.to - this.from) * this.total);
    const origin = this.from * this.total;
    const end = topology.rowStart[row + 1];
    const pixel = 1 / this.dpr / scale;
    const at = origin + x / scale;
    const left = at - pixel / 2;
    let best = -1;
    for (let i = firstEndingAfter(x0, value, topology.rowStart[row], end, left); i < end && x0[i] < at + pixel / 2; i++) {
      if (value[i] > 0 && (best < 0 || value[i] > value[best])) best = i;
      if (i - (best < 0 ? i : best) > 4096) break;
    }
    return best;
  }

  /** Left and right edge of a node, CSS pixels. */
  span(node: number): readonly [number, number] {
    const { value, x0 } = this.data!;
    const scale = this.width / ((this.to - this.from) * this.total);
    const left = (x0[node] - this.from * this.total) * scale;
    return [left, left + value[node] * scale];
  }

  rowOf(node: number): number {
    return depthOf(this.data!.topology, node);
  }

  draw(look: FlameLook): void {
    const { context, dpr, data } = this;
    const deviceWidth = this.canvas.width;
    const deviceHeight = this.canvas.height;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = look.palette.background;
    context.fillRect(0, 0, deviceWidth, deviceHeight);
    if (!data || !this.total || this.to <= this.from) return;

    const visible: number[] = [];
    for (let row = this.skip; row < this.rows; row++) {
      const top = this.rowTop(row);
      if (top < this.height && top + ROW_PX > 0) visible.push(row);
    }
    if (!visible.length) return;
    if (!this.pixels || this.pixels.width !== deviceWidth || this.pixels.height < visible.length) {
      const lines = Math.max(visible.length, Math.ceil(this.height / ROW_PX) + 1);
      this.strip.width = deviceWidth;
      this.strip.height = lines;
      this.pixels = new ImageData(deviceWidth, lines);
      this.words = new Uint32Array(this.pixels.data.buffer);
    }
    this.words.fill(0);

    const rowHeight = Math.round(ROW_PX * dpr);
    const gap = Math.max(1, Math.round(dpr * 0.75));
    const scale = deviceWidth / ((this.to - this.from) * this.total);
    const origin = this.from * this.total;
    context.font = FONT;
    context.textBaseline = 'middle';

    const wide: number[] = []; // node, left, right, top
    visible.forEach((row, line) => this.rasterRow(look, row, { words: this.words, base: line * deviceWidth, width: deviceWidth, scale, origin, wide, top: Math.round(this.rowTop(row) * dpr) }));

    this.stripContext.putImageData(this.pixels, 0, 0);
    context.imageSmoothingEnabled = false;
    visible.forEach((row, line) => {
      const top = Math.round(this.rowTop(row) * dpr);
      context.drawImage(this.strip, 0, line, deviceWidth, 1, 0, top, deviceWidth, rowHeight - gap);
    });

    this.drawWide(look, wide, rowHeight - gap);
    this.drawOutline(look, look.selected, rowHeight - gap, 2);
    if (look.hovered !== look.selected) this.drawOutline(look, look.hovered, rowHeight - gap, 1);
  }

  /** Frames of a row as pixels of one line; those that are wide enough for a box go to WIDE instead. */
  private rasterRow(look: FlameLook, row: number, to: Line): void {
    const { topology, value, x0 } = this.data!;
    const { words, base, width, scale, origin, wide } = to;
    const end = topology.rowStart[row + 1];
    let i = firstEndingAfter(x0, value, topology.rowStart[row], end, origin);
    while (i < end) {
      const left = (x0[i] - origin) * scale;
      if (left >= width) break;
      const right = left + value[i] * scale;
      const pixel = Math.max(0, Math.round(left));
      const last = Math.min(width, Math.round(right));
      if (wide && right - left >= NARROW_PX) {
        wide.push(i, pixel, last, to.top);
        i++;
        continue;
      }
      if (value[i] > 0) {
        const color = this.fillOf(look, i).rgba;
        // A frame of less than a pixel still shows when nothing else has claimed its pixel.
        for (let x = pixel; x < Math.max(last, Math.min(pixel + 1, width)); x++) if (!words[base + x]) words[base + x] = color;
      }
      // On to the first frame that reaches beyond this pixel: skips the crowd, and what has no value in the window.
      i = gallop(x0, value, i + 1, end, origin + (Math.max(last, pixel + 1) - 0.5) / scale);
    }
  }

  /** The whole graph, one pixel a row, WIDTH × ROWS. */
  thumbnail(look: FlameLook, width: number, rows: number): ImageData {
    const pixels = new ImageData(width, rows);
    const words = new Uint32Array(pixels.data.buffer);
    if (this.total > 0) for (let row = 0; row < Math.min(rows, this.rows); row++) this.rasterRow(look, row, { words, base: row * width, width, scale: width / this.total, origin: 0, wide: null, top: 0 });
    return pixels;
  }

  private drawWide(look: FlameLook, wide: readonly number[], height: number): void {
    const { context, dpr } = this;
    const { topology } = this.data!;
    let style = '';
    for (let k = 0; k < wide.length; k += 4) {
      const css = this.fillOf(look, wide[k]).css;
      if (css !== style) context.fillStyle = style = css;
      context.fillRect(wide[k + 1], wide[k + 3], Math.max(1, wide[k + 2] - wide[k + 1] - Math.max(1, Math.round(dpr * 0.5))), height);
    }
    context.setTransform(dpr, 0, 0, dpr, 0, 0);
    let textStyle = '';
    for (let k = 0; k < wide.length; k += 4) {
      const left = wide[k + 1] / dpr;
      const width = (wide[k + 2] - wide[k + 1]) / dpr;
      if (width < TEXT_PX) continue;
      const node = wide[k];
      const text = this.fit(look.label(node), width - 8);
      if (!text) continue;
      const top = wide[k + 3] / dpr;
      const color = look.matched && topology.func[node] >= 0 ? (matchesNode(topology, look.matched, node) ? look.palette.matchText : look.palette.dimText) : look.palette.text;
      if (color !== textStyle) context.fillStyle = textStyle = color;
      context.fillText(text, left + 4, top + (ROW_PX - 1) / 2 + 0.5);
      if (topology.flags[node] & FLAG_INLINED) {
        // Inlined frames carry a dotted foot: the call does not exist in the machine code.
        for (let x = left + 2; x < left + width - 3; x += 4) context.fillRect(x, top + ROW_PX - 3, 2, 1);
      }
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
  }

  private drawOutline(look: FlameLook, node: number, height: number, width: number): void {
    if (node < 0 || !this.data || node >= this.data.topology.count || !(this.data.value[node] > 0)) return;
    const { context, dpr } = this;
    const [left, right] = this.span(node);
    const row = this.rowOf(node);
    if (row < this.skip) return;
    const top = this.rowTop(row);
    const from = Math.max(-4, left) * dpr;
    const to = Math.min(this.width + 4, Math.max(right, left + 2)) * dpr;
    const line = width * dpr;
    context.strokeStyle = look.palette.text;
    context.lineWidth = line;
    context.strokeRect(from + line / 2, Math.round(top * dpr) + line / 2, Math.max(line, to - from - line - dpr), height - line);
  }

  private fillOf(look: FlameLook, node: number): Fill {
    const { palette, matched } = look;
    const { topology } = this.data!;
    if (!matched || topology.func[node] < 0) return palette.fills[look.fill(node)];
    return matchesNode(topology, matched, node) ? palette.match : palette.dimmed[look.fill(node)];
  }

  /** The label within WIDTH: whole, else without its parameters, else without its path, else with its middle left out. */
  private fit(label: string, width: number): string {
    let full = this.widths.get(label);
    if (full === undefined) {
      if (this.widths.size > 20000) this.widths.clear();
      this.widths.set(label, (full = this.context.measureText(label).width));
    }
    if (full <= width) return label;
    // Letters differ in width: a little less than the share that would fit.
    const max = Math.floor((width / full) * label.length * 0.93) - 1;
    if (max < 4) return '';
    const name = withoutParameters(label);
    if (name.length <= max) return name;
    const segment = name.lastIndexOf('::');
    const last = name.slice(segment + 2);
    if (segment < 0 || max >= name.length * 0.75) return middleEllipsis(name, max);
    return last.length < max ? `…${last}` : middleEllipsis(last, max);
  }
}

/** First node of [low, high) whose right edge lies beyond AT. Edges rise within a row. */
function firstEndingAfter(x0: Float64Array, value: Float64Array, low: number, high: number, at: number): number {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (x0[middle] + value[middle] > at) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** As firstEndingAfter, from LOW on: the answer is usually near. */
function gallop(x0: Float64Array, value: Float64Array, low: number, high: number, at: number): number {
  let step = 1;
  let probe = low;
  while (probe < high && x0[probe] + value[probe] <= at) {
    low = probe + 1;
    probe = low + step;
    step *= 2;
  }
  return firstEndingAfter(x0, value, low, Math.min(probe, high), at);
}
