// SPDX-License-Identifier: MIT
/**
 * One flame graph on the page: a renderer, a minimap, and what hands do to them. Drag, pinch and Ctrl+wheel go through
 * d3-zoom; a programmed zoom, the flip and the change of direction are d3-timer animations with d3-ease, none of them
 * under reduced motion. Drawing happens at most once a frame.
 */
import { easeCubicInOut, easeCubicOut } from 'd3-ease';
import { interpolateNumber } from 'd3-interpolate';
import { pointer, select } from 'd3-selection';
import { timer, type Timer } from 'd3-timer';
import { zoom, zoomIdentity, type D3ZoomEvent, type ZoomBehavior } from 'd3-zoom';
import { observeSize } from '../ui/observeSize';
import { drawMinimap } from './minimap';
import { FlameRenderer, ROW_PX, type FlameData, type FlameLook } from './renderer';

export interface FlameEvents {
  hover(node: number, x: number, y: number): void;
  select(node: number): void;
  open(node: number): void;
  menu(node: number, x: number, y: number): void;
  /** LIVE while the hand or an animation still moves. */
  range(from: number, to: number, live: boolean): void;
}

const MAX_ZOOM = 1e7;

export function reducedMotion(): boolean {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}

export class FlameController {
  readonly renderer: FlameRenderer;
  private readonly behavior: ZoomBehavior<HTMLCanvasElement, unknown>;
  /** One of a kind at a time; a flip and a change of direction may overlap. */
  private readonly animations = new Map<'zoom' | 'flip' | 'unfold', Timer>();
  private readonly unobserve: () => void;
  /** Where the running zoom leads: the next step of a held key starts there. */
  private target: readonly [number, number] | null = null;
  private frame = 0;
  private syncing = false;
  private dragY: number | null = null;
  private minimapDrag: number | null = null;
  private minimapHeight = 0;
  private look: FlameLook | null = null;
  /** Milliseconds the last draw took, for the bench. */
  drawMs = 0;

  constructor(private readonly canvas: HTMLCanvasElement, private readonly minimap: HTMLCanvasElement | null, private readonly events: FlameEvents) {
    this.renderer = new FlameRenderer(canvas);
    this.behavior = zoom<HTMLCanvasElement, unknown>()
      .scaleExtent([1, MAX_ZOOM])
      .filter((event: Event) => (event.type === 'wheel' ? (event as WheelEvent).ctrlKey || (event as WheelEvent).metaKey : !(event as MouseEvent).button))
      .on('start', () => {
        this.animations.get('zoom')?.stop();
        this.animations.delete('zoom');
        this.target = null;
      })
      .on('zoom', (event: D3ZoomEvent<HTMLCanvasElement, unknown>) => this.zoomed(event))
      .on('end', () => {
        this.dragY = null;
        if (!this.syncing) this.events.range(this.renderer.from, this.renderer.to, false);
      });
    select(canvas).call(this.behavior).on('dblclick.zoom', null);
    canvas.addEventListener('wheel', this.wheel, { passive: false });
    canvas.addEventListener('pointermove', this.move);
    canvas.addEventListener('pointerleave', this.leave);
    canvas.addEventListener('click', this.click);
    canvas.addEventListener('dblclick', this.doubleClick);
    canvas.addEventListener('contextmenu', this.contextMenu);
    minimap?.addEventListener('pointerdown', this.minimapDown);
    minimap?.addEventListener('pointermove', this.minimapMove);
    minimap?.addEventListener('pointerup', this.minimapUp);
    this.unobserve = observeSize(canvas.parentElement!, () => this.resize());
    this.resize();
  }

  destroy(): void {
    this.unobserve();
    for (const animation of this.animations.values()) animation.stop();
    cancelAnimationFrame(this.frame);
    select(this.canvas).on('.zoom', null);
    for (const [type, listener] of [['wheel', this.wheel], ['pointermove', this.move], ['pointerleave', this.leave], ['click', this.click], ['dblclick', this.doubleClick], ['contextmenu', this.contextMenu]] as const) {
      this.canvas.removeEventListener(type, listener as EventListener);
    }
    this.minimap?.removeEventListener('pointerdown', this.minimapDown);
    this.minimap?.removeEventListener('pointermove', this.minimapMove);
    this.minimap?.removeEventListener('pointerup', this.minimapUp);
  }

  private resize(): void {
    const { clientWidth, clientHeight } = this.canvas.parentElement!;
    const dpr = window.devicePixelRatio || 1;
    this.minimapHeight = this.minimap?.parentElement?.clientHeight ?? 0;
    if (this.renderer.resize(clientWidth, clientHeight, dpr)) {
      this.syncZoom();
      this.clampScroll();
      this.drawNow(); // in the same frame: a resized canvas is blank
    }
  }

  /** DATA of a new topology unfolds from the root; of the same one it is just drawn. */
  show(data: FlameData | null, look: FlameLook): void {
    const changed = data?.topology !== this.renderer.data?.topology;
    const had = this.renderer.data !== null;
    this.look = look;
    this.renderer.data = data;
    if (changed) this.renderer.scroll = 0;
    this.clampScroll();
    if (changed && had && data && !reducedMotion()) {
      this.animate('unfold', 220, (t) => {
        this.renderer.unfold = 0.25 + 0.75 * easeCubicOut(t);
        if (t >= 1) this.renderer.unfold = 1;
      });
    } else this.invalidate();
  }

  setLook(look: FlameLook): void {
    this.look = look;
    this.invalidate();
  }

  setSkip(rows: number): void {
    if (this.renderer.skip === rows) return;
    this.renderer.skip = rows;
    this.clampScroll();
    this.invalidate();
  }

  setFlip(flame: boolean): void {
    const target = flame ? 1 : 0;
    if (this.renderer.flip === target && !this.animations.has('flip')) return;
    if (reducedMotion() || !this.renderer.data) {
      this.renderer.flip = target;
      return this.invalidate();
    }
    const turn = interpolateNumber(this.renderer.flip, target);
    this.animate('flip', 280, (t) => {
      this.renderer.flip = t >= 1 ? target : turn(easeCubicInOut(t));
    });
  }

  /** Jumps to a range that came from the state (undo, hash). */
  setRange(from: number, to: number): void {
    if (this.animations.has('zoom') || (this.renderer.from === from && this.renderer.to === to)) return;
    this.renderer.from = from;
    this.renderer.to = to;
    this.syncZoom();
    this.invalidate();
  }

  zoomTo(from: number, to: number): void {
    const { renderer } = this;
    const width = Math.max(to - from, 1 / MAX_ZOOM);
    if (reducedMotion()) {
      renderer.from = from;
      renderer.to = from + width;
      this.syncZoom();
      this.invalidate();
      return this.events.range(renderer.from, renderer.to, false);
    }
    // The width changes by ratio: ten times deeper takes as long from anywhere.
    const startWidth = renderer.to - renderer.from;
    const startFrom = renderer.from;
    const ratio = Math.log(width / startWidth);
    this.animate('zoom', 240, (t) => {
      const eased = easeCubicOut(t);
      const now = t >= 1 ? width : startWidth * Math.exp(ratio * eased);
      const share = Math.abs(width - startWidth) < 1e-12 ? eased : (now - startWidth) / (width - startWidth);
      renderer.from = t >= 1 ? from : startFrom + (from - startFrom) * share;
      renderer.to = Math.min(1, renderer.from + now);
      if (t >= 1) {
        this.target = null;
        this.syncZoom();
        this.events.range(renderer.from, renderer.to, false);
      }
    });
    this.target = [from, from + width];
  }

  zoomToNode(node: number): void {
    const { data, total } = this.renderer;
    if (!data || !total || node < 0) return;
    const from = data.x0[node] / total;
    this.zoomTo(from, Math.min(1, from + data.value[node] / total));
    this.scrollToRow(Math.max(0, this.renderer.rowOf(node) - 2));
  }

  /** FACTOR < 1 zooms in around AT (CSS pixels, the middle without one). */
  zoomBy(factor: number, at = this.renderer.width / 2): void {
    const { width } = this.renderer;
    const [from, to] = this.target ?? [this.renderer.from, this.renderer.to];
    const share = from + ((to - from) * at) / Math.max(1, width);
    const size = Math.min(1, (to - from) * factor);
    const left = Math.max(0, Math.min(1 - size, share - (size * at) / Math.max(1, width)));
    this.zoomTo(left, left + size);
  }

  panBy(share: number): void {
    const [start, end] = this.target ?? [this.renderer.from, this.renderer.to];
    const size = end - start;
    const from = Math.max(0, Math.min(1 - size, start + size * share));
    this.zoomTo(from, from + size);
  }

  scrollToRow(row: number): void {
    const top = Math.max(0, row - this.renderer.skip) * ROW_PX;
    const { renderer } = this;
    if (top < renderer.scroll) renderer.scroll = top;
    else if (top + ROW_PX > renderer.scroll + renderer.height) renderer.scroll = top + ROW_PX - renderer.height;
    this.clampScroll();
    this.invalidate();
  }

  /** Something still moves. */
  get moving(): boolean {
    return this.animations.size > 0 || this.frame !== 0;
  }

  private animate(kind: 'zoom' | 'flip' | 'unfold', duration: number, step: (t: number) => void): void {
    this.animations.get(kind)?.stop();
    const animation = timer((elapsed) => {
      const t = Math.min(1, elapsed / duration);
      if (t >= 1) {
        animation.stop();
        this.animations.delete(kind);
      }
      step(t);
      this.invalidate();
    });
    this.animations.set(kind, animation);
  }

  private clampScroll(): void {
    const { renderer } = this;
    renderer.scroll = Math.max(0, Math.min(renderer.scroll, renderer.contentHeight - renderer.height));
  }

  /** Tells d3-zoom where the range stands. */
  private syncZoom(): void {
    const { from, to, width } = this.renderer;
    if (!width) return;
    const scale = 1 / Math.max(to - from, 1 / MAX_ZOOM);
    this.behavior.extent([[0, 0], [width, this.renderer.height]]).translateExtent([[0, -Infinity], [width, Infinity]]);
    this.syncing = true;
    select(this.canvas).call(this.behavior.transform, zoomIdentity.translate(-from * width * scale, 0).scale(scale));
    this.syncing = false;
  }

  private zoomed(event: D3ZoomEvent<HTMLCanvasElement, unknown>): void {
    if (this.syncing) return;
    const { renderer } = this;
    const { k, x } = event.transform;
    const size = 1 / k;
    renderer.from = Math.max(0, Math.min(1 - size, -x / (k * Math.max(1, renderer.width))));
    renderer.to = Math.min(1, renderer.from + size);
    const source = event.sourceEvent as MouseEvent | null;
    if (source && source.type !== 'wheel' && 'clientY' in source) {
      if (this.dragY !== null) {
        renderer.scroll += (this.dragY - source.clientY) * (renderer.flip < 0.5 ? 1 : -1);
        this.clampScroll();
      }
      this.dragY = source.clientY;
    }
    this.events.range(renderer.from, renderer.to, true);
    this.invalidate();
  }

  private readonly wheel = (event: WheelEvent): void => {
    if (event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const unit = event.deltaMode === 1 ? ROW_PX : 1;
    const [dx, dy] = event.shiftKey ? [event.deltaY, 0] : [event.deltaX, event.deltaY];
    const { renderer } = this;
    renderer.scroll += dy * unit * (renderer.flip < 0.5 ? 1 : -1);
    this.clampScroll();
    if (dx) {
      const size = renderer.to - renderer.from;
      renderer.from = Math.max(0, Math.min(1 - size, renderer.from + (size * dx * unit) / Math.max(1, renderer.width)));
      renderer.to = renderer.from + size;
      this.syncZoom();
      this.events.range(renderer.from, renderer.to, true);
    }
    this.invalidate();
  };

  private readonly move = (event: PointerEvent): void => {
    if (event.buttons) return this.events.hover(-1, 0, 0);
    if (this.renderer.ratio !== window.devicePixelRatio) this.resize();
    const [x, y] = pointer(event, this.canvas);
    this.events.hover(this.renderer.hit(x, y), event.clientX, event.clientY);
  };
  private readonly leave = (): void => this.events.hover(-1, 0, 0);
  private readonly click = (event: MouseEvent): void => {
    if (event.defaultPrevented) return; // the end of a drag
    const [x, y] = pointer(event, this.canvas);
    this.events.select(this.renderer.hit(x, y));
  };
  private readonly doubleClick = (event: MouseEvent): void => {
    const [x, y] = pointer(event, this.canvas);
    this.events.open(this.renderer.hit(x, y));
  };
  private readonly contextMenu = (event: MouseEvent): void => {
    event.preventDefault();
    const [x, y] = pointer(event, this.canvas);
    this.events.menu(this.renderer.hit(x, y), event.clientX, event.clientY);
  };

  private readonly minimapDown = (event: PointerEvent): void => {
    this.minimap!.setPointerCapture(event.pointerId);
    const at = pointer(event, this.minimap)[0] / Math.max(1, this.renderer.width);
    this.minimapDrag = at;
  };
  private readonly minimapMove = (event: PointerEvent): void => {
    if (this.minimapDrag === null) return;
    const at = Math.max(0, Math.min(1, pointer(event, this.minimap)[0] / Math.max(1, this.renderer.width)));
    const [from, to] = at < this.minimapDrag ? [at, this.minimapDrag] : [this.minimapDrag, at];
    if (to - from < 0.002) return;
    this.renderer.from = from;
    this.renderer.to = to;
    this.syncZoom();
    this.events.range(from, to, true);
    this.invalidate();
  };
  private readonly minimapUp = (event: PointerEvent): void => {
    const at = pointer(event, this.minimap)[0] / Math.max(1, this.renderer.width);
    if (this.minimapDrag !== null && Math.abs(at - this.minimapDrag) < 0.002) {
      const size = this.renderer.to - this.renderer.from;
      const from = Math.max(0, Math.min(1 - size, at - size / 2));
      this.zoomTo(from, from + size);
    } else this.events.range(this.renderer.from, this.renderer.to, false);
    this.minimapDrag = null;
  };

  invalidate(): void {
    this.frame ||= requestAnimationFrame(() => this.drawNow());
  }

  drawNow(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (!this.look) return;
    if (this.renderer.ratio !== window.devicePixelRatio && this.renderer.width) return this.resize();
    const started = performance.now();
    this.renderer.draw(this.look);
    this.drawMs = performance.now() - started;
    if (this.minimap) drawMinimap(this.minimap, this.minimapHeight, this.renderer, this.look);
  }
}
