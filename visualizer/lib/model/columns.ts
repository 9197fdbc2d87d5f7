// SPDX-License-Identifier: MIT
/**
 * Growing typed-array columns and the hash tables over them. A JavaScript Map of a million pairs costs some
 * 60 MB and a second; these cost 8 bytes a slot and no object per entry.
 */

/** A growing Int32Array. Doubling; `take` gives the exact array and ends its use. */
export class IntColumn {
  length = 0;
  data: Int32Array;
  constructor(capacity = 1024) {
    this.data = new Int32Array(capacity);
  }
  push(value: number): number {
    if (this.length === this.data.length) {
      const wider = new Int32Array(this.data.length * 2);
      wider.set(this.data);
      this.data = wider;
    }
    this.data[this.length] = value;
    return this.length++;
  }
  take(): Int32Array {
    return this.data.slice(0, this.length);
  }
}

/** A growing Float64Array. */
export class FloatColumn {
  length = 0;
  data: Float64Array;
  constructor(capacity = 1024) {
    this.data = new Float64Array(capacity);
  }
  push(value: number): number {
    if (this.length === this.data.length) {
      const wider = new Float64Array(this.data.length * 2);
      wider.set(this.data);
      this.data = wider;
    }
    this.data[this.length] = value;
    return this.length++;
  }
  take(): Float64Array {
    return this.data.slice(0, this.length);
  }
}

/** Mixes two small integers into 32 bits; both halves of the result are usable (murmur3's finaliser). */
function mix(a: number, b: number): number {
  let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b + 0x7f4a7c15, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}

/**
 * A tree under construction: finds or adds the child of a node for a key. Nodes are numbered in the order of
 * their creation, so parents come before children.
 */
export class ChildTable {
  readonly parent: IntColumn;
  readonly key: IntColumn;
  /** Four words a slot: parent, key, node + 1 (0 = empty), unused. A look-up in a tree of a million nodes misses the cache once, not three times. */
  private slots: Int32Array;
  private mask: number;

  constructor(expected = 1024) {
    const size = powerOfTwo(expected * 2);
    this.parent = new IntColumn(Math.max(16, expected));
    this.key = new IntColumn(Math.max(16, expected));
    this.slots = new Int32Array(size * 4);
    this.mask = size - 1;
  }

  get count(): number {
    return this.parent.length;
  }

  child(parent: number, key: number): number {
    const { slots, mask } = this;
    const hash = mix(parent, key);
    let slot = near(parent, hash, mask);
    for (let next = hash & mask; ; next = (next + 1) & mask) {
      const at = slot * 4;
      const found = slots[at + 2];
      if (found === 0) break;
      if (slots[at] === parent && slots[at + 1] === key) return found - 1;
      slot = next;
    }
    const node = this.parent.push(parent);
    this.key.push(key);
    this.put(slot, parent, key, node);
    if (node * 2 > mask) this.grow();
    return node;
  }

  private put(slot: number, parent: number, key: number, node: number): void {
    const at = slot * 4;
    this.slots[at] = parent;
    this.slots[at + 1] = key;
    this.slots[at + 2] = node + 1;
  }

  private grow(): void {
    const size = this.mask + 1;
    this.slots = new Int32Array(size * 8);
    this.mask = size * 2 - 1;
    const { slots, mask } = this;
    const parents = this.parent.data;
    const keys = this.key.data;
    for (let node = 0; node < this.parent.length; node++) {
      const hash = mix(parents[node], keys[node]);
      let slot = near(parents[node], hash, mask);
      for (let next = hash & mask; slots[slot * 4 + 2] !== 0; next = (next + 1) & mask) slot = next;
      this.put(slot, parents[node], keys[node], node);
    }
  }
}

/**
 * Where a child is looked for first: beside the children of the nodes that were made before and after its parent. The
 * frames of a stack are mostly such neighbours, so walking down one stays within a few cache lines of a table of many
 * megabytes. A place taken by another is followed by the hash's own place, and from there on by the next ones.
 */
function near(parent: number, hash: number, mask: number): number {
  return (parent * 2 + (hash >>> 31)) & mask;
}

export function powerOfTwo(atLeast: number): number {
  let size = 16;
  while (size < atLeast) size *= 2;
  return size;
}

/**
 * Numbers byte slices: equal bytes get equal ids, 0 upward. The text is decoded once per distinct slice, and bytes are
 * hashed and compared four at a time, which is what makes reading folded stacks a matter of memory bandwidth.
 */
export class SliceTable {
  readonly names: string[] = [];
  private view: DataView;
  private readonly start = new IntColumn(1024); // of a name in the pool, a multiple of 4
  private readonly sizes = new IntColumn(1024);
  private readonly hashes = new IntColumn(1024);
  private pool = new Int32Array(1 << 14); // names one after the other, each filled up with zeros to whole words
  private poolUsed = 0;
  private slots = new Int32Array(4096);
  private mask = 4095;

  constructor(private bytes: Uint8Array, private readonly decode: (bytes: Uint8Array) => string) {
    this.view = viewOf(bytes);
  }

  /** From now on slices are of BYTES. */
  readFrom(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.view = viewOf(bytes);
  }

  /** Id of bytes[from, to). */
  id(from: number, to: number): number {
    const { view, pool } = this;
    const size = to - from;
    const whole = to - (size & 3);
    let hash = size;
    for (let i = from; i < whole; i += 4) {
      hash = Math.imul(hash ^ view.getInt32(i, true), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    const rest = lastBytes(view, whole, to);
    hash = Math.imul(hash ^ rest, 0x85ebca6b);
    hash ^= hash >>> 13;
    let slot = hash & this.mask;
    for (;;) {
      const found = this.slots[slot] - 1;
      if (found < 0) break;
      if (this.hashes.data[found] === hash && this.sizes.data[found] === size) {
        let at = this.start.data[found];
        let i = from;
        while (i < whole && pool[at] === view.getInt32(i, true)) {
          at++;
          i += 4;
        }
        if (i === whole && (whole === to || pool[at] === rest)) return found;
      }
      slot = (slot + 1) & this.mask;
    }
    return this.add(from, to, hash, slot);
  }

  private add(from: number, to: number, hash: number, slot: number): number {
    const words = (to - from + 3) >> 2;
    const need = this.poolUsed + words;
    if (need > this.pool.length) {
      const wider = new Int32Array(Math.max(need, this.pool.length * 2));
      wider.set(this.pool);
      this.pool = wider;
    }
    for (let w = 0; w < words; w++) {
      const at = from + w * 4;
      this.pool[this.poolUsed + w] = at + 4 <= to ? this.view.getInt32(at, true) : lastBytes(this.view, at, to);
    }
    const id = this.start.push(this.poolUsed);
    this.sizes.push(to - from);
    this.hashes.push(hash);
    this.poolUsed = need;
    this.names.push(this.decode(this.bytes.subarray(from, to)));
    this.slots[slot] = id + 1;
    if (id * 2 > this.mask) this.grow();
    return id;
  }

  private grow(): void {
    this.slots = new Int32Array((this.mask + 1) * 2);
    this.mask = this.slots.length - 1;
    for (let id = 0; id < this.hashes.length; id++) {
      let slot = this.hashes.data[id] & this.mask;
      while (this.slots[slot] !== 0) slot = (slot + 1) & this.mask;
      this.slots[slot] = id + 1;
    }
  }
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The up to three bytes of [from, to) as one little-endian number. */
function lastBytes(view: DataView, from: number, to: number): number {
  let word = 0;
  for (let i = to - 1; i >= from; i--) word = (word << 8) | view.getUint8(i);
  return word;
}
