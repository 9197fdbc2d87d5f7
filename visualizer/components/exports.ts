// SPDX-License-Identifier: MIT
/** Files made from what is shown. They are handed over by a download link: nothing is sent anywhere. */
import type { ExportFormat } from '@/lib/model/types';
import { store } from './state/store';

const ENDINGS: Record<ExportFormat, string> = { svg: 'svg', folded: 'folded', speedscope: 'speedscope.json', csv: 'csv' };

function save(blob: Blob, ending: string): void {
  const name = (store.tab?.info.name ?? 'session').replace(/(\.json)?(\.gz)?$/, '').replace(/[^\w.-]+/g, '_');
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = `${name}.${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  store.say(`Saved ${link.download}`);
}

export async function exportView(format: ExportFormat): Promise<void> {
  const tab = store.tab;
  if (!tab || !store.analyst) return;
  try {
    const direction = tab.query.mode === 'sandwich' ? 'callees' : tab.query.mode;
    const blob = await store.analyst.ask('export', {
      request: store.request(tab, direction, null, format === 'csv'), format, title: tab.info.name, dark: store.get().theme === 'dark',
    });
    save(blob, ENDINGS[format]);
  } catch (error) {
    store.say(`Cannot export: ${(error as Error).message}`, true);
  }
}

/** The flame graph as it stands on the screen. */
export async function downloadPng(): Promise<void> {
  const canvas = document.querySelector<HTMLCanvasElement>('[data-testid="flame-main"] canvas');
  const blob = canvas && (await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve)));
  if (blob) save(blob, 'png');
  else store.say('Cannot export: the browser gave no picture.', true);
}
