// SPDX-License-Identifier: MIT
import { describe, expect, test } from 'vitest';
import { random } from '../fixtures/session';
import { lines, open, refusal, request } from '../testing';

async function folded(text: string | Uint8Array): Promise<string[]> {
  const engine = await open(text);
  return lines(engine, engine.view(request({ metric: engine.profile.metrics[0].info.id })));
}

describe('folded stacks', () => {
  test('lines of equal stacks are summed', async () => {
    expect(await folded('a;b 1\na;c 2\na;b 3\n')).toEqual(['a;b 4', 'a;c 2']);
  });
  test('a stack that is the beginning of the one before ends there', async () => {
    expect(await folded('a;b;c 1\na;b 2\na;bc 4\na;b;c;d 8\na 16\n')).toEqual(['a 16', 'a;b 2', 'a;b;c 1', 'a;b;c;d 8', 'a;bc 4']);
  });
  test('CRLF, a byte-order mark, comments, blank lines and trailing spaces are no part of names', async () => {
    expect(await folded('\uFEFF# made by hand\r\na;b 1 \r\n\r\na;b 2\r\n')).toEqual(['a;b 3']);
  });
  test('names may hold spaces; the space after a separator is trimmed', async () => {
    expect(await folded('my program;operator new(unsigned long); tail 7\n')).toEqual(['my program;operator new(unsigned long);tail 7']);
  });
  test('“; ” inside brackets belongs to a Rust array type', async () => {
    expect(await folded('main;<impl Default for [T; _]>::default;x 1')).toEqual(['main;<impl Default for [T; _]>::default;x 1']);
  });
  test('names of every length and alignment are cut as a reader of single bytes cuts them', async () => {
    const next = random(11);
    const want = new Map<string, number>();
    let text = '';
    for (let l = 0; l < 4000; l++) {
      const line = Array.from({ length: 1 + Math.floor(next() * 30) }, () => ['a', 'b', ';', '; ', '[', ']', ' x'][Math.floor(next() ** 1.5 * 7)]).join('');
      text += `${line} 1\n`;
      const cut = `${line.trimEnd()} `; // what a semicolon at the end is followed by
      const frames: string[] = [''];
      let open = 0;
      for (let i = 0; i < cut.length; i++) {
        if (cut[i] === ';' && !(open > 0 && cut[i + 1] === ' ')) {
          frames.push('');
          open = 0;
          continue;
        }
        if (cut[i] === '[') open++;
        else if (cut[i] === ']' && open > 0) open--;
        frames[frames.length - 1] += cut[i];
      }
      const stack = frames.map((frame) => frame.trim()).filter((frame) => frame).join(';');
      if (stack) want.set(stack, (want.get(stack) ?? 0) + 1);
    }
    expect(await folded(text)).toEqual([...want].map(([stack, times]) => `${stack} ${times}`).sort());
  });
  test('fractions are kept', async () => {
    const engine = await open('a;b 0.5\na;b 0.25\na 1.\n');
    expect(engine.profile.metrics[0].info.total).toBe(1.75);
  });
  test('negative, missing, non-numeric and absurd counts are skipped and counted', async () => {
    const engine = await open('a;b -5\na;b\na;b x\na;b 99999999999999999999999\na;b 2\n');
    expect(engine.profile.metrics[0].info.total).toBe(2);
    expect(engine.profile.side.diagnostics.warnings).toEqual([expect.stringContaining('4 lines were skipped')]);
  });
  test('two columns throughout are a differential file', async () => {
    const engine = await open('a;b 10 20\na;c 5 0\na;d 0 7\n');
    expect(engine.profile.format).toBe('folded-diff');
    expect(engine.profile.metrics.map((m) => [m.info.id, m.info.total])).toEqual([['s0', 15], ['s1', 27]]);
  });
  test('one function whose name ends in a number does not make a differential file', async () => {
    expect(await folded('a;step 2 7\na;b 1\na;c 1\na;d 1\n')).toContain('a;step 2 7');
  });
  test('names that mean something to JavaScript are only names', async () => {
    expect(await folded('__proto__;constructor;toString 1\n</script><img onerror=x>;\u202Ea\u2028b 2\n')).toEqual(['</script><img onerror=x>;\u202Ea\u2028b 2', '__proto__;constructor;toString 1']);
    expect(({} as Record<string, unknown>).constructor).toBe(Object);
  });
  test('bytes that are not UTF-8 are shown', async () => {
    expect(await folded(Uint8Array.from([0x61, 0xff, 0xc3, 0xa9, 0x3b, 0x62, 0x20, 0x31]))).toEqual(['a\\xFFé;b 1']);
  });
  test('inlined marks are taken off the name and kept as a flag', async () => {
    const engine = await open('a;b_[i] 1\n');
    const view = engine.view(request());
    expect(lines(engine, view)).toEqual(['a;b 1']);
    expect(view.topology!.flags[2] & 1).toBe(1);
  });
  test('30,000 frames deep is a stack like any other', async () => {
    const stack = Array.from({ length: 30_000 }, (_, i) => `f${i % 100}`).join(';');
    const engine = await open(`${stack} 3\n${stack};leaf 4\n`);
    const view = engine.view(request({ tables: true }));
    expect(view.value[0]).toBe(7);
    expect(view.topology!.rowStart.length - 1).toBe(30_002);
  });
  test('what holds no samples says so', async () => {
    expect(await refusal('')).toMatch(/is empty/);
    expect(await refusal('a;b -1\n')).toMatch(/no profile|form/);
    expect(await refusal('a;b 0\n')).toMatch(/no samples/);
    expect(await refusal('hello world\nthis is prose\n')).toMatch(/not a profile that RustScope reads/);
  });
});
