// SPDX-License-Identifier: MIT
/**
 * Calls back when ELEMENT's size in device pixels changes: its size in CSS pixels stays the same when the window moves to
 * a screen of another pixel ratio. Returns what ends it.
 */
export function observeSize(element: Element, changed: () => void): () => void {
  const observer = new ResizeObserver(changed);
  try {
    observer.observe(element, { box: 'device-pixel-content-box' });
  } catch {
    observer.observe(element); // a browser without that box
  }
  addEventListener('resize', changed); // page zoom that leaves the element's size in CSS pixels alone
  return () => {
    observer.disconnect();
    removeEventListener('resize', changed);
  };
}
