import { expect, test } from 'vitest';
import type { Analyst } from '@/lib/worker/client';
import { spikeWindow, Store } from './store';

/** An analyst whose loads end when the test says so, or when their signal aborts. */
function slowAnalyst(): { analyst: Analyst; end: (() => void)[] } {
  const end: (() => void)[] = [];
  const load = (_files: unknown, { signal }: { signal: AbortSignal }): Promise<unknown> => new Promise((resolve, reject) => {
    end.push(() => resolve({ profiles: [], errors: [{ file: 'b', message: 'refused' }] }));
    signal.addEventListener('abort', () => reject(Object.assign(new Error('cancelled'), { name: 'AbortError' })));
  });
  return { analyst: { load } as unknown as Analyst, end };
}

test('a newer file ends the loading of an older one and keeps the sheet of its own', async () => {
  const store = new Store();
  const { analyst, end } = slowAnalyst();
  store.analyst = analyst;
  const older = store.load([{ name: 'a', data: new Blob() }]);
  const newer = store.loadHistory([{ name: 'b', data: new Blob() }]);
  await older;
  expect(store.get().loading?.names).toBe('b');
  expect(store.get().messages).toEqual([]); // the end of the older one is not an error
  end[1]();
  await newer;
  expect(store.get().loading).toBeNull();
  expect(store.get().messages.map((one) => one.text)).toEqual(['b: refused']);
});

test('Cancel closes the sheet at once and says nothing', async () => {
  const store = new Store();
  const { analyst } = slowAnalyst();
  store.analyst = analyst;
  const loading = store.load([{ name: 'a', data: new Blob() }]);
  store.cancelLoad();
  expect(store.get().loading).toBeNull();
  await loading;
  expect(store.get()).toMatchObject({ loading: null, messages: [] });
});

test('the window of a spike lies on the columns that grew', () => {
  const heap = Float64Array.from([0, 0, 0, 0, 11, 30, 30, 30, 2, 2, 2, 3]);
  const info = { side: { timeline: { intervalMs: 100, points: 12, lanes: new Map([['heap_mb', { label: 'heap', unit: 'MB', values: heap }]]) }, meta: { durationMs: 1200 } } } as unknown as Parameters<typeof spikeWindow>[0];
  const window = (startMs: number, endMs: number, type = 'spike'): readonly number[] => {
    const { fromMs, toMs } = spikeWindow(info, { type, startMs, endMs });
    return [fromMs, toMs];
  };
  expect(window(410, 540)).toEqual([400, 600]);
  expect(window(520, 560)).toEqual([400, 600]); // the lane rose a column earlier
  expect(window(120, 560)).toEqual([400, 600]); // level until then
  expect(window(420, 870)).toEqual([400, 600]); // and neither what stayed nor what fell after it
  expect(window(0, 50)).toEqual([0, 100]);
  expect(window(410, 540, 'cpu_spike')).toEqual([400, 600]);
  expect(window(1150, 5000, 'cpu_spike')).toEqual([1100, 1200]);
});
