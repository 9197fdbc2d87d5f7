// SPDX-License-Identifier: MIT
'use client';
import { useDeferredValue, useEffect, useRef, useState } from 'react';
import { count, pct } from './format';
import { store, useTab } from './state/store';

export function SearchBox({ wide = false }: { wide?: boolean }) {
  const search = useTab((tab) => tab.search);
  const id = useTab((tab) => tab.info.id);
  const [text, setText] = useState(search?.text ?? '');
  const box = useRef<HTMLInputElement>(null);
  const held = useRef(text);
  held.current = text;
  const said = useDeferredValue(search);
  // The state may change without this field: undo, a link, another tab.
  useEffect(() => {
    if (search && search.text !== held.current) setText(search.text);
  }, [search, id]);
  const regexp = search?.regexp ?? false;
  return (
    <div role="search" className={`relative flex items-center gap-1 ${wide ? 'w-full' : 'w-72 xl:w-96'}`}>
      <div className="relative min-w-0 flex-1">
        <input
          ref={box}
          type="text"
          spellCheck={false}
          autoComplete="off"
          data-search=""
          data-testid="search"
          aria-label="Search functions"
          aria-invalid={search?.error ? true : undefined}
          placeholder="Search functions   /"
          className={`field w-full ${text ? 'pr-32' : ''}`}
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            store.search(event.target.value, regexp);
          }}
          onKeyDown={(event) => {
            if (event.key === 'Enter') store.nextMatch(event.shiftKey ? -1 : 1);
            else if (event.key === 'Escape') {
              if (text) {
                setText('');
                store.search('', regexp);
              } else box.current?.blur();
            } else return;
            event.preventDefault();
            event.stopPropagation();
          }}
        />
        <span aria-live="polite" data-testid="matches" className={`pointer-events-none absolute top-0 right-2 flex h-7 items-center text-2xs ${search?.error ? 'text-bad' : 'text-muted'}`}>
          {said?.error || (said?.text ? `${count(said.hits)} ${said.hits === 1 ? 'match' : 'matches'}, ${pct(said.share)}` : '')}
        </span>
      </div>
      <button type="button" className="btn btn-quiet w-7 px-0 font-mono" aria-pressed={regexp} aria-label="Regular expression" title="Regular expression" onClick={() => store.search(text, !regexp)}>.*</button>
      <button type="button" className="btn btn-quiet w-7 px-0" aria-label="Previous match" title="Previous match (N)" disabled={!search?.hits} onClick={() => store.nextMatch(-1)}>↑</button>
      <button type="button" className="btn btn-quiet w-7 px-0" aria-label="Next match" title="Next match (n)" disabled={!search?.hits} onClick={() => store.nextMatch(1)}>↓</button>
    </div>
  );
}
