// SPDX-License-Identifier: MIT
'use client';
/** The page: starts the worker, opens what came with the page or its address, and lays the panes out. */
import { useEffect, useState } from 'react';
import { Analyst } from '@/lib/worker/client';
import workerSource from '@/.generated/worker';
import { Compare } from './compare/Compare';
import { FlameGraph } from './flame/FlameGraph';
import { Insights } from './panes/Insights';
import { Selected } from './panes/Selected';
import { Tables } from './tables/Tables';
import { Timeline } from './timeline/Timeline';
import { openFromPage, openPaste } from './state/open';
import { hashOf, queryFromHash } from './state/hash';
import { store, useApp, useTab } from './state/store';
import { handleKey } from './keys';
import { pct, quantity } from './format';
import { shortName } from './names';
import { DropTarget, Welcome } from './Welcome';
import { KeySheet } from './KeySheet';
import { Header } from './Header';
import { StatusLine } from './StatusLine';
import { Toolbar } from './Toolbar';
import { Splitter } from './ui/Splitter';

declare global {
  /** Started by scripts/boot.js in the built page. */
  var rustscopeWorker: Worker | undefined;
}

function startWorker(): Worker {
  const address = URL.createObjectURL(new Blob([workerSource], { type: 'text/javascript' }));
  const worker = new Worker(address);
  URL.revokeObjectURL(address);
  return worker;
}

/** Starts the worker and what the page or its address carries, before React is up: reading and hydrating overlap. */
function boot(): void {
  const worker = globalThis.rustscopeWorker ?? startWorker();
  worker.onerror = () => store.say('The analysis stopped: the file needs more memory than the browser gives a page. Record a shorter session or a lower rate.', true);
  store.analyst = new Analyst(worker);
  void openFromPage().finally(() => store.set({ ready: true }));
}
if (typeof window !== 'undefined') boot();

export function App() {
  const [mounted, setMounted] = useState(false);
  const ready = useApp((state) => state.ready);
  const any = useApp((state) => state.tabs.length > 0);
  const comparing = useApp((state) => state.compare !== null);

  useEffect(() => {
    setMounted(true);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const theme = (): void => {
      let stored: string | null = null;
      try {
        stored = localStorage.getItem('rustscope-theme');
      } catch { /* storage is off: the system decides */ }
      store.set({ theme: stored === 'dark' || stored === 'light' ? stored : dark.matches ? 'dark' : 'light' });
    };
    theme();
    dark.addEventListener('change', theme);
    const key = (event: KeyboardEvent): void => handleKey(event);
    addEventListener('keydown', key);
    addEventListener('paste', openPaste);
    return () => {
      dark.removeEventListener('change', theme);
      removeEventListener('keydown', key);
      removeEventListener('paste', openPaste);
    };
  }, []);

  useTheme();
  useHash();
  if (!mounted || !ready && !any) return <main className="h-full bg-bg" aria-busy="true" />;
  return (
    <DropTarget>
      <div className="flex h-full flex-col">
        <Header />
        {!any ? <Welcome /> : comparing ? <Compare /> : <Session />}
      </div>
      <KeySheet />
      <Messages />
      <Loading />
    </DropTarget>
  );
}

/** Height of the row of table names, which is all that is left of folded tables. */
const TABLE_TABS = 36;

function Session() {
  const sandwich = useTab((tab) => tab.query.mode === 'sandwich' && tab.query.func >= 0);
  const pane = useApp((state) => state.pane);
  const [side, setSide] = useState(320);
  const [bottom, setBottom] = useState(() => Math.round(Math.max(140, innerHeight * 0.22)));
  const folded = useApp((state) => state.tablesFolded);
  const show = (name: typeof pane): string => (pane === name ? 'flex' : 'hidden md:flex');
  const rest = useAfterFirstPicture();
  return (
    <main className="flex min-h-0 flex-1 flex-col">
      <Timeline />
      <PaneSwitch />
      <div className="flex min-h-0 flex-1">
        <div className={`${pane === 'insights' ? 'hidden md:flex' : 'flex'} min-w-0 flex-1 flex-col`}>
          <section aria-label="Flame graph" className={`${show('flame')} min-h-0 flex-1 flex-col`}>
            <Toolbar />
            {sandwich ? (
              <>
                <FlameGraph which="callers" className="flex-1" />
                <SandwichBar />
                <FlameGraph which="main" className="flex-1" />
              </>
            ) : (
              <FlameGraph which="main" className="flex-1" />
            )}
          </section>
          <div className="hidden md:block">
            <Splitter
              label="Table height"
              axis="y"
              value={folded ? TABLE_TABS : bottom}
              onChange={(value) => {
                store.set({ tablesFolded: value < 80 });
                if (value >= 80) setBottom(Math.max(96, Math.min(innerHeight - 340, value)));
              }}
            />
          </div>
          <section aria-label="Tables" className={`${show('tables')} min-h-0 flex-col max-md:flex-1`} style={innerWidth >= 768 ? { height: folded ? TABLE_TABS : bottom } : undefined}>
            {rest && <Tables />}
          </section>
        </div>
        <div className="hidden md:block">
          <Splitter label="Side pane width" axis="x" value={side} onChange={(value) => setSide(Math.max(220, Math.min(640, value)))} />
        </div>
        <aside aria-label="Insights and selection" className={`${show('insights')} min-w-0 flex-col bg-panel max-md:flex-1`} style={innerWidth >= 768 ? { width: innerWidth < 1200 ? Math.min(side, 264) : side } : undefined}>
          {rest && <Insights />}
          {rest && <Selected />}
        </aside>
      </div>
      <StatusLine />
    </main>
  );
}

/** False until the flame graph is painted: building the other panes before would delay it. Their places are kept. */
function useAfterFirstPicture(): boolean {
  const answered = useTab((tab) => tab.main !== null || !tab.busy) ?? false;
  const [painted, setPainted] = useState(false);
  useEffect(() => {
    if (!answered) return;
    let later: ReturnType<typeof setTimeout> | undefined;
    // The graph draws in the frame that its own effect asked for before.
    const frame = requestAnimationFrame(() => (later = setTimeout(() => setPainted(true))));
    return () => {
      cancelAnimationFrame(frame);
      clearTimeout(later);
    };
  }, [answered]);
  return painted;
}

function SandwichBar() {
  const name = useTab((tab) => tab.info.funcs.names[tab.query.func] ?? '');
  const func = useTab((tab) => tab.query.func) ?? -1;
  const view = useTab((tab) => tab.main);
  return (
    <div className="flex h-7 shrink-0 items-center gap-2 border-y border-line bg-panel px-3 text-xs" data-testid="sandwich-bar">
      <button type="button" className="min-w-0 cursor-pointer truncate text-sm font-semibold" title={name ?? ''} onClick={() => store.select(func)}>{shortName(name ?? '')}</button>
      {view && <span className="shrink-0">{quantity(view.value[0], view.metric.unit)} <span className="text-muted">{pct(view.value[0] / (view.status.inWindow || 1))}</span></span>}
      <span className="min-w-0 flex-1 truncate text-right text-muted">callers above, callees below</span>
      <button type="button" className="btn btn-quiet" onClick={() => store.query({ mode: 'top-down', from: 0, to: 1 })}>Close</button>
    </div>
  );
}

/** Narrow screens show one pane at a time. */
function PaneSwitch() {
  const pane = useApp((state) => state.pane);
  return (
    <div role="group" aria-label="Pane" className="flex shrink-0 gap-1 border-b border-line bg-panel px-3 py-1 md:hidden">
      {(['flame', 'tables', 'insights'] as const).map((name) => (
        <button key={name} type="button" className="btn flex-1" aria-pressed={pane === name} onClick={() => store.set({ pane: name })}>
          {name === 'flame' ? 'Flame graph' : name === 'tables' ? 'Tables' : 'Insights'}
        </button>
      ))}
    </div>
  );
}

function Messages() {
  const messages = useApp((state) => state.messages);
  return (
    <div aria-live="polite" className="fixed right-4 bottom-10 z-50 flex w-96 max-w-[calc(100vw-2rem)] flex-col gap-2">
      {messages.map((message) => (
        <div key={message.id} data-testid="message" className={`flex items-start gap-2 rounded-md border bg-bg px-3 py-2 shadow-float ${message.bad ? 'border-bad' : 'border-line'}`}>
          <span className="min-w-0 flex-1 break-words">{message.text}</span>
          <button type="button" aria-label="Dismiss" className="cursor-pointer px-1 text-muted hover:text-fg" onClick={() => store.dismiss(message.id)}>✕</button>
        </div>
      ))}
    </div>
  );
}

const STAGES = { reading: 'Reading', unpacking: 'Unpacking', parsing: 'Parsing', merging: 'Building the call tree' } as const;

function Loading() {
  const loading = useApp((state) => state.loading);
  if (!loading) return null;
  const { names, progress } = loading;
  return (
    <div role="dialog" aria-label="Opening" aria-modal="true" className="fixed inset-0 z-50 flex items-center justify-center bg-bg/70">
      <div className="w-80 rounded-md border border-line bg-bg p-4 shadow-float" data-testid="loading">
        <div className="truncate font-medium">{names}</div>
        <div className="mt-1 text-xs text-muted">{progress ? STAGES[progress.stage] : 'Opening'}…</div>
        <div className="mt-3 h-1 overflow-hidden rounded bg-sunken">
          <div className="h-full bg-accent" style={{ width: `${Math.round((progress?.done ?? 0) * 100)}%` }} />
        </div>
        <div className="mt-3 flex justify-end">
          <button type="button" className="btn" autoFocus onClick={() => store.cancelLoad()}>Cancel</button>
        </div>
      </div>
    </div>
  );
}

function useTheme(): void {
  const theme = useApp((state) => state.theme);
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
}

/** Writes the view to the address, after things have settled; reads it when somebody edits the address. */
function useHash(): void {
  const tab = useTab((open) => open);
  useEffect(() => {
    if (!tab || !store.get().ready) return;
    const later = setTimeout(() => {
      const hash = `#${hashOf(tab)}`;
      if (hash !== (location.hash || '#')) History.prototype.replaceState.call(history, history.state, '', hash);
    }, 250);
    return () => clearTimeout(later);
  }, [tab]);
  useEffect(() => {
    const changed = (): void => {
      const open = store.tab;
      if (!open) return;
      const { search, table, ...query } = queryFromHash(location.hash, open.info);
      store.query(query);
      if (table) store.patch({ table });
      if (search) store.search(search.text, search.regexp);
    };
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
}
