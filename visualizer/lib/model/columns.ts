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
    let slot = mix(parent, key) & mask;
    for (;;) {
      const at = slot * 4;
      const found = slots[at + 2];
      if (found === 0) break;
      if (slots[at] === parent && slots[at + 1] === key) return found - 1;
      slot = (slot + 1) & mask;
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
    const old = this.slots;
    this.slots = new Int32Array(old.length * 2);
    this.mask = old.length / 2 - 1;
    for (let at = 0; at < old.length; at += 4) {
      if (old[at + 2] === 0) continue;
      let slot = mix(old[at], old[at + 1]) & this.mask;
      while (this.slots[slot * 4 + 2] !== 0) slot = (slot + 1) & this.mask;
      this.put(slot, old[at], old[at + 1], old[at + 2] - 1);
    }
  }
}

export function powerOfTwo(atLeast: number): number {
  let size = 16;
  while (size < atLeast) size *= 2;
  return size;
}

/**
 * Numbers byte slices: equal bytes get equal ids, 0 upward. The text is decoded once per distinct slice, which
 * is what makes reading folded stacks a matter of memory bandwidth.
 */
export class SliceTable {
  readonly names: string[] = [];
  private readonly start = new IntColumn(1024);
  private readonly end = new IntColumn(1024);
  private readonly hashes = new IntColumn(1024);
  private pool = new Uint8Array(1 << 16);
  private poolUsed = 0;
  private slots = new Int32Array(4096);
  private mask = 4095;

  constructor(private readonly decode: (bytes: Uint8Array) => string) {}

  /** Id of bytes[from, to) whose hash (any, but always the same for the same bytes) is `hash`. */
  id(bytes: Uint8Array, from: number, to: number, hash: number): number {
    const length = to - from;
    let slot = (hash ^ (hash >>> 15)) & this.mask;
    for (;;) {
      const found = this.slots[slot] - 1;
      if (found < 0) break;
      if (this.hashes.data[found] === hash && this.end.data[found] - this.start.data[found] === length) {
        const at = this.start.data[found];
        const pool = this.pool;
        let i = 0;
        while (i < length && pool[at + i] === bytes[from + i]) i++;
        if (i === length) return found;
      }
      slot = (slot + 1) & this.mask;
    }
    return this.add(bytes.subarray(from, to), hash, slot);
  }

  private add(slice: Uint8Array, hash: number, slot: number): number {
    const need = this.poolUsed + slice.length;
    if (need > this.pool.length) {
      const wider = new Uint8Array(Math.max(need, this.pool.length * 2));
      wider.set(this.pool);
      this.pool = wider;
    }
    this.pool.set(slice, this.poolUsed);
    const id = this.start.push(this.poolUsed);
    this.end.push(need);
    this.hashes.push(hash);
    this.poolUsed = need;
    this.names.push(this.decode(slice));
    this.slots[slot] = id + 1;
    if (id * 2 > this.mask) this.grow();
    return id;
  }

  private grow(): void {
    this.slots = new Int32Array((this.mask + 1) * 2);
    this.mask = this.slots.length - 1;
    for (let id = 0; id < this.hashes.length; id++) {
      const hash = this.hashes.data[id];
      let slot = (hash ^ (hash >>> 15)) & this.mask;
      while (this.slots[slot] !== 0) slot = (slot + 1) & this.mask;
      this.slots[slot] = id + 1;
    }
  }
}
