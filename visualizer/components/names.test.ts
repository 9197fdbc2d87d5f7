// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { bytes, clock, count, middleEllipsis, pct, quantity } from './format';
import { NameSearch } from '@/lib/view/search';
import { hasCrates, searchedName, shortName, withoutParameters } from './names';
import { sessionLabel } from './sessionLabel';
import { shownAmount } from './StatusLine';
import { hashOf, queryFromHash } from './state/hash';
import { decimate, niceStep } from './timeline/lanes';
import { crateFill, diffFill, palette } from './flame/colors';

describe('names as drawn', () => {
  it.each([
    ['alloc::vec::Vec<T,A>::push', 'alloc::vec::Vec::push'],
    ['<alloc::vec::Vec<T> as core::iter::traits::collect::FromIterator<U>>::from_iter', 'Vec::from_iter'],
    ['my_app::parse::{{closure}}', 'my_app::parse{closure}'],
    ['my_app::parse::{closure#0}::{closure#1}', 'my_app::parse{closure}'],
    ['core::ops::function::FnOnce::call_once{{vtable.shim}}', 'core::ops::function::FnOnce::call_once{shim}'],
    ['core::ptr::drop_in_place<alloc::boxed::Box<dyn core::ops::Fn() -> i32>>', 'core::ptr::drop_in_place'],
    ['std::rt::lang_start::h0123456789abcdef', 'std::rt::lang_start'],
    ['<T as core::convert::Into<U>>::into', 'T::into'],
    ['operator<', 'operator<'],
    ['std::operator<< <std::char_traits<char>>', 'std::operator<< <std::char_traits<char>>'],
    ['malloc', 'malloc'],
    ['</script><img>', '</script><img>'],
    ['[kernel] ksys_write', '[kernel] ksys_write'],
    ['', ''],
  ])('%s', (name, short) => expect(shortName(name)).toBe(short));

  it('never gives nothing for something, and keeps to itself', () => {
    for (const name of ['<', '>', '<>', '<<>>', '{{closure}}', '::', 'a::<b', '<a as b', '->']) {
      expect(shortName(name).length).toBeGreaterThan(0);
      expect(shortName(name)).toBe(shortName(name));
    }
  });
});

describe('numbers', () => {
  it('has SI units and no invented digits', () => {
    expect(bytes(1e6)).toBe('1 MB');
    expect(bytes(999_600)).toBe('1.00 MB');
    expect(bytes(0)).toBe('0 B');
    expect(bytes(NaN)).toBe('–');
    expect(quantity(1500, 'us')).toBe('1.50 ms');
    expect(count(12345)).toBe('12,345');
    expect(pct(0.0001)).toBe('< 0.1 %');
    expect(pct(1)).toBe('100 %');
    expect(clock(7840)).toBe('7.84 s');
    expect(clock(62500, 100)).toBe('1:02.5');
    expect(clock(3_723_000, 1000)).toBe('1:02:03');
    expect(middleEllipsis('abcdefghij', 5)).toBe('a…hij');
  });
});

describe('the address', () => {
  const info = {
    metrics: [{ id: 'cpu' }, { id: 'leaked_bytes' }], crates: ['a', 'b'], modules: [{}], funcs: { count: 10 }, side: { threads: [{}, {}], processes: [{}] },
  } as unknown as Parameters<typeof queryFromHash>[1];
  const query = {
    metric: 'leaked_bytes', mode: 'bottom-up', flame: true, func: -1, window: { fromMs: 780, toMs: 970.5 }, threads: [1], processes: null,
    transforms: [{ kind: 'merge', func: 3 }, { kind: 'collapse-crate', crate: 1 }, { kind: 'preset', preset: 'tokio' }], onlyMyCode: true, layers: 0xfb, foldRoot: false, recursion: 'all', from: 1e-7, to: 0.5,
  };
  const tab = { info, query, search: { text: 'a&b=c/ü', regexp: true }, table: 'memory' } as unknown as Parameters<typeof hashOf>[0];

  it('says and reads the same', () => {
    const { search, table, ...read } = queryFromHash(`#${hashOf(tab)}`, info);
    expect(search).toEqual({ text: 'a&b=c/ü', regexp: true });
    expect(table).toBe('memory');
    const { func: _func, processes: _processes, ...said } = query;
    expect(read).toEqual(said);
  });

  it.each(['#', '#m=nope&d=sideways&w=9~1&z=0~7&t=99.x&x=merge.99,evil.1,preset.nope,collapse-crate.-1&l=zz&r=no&tab=__proto__&f=1e9', '#%', '#w=~&z=a~b'])(
    'reads nothing from %s', (hash) => expect(queryFromHash(hash, info)).toEqual({}));
});

describe('lanes', () => {
  it('keeps the highest value of a pixel and shows gaps', () => {
    const out = new Float64Array(4);
    decimate(Float64Array.from([1, 9, 2, NaN, NaN, NaN, 4, 3]), 100, 0, 800, 4, out);
    expect([...out]).toEqual([9, 2, NaN, 4]);
    decimate(Float64Array.from([5, 7]), 100, 0, 200, 4, out);
    expect([...out]).toEqual([5, 5, 7, 7]);
  });
  it('has round steps', () => expect([niceStep(14200, 12), niceStep(600000, 10)]).toEqual([2000, 60000]));
});

describe('a C++ name that does not fit', () => {
  it.each([
    ['sortit(std::vector&)', 'sortit'],
    ['ns::Index::find(int (*)(int), char) const', 'ns::Index::find'],
    ['f(int) [clone .cold]', 'f'],
    ['std::less::operator()(int, int) const', 'std::less::operator()'],
    ['Lambda::operator()', 'Lambda::operator()'],
    ['(anonymous namespace)::f', '(anonymous namespace)::f'],
    ['app::parse{closure}', 'app::parse{closure}'],
    ['<impl Fn(u8)>::call', '<impl Fn(u8)>::call'],
  ])('%s is cut to %s', (name, short) => expect(withoutParameters(name)).toBe(short));
});

describe('colours', () => {
  const luminance = (css: string): number => {
    const [r, g, b] = css.match(/\d+/g)!.map((text) => {
      const value = Number(text) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const hex = (text: string): string => text.slice(1).match(/../g)!.map((pair) => parseInt(pair, 16)).join(',');
  it.each([false, true])('text on every fill has a contrast of 4.5 (dark: %s)', (dark) => {
    const colors = palette(dark);
    const text = luminance(hex(colors.text));
    for (const { css } of colors.fills) {
      const fill = luminance(css);
      const contrast = (Math.max(text, fill) + 0.05) / (Math.min(text, fill) + 0.05);
      expect(contrast, css).toBeGreaterThan(4.5);
    }
  });
  it('a crate keeps its fill; no change is the middle of the scale', () => {
    const colors = palette(false);
    expect(crateFill(colors, 'serde')).toBe(crateFill(colors, 'serde'));
    expect(diffFill(colors, 0)).toBe(diffFill(colors, 0.001));
    expect(diffFill(colors, 1)).not.toBe(diffFill(colors, -1));
  });
});

describe('sessions of one name', () => {
  const run = (id: number, name: string, file: string, startTs: number) => ({ id, name, file, side: { meta: { startTs } } });
  const labels = (...all: ReturnType<typeof run>[]): string[] => all.map((one) => sessionLabel(one, all));
  it('are told apart by file, else by time, else by order', () => {
    expect(labels(run(1, 'app', 'a.json', 1e12), run(2, 'other', 'b.json', 1e12))).toEqual(['app', 'other']);
    expect(labels(run(1, 'app', 'a.json', 1e12), run(2, 'app', 'b.json', 1e12))).toEqual(['app · a.json', 'app · b.json']);
    expect(labels(run(1, 'app', 'a.json', 1e12), run(2, 'app', 'a.json', 1.0000001e12))).toEqual(['app · 2001-09-09 01:46:40', 'app · 2001-09-09 01:48:20']);
    expect(labels(run(1, 'app', '', NaN), run(2, 'app', '', NaN))).toEqual(['app · 1 of 2', 'app · 2 of 2']);
  });
});

describe('what a search looks at', () => {
  it.each([
    ['std::map<std::string, Rec>::emplace', 'std::map::emplace'], ['<alloc::vec::Vec<T> as core::iter::FromIterator<U>>::from_iter', '<alloc::vec::Vec as core::iter::FromIterator>::from_iter'],
    ['operator<', 'operator<'], ['alloc::vec::Vec<T,A>::push', 'alloc::vec::Vec::push'], ['main', 'main'],
  ])('%s', (name, searched) => expect(searchedName(name)).toBe(searched));
  it('is the whole name when the text has a template bracket', () => {
    const search = new NameSearch(['std::map<std::string, Rec>::emplace', 'std::string::append'], searchedName);
    const found = (text: string): number[] => [...search.find({ text, regexp: false }).mask];
    expect(found('string')).toEqual([0, 1]);
    expect(found('map<std::string')).toEqual([1, 0]);
    expect(found('string')).toEqual([0, 1]);
    expect([...search.find({ text: 'string', regexp: true }).mask]).toEqual([0, 1]);
  });
});

describe('words', () => {
  const metric = (id: string, unit: string) => ({ id, unit, label: 'Bytes allocated' }) as Parameters<typeof shownAmount>[0];
  it('amounts are said in the words of their metric', () => {
    expect([shownAmount(metric('alloc_bytes', 'bytes'), 137e6), shownAmount(metric('cpu', 'us'), 1.5e6), shownAmount(metric('s0', 'samples'), 820)]).toEqual(['137 MB allocated', '1.50 s of CPU time', '820 samples']);
  });
  it('modules are called modules where code does not come in crates', () => {
    expect(hasCrates({ crates: ['app', 'libc.so.6'], modules: [{ name: 'app' }, { name: 'libc.so.6' }] })).toBe(false);
    expect(hasCrates({ crates: ['app', 'std', 'libc.so.6'], modules: [{ name: 'app' }, { name: 'libc.so.6' }] })).toBe(true);
  });
});
