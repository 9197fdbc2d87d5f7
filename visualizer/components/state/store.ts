// SPDX-License-Identifier: MIT
/**
 * What the page shows: one immutable state object, replaced on every change; React reads it through `useApp(selector)`,
 * the canvases subscribe directly. All questions to the worker are asked here, so that a pane never waits for a pane.
 *
 * A tab's `query` is everything that decides what the flame graph and the tables speak about; it is what undo, redo and
 * the URL hash keep. The rest (hover, open menus, sort orders) belongs to the panes.
 */
import { useSyncExternalStore } from 'react';
import type {
  Benchmark, CompareView, Direction, InputFile, Insight, LoadProgress, ProfileInfo, RemoteFile, SpikeCause, TimelineEvent, TimeWindow, Topology, Transform, View, ViewRequest,
} from '@/lib/model/types';
import { ALL_LAYERS } from '@/lib/model/types';
import type { Analyst } from '@/lib/worker/client';
import type { ColorBy } from '../flame/colors';
import { matchTotals, nextMatch } from '@/lib/view/search';
import { heaviestOf, matchFunctions } from './search';

export type Mode = 'top-down' | 'bottom-up' | 'sandwich';
export type TableTab = 'functions' | 'crates' | 'modules' | 'memory' | 'threads' | 'scopes' | 'benchmarks';
export type Theme = 'light' | 'dark';

export interface Query {
  readonly metric: string;
  readonly mode: Mode;
  readonly flame: boolean; // root at the bottom
  readonly func: number;   // of the sandwich, -1
  readonly window: TimeWindow | null;
  readonly threads: readonly number[] | null;
  readonly processes: readonly number[] | null;
  readonly transforms: readonly Transform[];
  readonly onlyMyCode: boolean;
  readonly layers: number;
  readonly recursion: 'off' | 'direct' | 'all';
  readonly foldRoot: boolean; // the frames before the reader's code are one
  readonly from: number;   // horizontal range, shares of the root
  readonly to: number;
}

export interface Search {
  readonly text: string;
  readonly regexp: boolean;
  readonly matched: Uint8Array | null; // by function
  readonly error: string;
  readonly hits: number;   // frames of the view that match
  readonly share: number;  // of the view's total, nothing counted twice
}

/** A view with the topology it belongs to. */
export interface Loaded extends View { readonly topology: Topology }

export interface Selection { readonly func: number; readonly node: number }

export interface Tab {
  readonly info: ProfileInfo;
  readonly query: Query;
  readonly past: readonly Query[];
  readonly future: readonly Query[];
  readonly main: Loaded | null;      // callees in a sandwich
  readonly callers: Loaded | null;   // sandwich only
  readonly selection: Selection | null;
  readonly search: Search;
  readonly insights: readonly Insight[] | null;
  readonly spike: { readonly event: TimelineEvent; readonly cause: SpikeCause | null } | null;
  readonly table: TableTab;
  readonly crateFilter: number; // Functions pane: only this crate, -1
  readonly moduleFilter: number;
  readonly busy: boolean;
  readonly brushMs: number;     // last request to answer, for the bench
}

export interface Compare {
  readonly base: number; // profile ids
  readonly next: number;
  readonly metric: string;
  readonly relative: boolean;
  readonly direction: 'top-down' | 'bottom-up';
  readonly onlyMyCode: boolean;
  readonly foldRoot: boolean;
  readonly view: (CompareView & { readonly topology: Topology }) | null;
  readonly error: string;
}

/** Benchmarks of a saved session that is not open (startTs in Unix ms): what a history needs, without its profile. */
export interface PastRun { readonly session: string; readonly startTs: number; readonly benchmarks: readonly Benchmark[] }

export interface AppState {
  readonly ready: boolean;
  readonly history: readonly PastRun[];
  readonly tabs: readonly Tab[];
  readonly active: number;
  readonly compare: Compare | null;
  readonly loading: { readonly names: string; readonly progress: LoadProgress | null } | null;
  readonly messages: readonly { readonly id: number; readonly text: string; readonly bad: boolean }[];
  readonly theme: Theme;
  readonly colorBy: ColorBy | null; // null: see colorsOf
  readonly sheet: boolean;
  readonly pane: 'flame' | 'tables' | 'insights'; // narrow screens show one
  readonly tablesFolded: boolean; // to their row of names; the flame graph has the rest
}

const NO_SEARCH: Search = { text: '', regexp: false, matched: null, error: '', hits: 0, share: 0 };
const HISTORY = 200;
/** A hand that has been still for so long has let go, or is looking. */
const SETTLED_MS = 120;

export const WHOLE = { from: 0, to: 1 } as const;

function firstQuery(info: ProfileInfo): Query {
  return {
    metric: info.opensOn, mode: 'top-down', flame: false, func: -1, window: null, threads: null, processes: null,
    transforms: [], onlyMyCode: false, layers: ALL_LAYERS, recursion: 'off', foldRoot: true, from: 0, to: 1,
  };
}

function firstTab(info: ProfileInfo, opened: Partial<Query> & { search?: unknown; table?: TableTab }): Tab {
  const { search: _search, table, ...rest } = opened;
  return {
    info, query: { ...firstQuery(info), ...rest }, past: [], future: [], main: null, callers: null, selection: null, search: NO_SEARCH, insights: null,
    spike: null, table: table ?? 'functions', crateFilter: -1, moduleFilter: -1, busy: false, brushMs: 0,
  };
}

export class Store {
  private state: AppState = {
    ready: false, history: [], tabs: [], active: 0, compare: null, loading: null, messages: [], theme: 'light', colorBy: null, sheet: false, pane: 'flame', tablesFolded: false,
  };
  private readonly listeners = new Set<() => void>();
  private nextMessage = 1;
  private cancel: AbortController | null = null;
  analyst: Analyst | null = null;
  /** Set by the flame graph: moves that it animates. */
  flame: { zoomTo(from: number, to: number): void; zoomBy(factor: number): void; panBy(share: number): void } | null = null;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  get = (): AppState => this.state;
  get tab(): Tab | null {
    return this.state.tabs[this.state.active] ?? null;
  }

  set(change: Partial<AppState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of [...this.listeners]) listener();
  }

  private setTab(profile: number, change: Partial<Tab>): void {
    this.set({ tabs: this.state.tabs.map((tab) => (tab.info.id === profile ? { ...tab, ...change } : tab)) });
  }

  patch(change: Partial<Tab>): void {
    if (this.tab) this.setTab(this.tab.info.id, change);
  }

  say(text: string, bad = false): void {
    const id = this.nextMessage++;
    this.set({ messages: [...this.state.messages.slice(-3), { id, text, bad }] });
    if (!bad) setTimeout(() => this.dismiss(id), 3500);
  }

  dismiss(id: number): void {
    this.set({ messages: this.state.messages.filter((message) => message.id !== id) });
  }

  /* ---- loading ---- */

  /** Runs READ under the loading sheet: one at a time, a newer one ends the older, Cancel ends it without a word. */
  private async reading(files: readonly (InputFile | RemoteFile)[], read: (open: (files: readonly (InputFile | RemoteFile)[]) => Promise<ProfileInfo[]>) => Promise<void>): Promise<void> {
    const { analyst } = this;
    if (!analyst || !files.length) return;
    this.cancel?.abort();
    const cancel = (this.cancel = new AbortController());
    const names = files.length === 1 ? files[0].name : `${files.length} files`;
    this.set({ loading: { names, progress: null } });
    try {
      await read(async (some) => {
        const { profiles, errors } = await analyst.load(some, {
          signal: cancel.signal,
          onProgress: (progress) => this.state.loading && this.set({ loading: { names, progress } }),
        });
        for (const error of errors) this.say(`${error.file}: ${error.message}`, true);
        return profiles;
      });
    } catch (error) {
      if ((error as Error).name !== 'AbortError') this.say((error as Error).message, true);
    } finally {
      if (this.cancel === cancel) {
        this.cancel = null;
        this.set({ loading: null });
      }
    }
  }

  /** Opens each profile of FILES as a tab; QUERY says what a tab shows at first. */
  async load(files: readonly (InputFile | RemoteFile)[], query: ((info: ProfileInfo) => Partial<Query> & { search?: { text: string; regexp: boolean }; table?: TableTab }) | null = null): Promise<void> {
    let added: Tab[] = [];
    await this.reading(files, async (open) => {
      added = (await open(files)).map((info) => firstTab(info, query?.(info) ?? {}));
      if (!added.length) return;
      const tabs = [...this.state.tabs, ...added];
      this.set({ tabs, active: tabs.length - added.length, compare: null });
    });
    for (const tab of added.slice(1)) void this.refresh(tab.info.id);
    if (!added.length) return;
    await this.refresh(added[0].info.id);
    const search = query?.(added[0].info).search;
    if (search) this.search(search.text, search.regexp);
  }

  /** Reads the benchmarks of saved sessions for the history; their profiles are closed again. A session is kept once. */
  async loadHistory(files: readonly InputFile[]): Promise<void> {
    await this.reading(files, async (open) => {
      for (const file of files) for (const { id, side } of await open([file])) {
        void this.analyst?.ask('close', { profile: id });
        const { startTs } = side.meta;
        const others = this.state.history.filter((run) => run.session !== file.name || run.startTs !== startTs);
        if (!side.benchmarks.length) this.say(`${file.name} holds no benchmarks.`, true);
        else this.set({ history: [...others, { session: file.name, startTs, benchmarks: side.benchmarks }] });
      }
    });
  }

  cancelLoad(): void {
    this.cancel?.abort();
    this.set({ loading: null });
  }

  close(index: number): void {
    const tab = this.state.tabs[index];
    if (!tab) return;
    void this.analyst?.ask('close', { profile: tab.info.id });
    const tabs = this.state.tabs.filter((_, i) => i !== index);
    const { compare } = this.state;
    const lost = compare && (compare.base === tab.info.id || compare.next === tab.info.id);
    this.set({ tabs, active: Math.max(0, Math.min(this.state.active - (index < this.state.active ? 1 : 0), tabs.length - 1)), compare: lost ? null : compare });
  }

  /* ---- the query ---- */

  /** Changes what is shown. A LIVE change (the hand still moves) is not a step of undo by itself. */
  query(change: Partial<Query>, live = false): void {
    const tab = this.tab;
    if (!tab) return;
    const query = { ...tab.query, ...change };
    const step = live ? {} : { past: [...tab.past, tab.query].slice(-HISTORY), future: [] };
    this.setTab(tab.info.id, { query, ...step });
    if (asksWorker(tab.query, query)) void this.refresh(tab.info.id, live);
  }

  /** Makes what live changes did since BEFORE one step of undo. */
  commit(before: Query): void {
    const tab = this.tab;
    if (tab && tab.query !== before) this.setTab(tab.info.id, { past: [...tab.past, before].slice(-HISTORY), future: [] });
  }

  undo(): void {
    const tab = this.tab;
    if (!tab?.past.length) return;
    const query = tab.past[tab.past.length - 1];
    this.setTab(tab.info.id, { query, past: tab.past.slice(0, -1), future: [tab.query, ...tab.future] });
    if (asksWorker(tab.query, query)) void this.refresh(tab.info.id);
  }

  redo(): void {
    const tab = this.tab;
    if (!tab?.future.length) return;
    const query = tab.future[0];
    this.setTab(tab.info.id, { query, past: [...tab.past, tab.query], future: tab.future.slice(1) });
    if (asksWorker(tab.query, query)) void this.refresh(tab.info.id);
  }

  transform(transform: Transform): void {
    const tab = this.tab;
    if (!tab) return;
    this.query({ transforms: [...tab.query.transforms, transform], ...WHOLE });
  }

  request(tab: Tab, direction: Direction, held: Loaded | null, tables: boolean): ViewRequest {
    const { query } = tab;
    return {
      profile: tab.info.id, metric: query.metric, window: query.window, threads: query.threads, processes: query.processes, transforms: query.transforms,
      direction, func: direction === 'callers' || direction === 'callees' ? query.func : null, onlyMyCode: query.onlyMyCode, layers: query.layers,
      collapseRecursion: query.recursion, foldRoot: query.foldRoot, haveTopology: held?.topology.id ?? 0, tables,
    };
  }

  private find(profile: number): Tab | null {
    return this.state.tabs.find((tab) => tab.info.id === profile) ?? null;
  }

  /** Asks for what the query needs. Only the newest question of a slot is answered. The rules wait until a LIVE change settles. */
  private async refresh(profile: number, live = false): Promise<void> {
    const tab = this.find(profile);
    if (!tab || !this.analyst || !tab.query.metric) return;
    const { query } = tab;
    const asked = performance.now();
    this.setTab(profile, { busy: true });
    try {
      const sandwich = query.mode === 'sandwich' && query.func >= 0;
      const direction: Direction = sandwich ? 'callees' : query.mode === 'bottom-up' ? 'bottom-up' : 'top-down';
      // The first picture does not wait for the tables.
      const first = tab.main === null;
      const main = this.analyst.latest(`main ${profile}`, 'view', this.request(tab, direction, tab.main, !first));
      const callers = sandwich ? this.analyst.latest(`callers ${profile}`, 'view', this.request(tab, 'callers', tab.callers, false)) : null;
      const [mainView, callersView] = await Promise.all([main, callers]);
      const now = this.find(profile);
      if (!now || !mainView || (sandwich && !callersView)) return;
      const loaded = withTopology(mainView, now.main);
      if (!loaded) return;
      this.setTab(profile, {
        main: loaded, callers: callersView ? withTopology(callersView, now.callers) : null, busy: first, brushMs: performance.now() - asked,
        search: searched(now, loaded, now.search.text, now.search.regexp),
        selection: now.selection && now.main?.topology !== loaded.topology ? { func: now.selection.func, node: heaviestOf(loaded, now.selection.func) } : now.selection,
      });
      if (first) return await this.refresh(profile);
      if (live) {
        await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
        const settled = this.find(profile);
        if (!settled || asksWorker(settled.query, query)) return;
      }
      const insights = await this.analyst.latest(`insights ${profile}`, 'insights', { profile, window: query.window });
      if (insights) this.setTab(profile, { insights });
    } catch (error) {
      this.setTab(profile, { busy: false });
      this.say((error as Error).message, true);
    }
  }

  /* ---- selection, search, spikes ---- */

  select(func: number, node = -1): void {
    const tab = this.tab;
    if (!tab) return;
    this.patch({ selection: func < 0 && node < 0 ? null : { func, node: node < 0 && tab.main ? heaviestOf(tab.main, func) : node } });
  }

  sandwich(func: number): void {
    if (func >= 0) this.query({ mode: 'sandwich', func, ...WHOLE });
  }

  search(text: string, regexp: boolean): void {
    const tab = this.tab;
    if (tab) this.patch({ search: searched(tab, tab.main, text, regexp) });
  }

  /** Selects the next (or previous) matching frame, row by row, and brings it into sight. */
  nextMatch(step: 1 | -1): void {
    const tab = this.tab;
    if (!tab?.main || !tab.search.matched) return;
    const node = nextMatch(tab.main.topology, tab.main.value, tab.search.matched, Math.max(0, tab.selection?.node ?? 0), step);
    if (node < 0) return;
    this.patch({ selection: { func: tab.main.topology.func[node], node } });
    this.reveal(node);
  }

  /** Zooms out as far as needed for NODE to be seen. */
  reveal(node: number): void {
    const tab = this.tab;
    if (!tab?.main || node < 0) return;
    const total = tab.main.value[0];
    const left = tab.main.x0[node] / total;
    const right = left + tab.main.value[node] / total;
    const { from, to } = tab.query;
    const wide = right - left >= (to - from) * 0.004;
    if (left >= from && right <= to && wide) return;
    const width = Math.max((right - left) * (wide ? 3 : 20), 1e-9);
    const middle = (left + right) / 2;
    const newFrom = Math.max(0, Math.min(middle - width / 2, 1 - width));
    this.flame?.zoomTo(newFrom, Math.min(1, newFrom + width));
  }

  async openSpike(event: TimelineEvent): Promise<void> {
    const tab = this.tab;
    if (!tab || !this.analyst) return;
    const window = spikeWindow(tab.info, event);
    this.query({ window });
    this.patch({ spike: { event, cause: null } });
    try {
      const cause = await this.analyst.ask('spikeCause', { profile: tab.info.id, window });
      if (this.find(tab.info.id)?.spike?.event === event) this.setTab(tab.info.id, { spike: { event, cause } });
    } catch (error) {
      this.say((error as Error).message, true);
    }
  }

  /* ---- compare ---- */

  async compare(change: Partial<Compare> | null): Promise<void> {
    if (!change) return this.set({ compare: null });
    const { tabs, compare: held, active } = this.state;
    if (tabs.length < 2) return this.say('Comparing needs two sessions: drop or open a second file.', true);
    const second = tabs[active === 0 ? 1 : active];
    const first = tabs[active === 0 ? 0 : active - 1];
    const compare: Compare = {
      base: first.info.id, next: second.info.id, metric: first.query.metric, relative: true, direction: 'top-down', onlyMyCode: false, foldRoot: true, view: null, error: '', ...held, ...change,
    };
    const samePair = held && held.base === compare.base && held.next === compare.next;
    this.set({ compare: { ...compare, view: samePair ? compare.view : null } });
    const base = this.find(compare.base);
    const next = this.find(compare.next);
    if (!base || !next || !this.analyst) return;
    try {
      const view = await this.analyst.latest('compare', 'compare', {
        base: { profile: base.info.id, metric: metricIn(base.info, compare.metric), window: base.query.window },
        next: { profile: next.info.id, metric: metricIn(next.info, compare.metric), window: next.query.window },
        relative: compare.relative, direction: compare.direction, onlyMyCode: compare.onlyMyCode, layers: ALL_LAYERS, collapseRecursion: 'off', foldRoot: compare.foldRoot, haveTopology: 0,
      });
      if (view?.topology && this.state.compare) this.set({ compare: { ...this.state.compare, view: { ...view, topology: view.topology }, error: '' } });
    } catch (error) {
      if (this.state.compare) this.set({ compare: { ...this.state.compare, view: null, error: (error as Error).message } });
    }
  }
}

/** A column of the timeline that rose by less than this part of the spike is not of its growth. */
const RISE = 0.1;

/**
 * The columns of the timeline in which a spike grew, whole: the brush lies on what the eye sees grow. Memory is drawn from
 * its own clock, so a rise may begin a column before the event does, and ends where the column is highest.
 */
export function spikeWindow({ side }: Pick<ProfileInfo, 'side'>, event: Pick<TimelineEvent, 'type' | 'startMs' | 'endMs'>): TimeWindow {
  const { intervalMs, points, lanes } = side.timeline;
  const step = intervalMs || 100;
  const end = intervalMs * points || side.meta.durationMs || Infinity;
  let first = Math.max(0, Math.min(Math.floor(event.startMs / step), Math.ceil(end / step) - 1));
  let last = Math.max(first + 1, Math.ceil(Math.min(event.endMs, end) / step));
  const lane = (lanes.get('heap_mb') ?? lanes.get('anon_mb'))?.values;
  if (event.type === 'spike' && lane) {
    let peak = first;
    for (let i = first; i < Math.min(last, lane.length); i++) if (lane[i] > lane[peak]) peak = i;
    last = peak + 1;
    const rise = (i: number): number => lane[i] - (i > 0 ? lane[i - 1] : 0);
    if (first > 0 && rise(first - 1) > RISE * (lane[peak] - (first > 1 ? lane[first - 2] : 0))) first--;
    while (first < peak && !(rise(first) > 0)) first++;
  }
  return { fromMs: first * step, toMs: Math.min(end, last * step) };
}

function metricIn(info: ProfileInfo, id: string): string {
  return info.metrics.some((metric) => metric.id === id) ? id : info.opensOn || id;
}

function asksWorker(before: Query, after: Query): boolean {
  return before.metric !== after.metric || before.mode !== after.mode || before.func !== after.func || before.window !== after.window
    || before.threads !== after.threads || before.processes !== after.processes || before.transforms !== after.transforms
    || before.onlyMyCode !== after.onlyMyCode || before.layers !== after.layers || before.recursion !== after.recursion || before.foldRoot !== after.foldRoot;
}

function withTopology(view: View, held: Loaded | null): Loaded | null {
  const topology = view.topology ?? (held?.topology.id === view.topologyId ? held.topology : null);
  return topology && { ...view, topology };
}

function searched(tab: Tab, view: Loaded | null, text: string, regexp: boolean): Search {
  if (!text) return NO_SEARCH;
  const { matched, error } = matchFunctions(tab.info, text, regexp);
  if (!matched || !view) return { text, regexp, matched, error, hits: 0, share: 0 };
  const { count, covered } = matchTotals(view.topology, view.value, matched);
  return { text, regexp, matched, error, hits: count, share: view.value[0] > 0 ? covered / view.value[0] : 0 };
}

export const store = new Store();
/** For the console, and for the end-to-end tests. */
(globalThis as { rustscope?: Store }).rustscope = store;

export function useApp<T>(selector: (state: AppState) => T): T {
  return useSyncExternalStore(store.subscribe, () => selector(store.get()), () => selector(store.get()));
}

/** The open tab's part; null without one. */
export function useTab<T>(selector: (tab: Tab) => T): T | null {
  return useApp((state) => {
    const tab = state.tabs[state.active];
    return tab ? selector(tab) : null;
  });
}
