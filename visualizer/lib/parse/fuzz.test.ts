// SPDX-License-Identifier: MIT
/** Damaged inputs of every format: an answer or a sentence, soon, and never another kind of error. */
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { smallPprof } from '../fixtures/pprof';
import { randomSession } from '../fixtures/profiles';
import { random } from '../fixtures/session';
import { gatherFacts } from '../insights/facts';
import { runRules } from '../insights/rules';
import { request, withDifferences } from '../testing';
import { Engine } from '../view/engine';
import { InputError, Work } from './input';
import { openProfile } from './open';

const text = (value: unknown): Uint8Array => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));

const OWN: Record<string, Uint8Array> = {
  session: text(randomSession(4, 40).json()),
  report: text(withDifferences(JSON.stringify(randomSession(4, 40).json()))),
  folded: text('main;a;b 10\nmain;[T; 4];c 2.5\n# x\nmain 7\r\n'),
  differential: text('main;a 1 2\nmain;b 3 4\n'),
  pprof: smallPprof(),
  gzip: new Uint8Array(gzipSync(smallPprof())),
  speedscope: text({ $schema: 'https://www.speedscope.app/file-format-schema.json', shared: { frames: [{ name: 'a' }, { name: 'b' }] }, profiles: [{ type: 'sampled', unit: 'ms', samples: [[0, 1], [0]], weights: [1, 2] }, { type: 'evented', unit: 'ms', startValue: 0, endValue: 9, events: [{ type: 'O', frame: 0, at: 1 }, { type: 'C', frame: 0, at: 3 }] }] }),
  chrome: text({ traceEvents: [{ ph: 'X', name: 'a', ts: 1, dur: 5, pid: 1, tid: 1 }, { ph: 'B', name: 'b', ts: 2, pid: 1, tid: 1 }, { ph: 'E', ts: 3, pid: 1, tid: 1 }] }),
  firefox: text({ meta: { interval: 1 }, libs: [], threads: [{ name: 't', pid: 1, tid: 2, samples: { stack: [0, 1], time: [1, 2] }, stackTable: { prefix: [null, 0], frame: [0, 1] }, frameTable: { func: [0, 0] }, funcTable: { name: [0], resource: [-1] }, resourceTable: { lib: [] }, stringArray: ['f'] }] }),
  perf: text('prog 1/2 [000] 1.000000: 1 cycles:u: \n\tabcd f+0x1 (/bin/x)\n\tabce g (inlined)\n\nprog 1/2 [000] 1.100000: 1 cycles:u: \n\tabcd f+0x1 (/bin/x)\n\n'),
};

const SEEDS: Record<string, Uint8Array> = { ...OWN };
/** And every small file of the corpus: all dialects that the readers know. */
const CORPUS = new URL('../../../tests/formats/', import.meta.url);
for (const name of readdirSync(CORPUS)) if (!/\.expect\.json$|^README/.test(name)) SEEDS[name] = new Uint8Array(readFileSync(new URL(name, CORPUS)));
const ROUNDS = (name: string): number => (name in OWN ? 250 : 60);

/** One to four edits: bytes flipped, cut, doubled, or a piece of the format put where it does not belong. */
function damage(seed: Uint8Array, next: () => number): Uint8Array {
  let bytes = Array.from(seed);
  const at = (): number => Math.floor(next() * bytes.length);
  const pieces = ['-1', '1e400', '999999999999', 'null', '[', ']', '{', '}', '"', ',', ':', '\\u', '\u0000', '0', '-', ';', '\n', '[[[[[[', '[+', '+', '__proto__'];
  for (let edits = 1 + Math.floor(next() * 4); edits > 0 && bytes.length > 0; edits--) {
    const kind = Math.floor(next() * 5);
    if (kind === 0) bytes[at()] = Math.floor(next() * 256);
    else if (kind === 1) bytes = bytes.slice(0, at());
    else if (kind === 2) bytes.splice(at(), 1 + Math.floor(next() * 8));
    else if (kind === 3) bytes.splice(at(), 0, ...bytes.slice(at(), at() + 20));
    else bytes.splice(at(), Math.floor(next() * 3), ...text(pieces[Math.floor(next() * pieces.length)]));
  }
  return Uint8Array.from(bytes);
}

describe('damaged inputs', () => {
  test.each(Object.keys(SEEDS))('%s', async (name) => {
    const next = random(name.length * 7919);
    let refused = 0;
    for (let round = 0; round < ROUNDS(name); round++) {
      const bytes = damage(SEEDS[name], next);
      const started = Date.now();
      try {
        const { profile, sizeBytes } = await openProfile({ name, data: bytes.buffer as ArrayBuffer }, new Work({ maxBytes: 10e6, maxNodes: 1e6 }));
        const engine = new Engine(1, profile, sizeBytes);
        for (const { id } of engine.info().metrics) for (const direction of ['top-down', 'bottom-up'] as const) {
          const view = engine.view(request({ metric: id, direction, tables: true, window: { fromMs: 0, toMs: 500 } }));
          expect(Number.isFinite(view.value[0])).toBe(true);
        }
        runRules(gatherFacts(engine, null));
      } catch (error) {
        if (!(error instanceof InputError)) throw new Error(`round ${round}: ${(error as Error).stack} on ${JSON.stringify(new TextDecoder().decode(bytes)).slice(0, 2000)}`);
        expect(error.message).toMatch(/^[A-Z“].*[.;].*|.*\.$/);
        expect(error.message.length).toBeLessThan(400);
        refused++;
      }
      expect(Date.now() - started).toBeLessThan(2000);
    }
    if (name in OWN) expect(refused).toBeGreaterThan(0);
  });
});
