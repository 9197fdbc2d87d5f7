// SPDX-License-Identifier: MIT
'use client';
import { useEffect, useRef } from 'react';
import { GROUPS } from './keys';
import { store, useApp } from './state/store';

const IN_PLACE: readonly (readonly [string, string])[] = [
  ['arrows', 'move between frames'], ['Enter', 'zoom to the frame'], ['double click', 'zoom to the frame'], ['Ctrl wheel', 'zoom at the pointer'],
  ['wheel', 'scroll; sideways pans'], ['right click', 'everything that can be done with a frame'], ['drag', 'choose a window on the timeline'],
];

export function KeySheet() {
  const open = useApp((state) => state.sheet);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} aria-labelledby="keys-title" className="m-auto max-h-[90vh] w-[min(56rem,92vw)] overflow-auto rounded-lg border border-line bg-bg p-6 text-fg shadow-float backdrop:bg-black/40" onClose={() => store.set({ sheet: false })} onClick={(event) => event.target === dialog.current && store.set({ sheet: false })}>
      <div className="flex items-center">
        <h2 id="keys-title" className="flex-1 text-base font-semibold">Keys</h2>
        <button type="button" className="btn" onClick={() => store.set({ sheet: false })}>Close</button>
      </div>
      <div className="mt-4 grid gap-x-8 gap-y-6 sm:grid-cols-2">
        {GROUPS.map((group) => (
          <section key={group.title}>
            <h3 className="eyebrow">{group.title}</h3>
            <dl className="mt-2 grid grid-cols-[6.5rem_1fr] gap-y-1 text-xs">
              {group.keys.filter((key) => key.what).map((key) => <Row key={key.what} keys={key.shown} what={key.what} />)}
            </dl>
          </section>
        ))}
        <section>
          <h3 className="eyebrow">With the pointer, or in the graph</h3>
          <dl className="mt-2 grid grid-cols-[6.5rem_1fr] gap-y-1 text-xs">
            {IN_PLACE.map(([keys, what]) => <Row key={keys} keys={keys} what={what} />)}
          </dl>
        </section>
      </div>
    </dialog>
  );
}

function Row({ keys, what }: { keys: string; what: string }) {
  return (
    <>
      <dt className="flex flex-wrap gap-1">{keys.split('  ').map((one) => <kbd key={one} className="kbd">{one}</kbd>)}</dt>
      <dd className="text-muted">{what}</dd>
    </>
  );
}
