import { expect, test } from 'vitest';
import type { Analyst } from '@/lib/worker/client';
import { Store } from './store';

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
