// SPDX-License-Identifier: MIT
/**
 * Begin, end and complete events of one thread into spans, spans into self times. Begins and ends are paired first;
 * then a span is the child of the one that it starts in. Complete events are spans already, and where they share a time
 * stamp with begins and ends the order of the file would nest them wrongly.
 */
import type { ProfileBuilder } from '../model/builder';
import { FloatColumn, IntColumn } from '../model/columns';
import type { Work } from './input';

/** A child that ends so much behind its parent is a matter of rounding: time stamps are microseconds with or without a fraction. */
const ROUNDING_US = 1;

const BEGIN = 0;
const END = 1;

export class Lane {
  beginUs = Infinity;
  endUs = -Infinity;
  /** Spans: complete events, and begins with their ends once those are paired. */
  private readonly from = new FloatColumn(16);
  private readonly to = new FloatColumn(16);
  private readonly name = new IntColumn(16);
  /** Begins and ends; NAME is -1 for an end that names nothing. */
  private readonly ts = new FloatColumn(16);
  private readonly kind = new IntColumn(16);
  private readonly of = new IntColumn(16); // name of an end, span of a begin
  private readonly names: string[] = [];
  private readonly nameIds = new Map<string, number>();

  constructor(readonly thread: number) {}

  private nameId(name: string): number {
    let id = this.nameIds.get(name);
    if (id === undefined) this.nameIds.set(name, (id = this.names.push(name) - 1));
    return id;
  }

  private span(name: string, fromUs: number, toUs: number): number {
    this.name.push(this.nameId(name));
    this.to.push(toUs);
    return this.from.push(fromUs);
  }

  private seen(us: number): void {
    if (us < this.beginUs) this.beginUs = us;
    if (us > this.endUs) this.endUs = us;
  }

  complete(name: string, fromUs: number, toUs: number): void {
    this.span(name, fromUs, toUs);
    this.seen(fromUs);
    this.seen(toUs);
  }

  begin(name: string, us: number): void {
    this.seen(us);
    this.ts.push(us);
    this.kind.push(BEGIN);
    this.of.push(this.span(name, us, Infinity));
  }

  end(name: string, us: number): void {
    this.seen(us);
    this.ts.push(us);
    this.kind.push(END);
    this.of.push(name === '' ? -1 : this.nameId(name));
  }

  /** An end closes the innermost open begin of its name, or, without a name, of any. Returns the ends that close nothing. */
  private pair(): number {
    const order = Array.from({ length: this.ts.length }, (_, i) => i).sort((a, b) => this.ts.data[a] - this.ts.data[b] || a - b);
    const open: number[] = []; // spans
    let unmatched = 0;
    for (const i of order) {
      if (this.kind.data[i] === BEGIN) {
        open.push(this.of.data[i]);
        continue;
      }
      const name = this.of.data[i];
      let at = open.length - 1;
      while (at >= 0 && name >= 0 && this.name.data[open[at]] !== name) at--;
      if (at < 0) unmatched++;
      else this.to.data[open.splice(at, 1)[0]] = this.ts.data[i];
    }
    for (const span of open) this.to.data[span] = this.endUs; // begins without an end last to the end
    return unmatched;
  }

  /** Hands the self time of every span to ADD, piece by piece; the pieces of a lane do not overlap. */
  async addTo(build: ProfileBuilder, work: Work, odd: { unmatched: number; cut: number }, add: (node: number, fromUs: number, toUs: number) => void): Promise<void> {
    odd.unmatched += this.pair();
    const frames = this.names.map((name) => build.named(name));
    const { from, to, name } = this;
    const count = from.length;
    // At one start the longer span is around the shorter; of equal ones the first in the file.
    const order = Array.from({ length: count }, (_, i) => i).sort((a, b) => from.data[a] - from.data[b] || to.data[b] - to.data[a] || a - b);
    const rest = new RestQueue();
    let rests = count + 1000; // overlaps may be cut into so many pieces
    const nodes: number[] = [];
    const ends: number[] = [];
    let now = -Infinity;
    const runTo = (us: number): void => {
      while (nodes.length > 0) {
        const top = nodes.length - 1;
        const stop = Math.min(ends[top], us);
        if (stop > now) {
          add(nodes[top], now, stop);
          now = stop;
        }
        if (ends[top] > us) break;
        nodes.pop();
        ends.pop();
      }
      if (us > now) now = us;
    };
    for (let next = 0; next < count || rest.size > 0; ) {
      const queued = rest.size > 0 && (next >= count || rest.fromUs < from.data[order[next]] || (rest.fromUs === from.data[order[next]] && rest.toUs >= to.data[order[next]]));
      const span = queued ? rest.span : order[next];
      const start = queued ? rest.fromUs : from.data[span];
      let end = to.data[span];
      if (queued) rest.take();
      else next++;
      runTo(start);
      const parentEnd = nodes.length > 0 ? ends[ends.length - 1] : Infinity;
      if (end > parentEnd) {
        if (end - parentEnd > ROUNDING_US) {
          // It goes on when its parent is over.
          if (rests-- > 0) rest.add(span, parentEnd, end);
          else odd.cut++;
        }
        end = parentEnd;
      }
      if (end > start) {
        nodes.push(build.node(nodes.length > 0 ? nodes[nodes.length - 1] : -1, frames[name.data[span]]));
        ends.push(end);
      }
      if ((next & 1023) === 0 && work.due) await work.tick(next / count);
    }
    runTo(Infinity);
  }
}

/** Spans that go on later, the earliest first; at one time the longest. A binary heap. */
class RestQueue {
  private readonly heap: { span: number; fromUs: number; toUs: number }[] = [];

  get size(): number {
    return this.heap.length;
  }
  get span(): number {
    return this.heap[0].span;
  }
  get fromUs(): number {
    return this.heap[0].fromUs;
  }
  get toUs(): number {
    return this.heap[0].toUs;
  }

  private before(a: number, b: number): boolean {
    const [x, y] = [this.heap[a], this.heap[b]];
    return x.fromUs !== y.fromUs ? x.fromUs < y.fromUs : x.toUs > y.toUs;
  }

  private swap(a: number, b: number): void {
    [this.heap[a], this.heap[b]] = [this.heap[b], this.heap[a]];
  }

  add(span: number, fromUs: number, toUs: number): void {
    let at = this.heap.push({ span, fromUs, toUs }) - 1;
    for (let parent = (at - 1) >> 1; at > 0 && this.before(at, parent); at = parent, parent = (at - 1) >> 1) this.swap(at, parent);
  }

  take(): void {
    const last = this.heap.pop()!;
    if (this.heap.length === 0) return;
    this.heap[0] = last;
    for (let at = 0; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) if (child < this.heap.length && this.before(child, least)) least = child;
      if (least === at) return;
      this.swap(at, least);
      at = least;
    }
  }
}
