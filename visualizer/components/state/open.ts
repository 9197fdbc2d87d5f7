// SPDX-License-Identifier: MIT
/**
 * Where sessions come from: inside the page (a report file), beside it (`rustscope view`), the address (`?url=`, same
 * origin only), the clipboard, files, or the built-in sample. Bytes go to the worker as they are; formats are told by
 * content there.
 */
import { queryFromHash } from './hash';
import { store } from './store';

interface Carried { readonly name?: string; readonly gzip?: string; readonly urls?: readonly { readonly name: string; readonly url: string }[] }

/** Text as it stands in a data block of the page: {"name", "gzip": base64} or {"urls"}; an unfilled block is a comment. */
function carried(id: string): Carried | null {
  const text = document.getElementById(id)?.textContent?.trim() ?? '';
  if (!text.startsWith('{')) return null;
  try {
    return JSON.parse(text) as Carried;
  } catch {
    store.say('The session inside this page is damaged. Write the report again with `rustscope report --html`.', true);
    return null;
  }
}

function fromBase64(text: string): ArrayBuffer {
  const decoder = Uint8Array as unknown as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> };
  if (decoder.fromBase64) return decoder.fromBase64(text).buffer;
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes.buffer;
}

const fromAddress = (info: Parameters<typeof queryFromHash>[1]): ReturnType<typeof queryFromHash> => queryFromHash(location.hash, info);

export async function openFromPage(): Promise<void> {
  const inside = carried('rustscope-session');
  if (inside?.gzip) return store.load([{ name: inside.name ?? 'session.json', data: fromBase64(inside.gzip) }], fromAddress);
  if (inside?.urls) {
    return store.load(inside.urls.map(({ name, url }) => ({ name, url: new URL(url, location.href).href })), fromAddress);
  }
  const wanted = new URLSearchParams(location.search).get('url');
  if (!wanted) return;
  const url = new URL(wanted, location.href);
  if (url.origin !== location.origin || url.protocol === 'file:') return store.say('?url= loads only from the server that this page came from.', true);
  await store.load([{ name: url.pathname.split('/').pop() || 'session', url: url.href }], fromAddress);
}

export function hasSample(): boolean {
  return carried('rustscope-sample') !== null;
}

export function openSample(): void {
  const sample = carried('rustscope-sample');
  if (sample?.gzip) void store.load([{ name: sample.name ?? 'sample', data: fromBase64(sample.gzip) }]);
}

export function openFiles(files: Iterable<File>): void {
  void store.load([...files].map((file) => ({ name: file.name, data: file })));
}

export function pickFiles(take: (files: Iterable<File>) => void = openFiles): void {
  const input = document.createElement('input');
  input.type = 'file';
  input.multiple = true;
  input.hidden = true;
  input.onchange = () => {
    take(input.files ?? []);
    input.remove();
  };
  input.oncancel = () => input.remove();
  document.body.append(input); // some browsers open no picker for an input outside the page
  input.click();
}

/** Saved sessions whose benchmarks become the history of the open one. */
export function pickHistory(): void {
  pickFiles((files) => void store.loadHistory([...files].map((file) => ({ name: file.name, data: file }))));
}

export function openPaste(event: ClipboardEvent): void {
  const target = event.target as HTMLElement | null;
  if (target?.closest('input, textarea')) return;
  const { files } = event.clipboardData!;
  if (files.length) return openFiles(files);
  const text = event.clipboardData!.getData('text/plain');
  if (text.trim()) void store.load([{ name: 'pasted', data: new Blob([text]) }]);
}
