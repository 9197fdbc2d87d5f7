// SPDX-License-Identifier: MIT
import { store } from '../state/store';

/** Puts TEXT on the clipboard and says that it did; WHAT names it in the message. */
export async function copyText(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // No clipboard API on file:// in some browsers: the old way still works from a click.
    const area = document.createElement('textarea');
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  store.say(`Copied ${what}`);
}
