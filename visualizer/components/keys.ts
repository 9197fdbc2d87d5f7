// SPDX-License-Identifier: MIT
/** Every key of the page in one table: what it does, and what the `?` sheet says. Keys typed into a field belong to it. */
import { stackOf } from './flame/frames';
import { setTheme } from './Header';
import { pickFiles } from './state/open';
import { store, type Tab } from './state/store';
import { nextTable, showTable } from './tables/Tables';
import { setMode, toggleLayer } from './Toolbar';
import { copyText } from './ui/copy';

interface Key { readonly keys: readonly string[]; readonly shown: string; readonly what: string; readonly run: (tab: Tab) => void }

function onSelected(run: (func: number, tab: Tab) => void): (tab: Tab) => void {
  return (tab) => {
    const func = tab.selection?.func ?? -1;
    if (func >= 0 && func < tab.info.funcs.real) run(func, tab);
    else store.say('Select a frame first.');
  };
}

function spikes(step: 1 | -1): (tab: Tab) => void {
  return (tab) => {
    const list = tab.info.side.events.filter((event) => event.type.includes('spike'));
    if (!list.length) return store.say('This session has no spikes.');
    const at = tab.spike ? list.indexOf(tab.spike.event) : -1;
    void store.openSpike(list[(at + step + list.length + (at < 0 && step < 0 ? 1 : 0)) % list.length]);
  };
}

export const GROUPS: readonly { readonly title: string; readonly keys: readonly Key[] }[] = [
  { title: 'Flame graph', keys: [
    { keys: ['1'], shown: '1', what: 'top-down', run: () => setMode('top-down') },
    { keys: ['2'], shown: '2', what: 'bottom-up: merged from the leaves', run: () => setMode('bottom-up') },
    { keys: ['3', 's'], shown: '3 or s', what: 'sandwich: callers and callees of the selection', run: () => setMode('sandwich') },
    { keys: ['x'], shown: 'x', what: 'flip: root at the top or the bottom', run: (tab) => store.query({ flame: !tab.query.flame }) },
    { keys: ['y'], shown: 'y', what: 'only my code', run: (tab) => store.query({ onlyMyCode: !tab.query.onlyMyCode, from: 0, to: 1 }) },
    { keys: ['+', '='], shown: '+', what: 'zoom in', run: () => store.flame?.zoomBy(0.5) },
    { keys: ['-'], shown: '-', what: 'zoom out', run: () => store.flame?.zoomBy(2) },
    { keys: ['0'], shown: '0', what: 'show everything', run: () => store.flame?.zoomTo(0, 1) },
    { keys: ['<', ','], shown: '<  >', what: 'pan', run: () => store.flame?.panBy(-0.25) },
    { keys: ['>', '.'], shown: '', what: '', run: () => store.flame?.panBy(0.25) },
  ] },
  { title: 'Selected frame', keys: [
    { keys: ['f'], shown: 'f', what: 'focus: make it the root', run: onSelected((func) => store.transform({ kind: 'focus', func })) },
    { keys: ['m'], shown: 'm', what: 'merge into its caller', run: onSelected((func) => store.transform({ kind: 'merge', func })) },
    { keys: ['d'], shown: 'd', what: 'drop samples that contain it', run: onSelected((func) => store.transform({ kind: 'drop', func })) },
    { keys: ['c'], shown: 'c', what: 'collapse what it calls', run: onSelected((func) => store.transform({ kind: 'collapse-function', func })) },
    { keys: ['C'], shown: 'C', what: 'collapse its crate', run: onSelected((func, tab) => tab.info.funcs.crate[func] >= 0 && store.transform({ kind: 'collapse-crate', crate: tab.info.funcs.crate[func] })) },
    { keys: ['M'], shown: 'M', what: 'merge its crate into the callers', run: onSelected((func, tab) => tab.info.funcs.crate[func] >= 0 && store.transform({ kind: 'merge-crate', crate: tab.info.funcs.crate[func] })) },
    { keys: ['r'], shown: 'r', what: 'collapse recursion: off, direct, all', run: ({ query }) => store.query({ recursion: query.recursion === 'off' ? 'direct' : query.recursion === 'direct' ? 'all' : 'off', from: 0, to: 1 }) },
    { keys: ['k'], shown: 'k or Ctrl C', what: 'copy its stack', run: (tab) => tab.main && tab.selection && tab.selection.node > 0 && void copyText(stackOf(tab.info, tab.main, tab.selection.node).join('\n'), 'the stack') },
  ] },
  { title: 'Search and time', keys: [
    { keys: ['/'], shown: '/', what: 'search', run: () => [...document.querySelectorAll<HTMLInputElement>('[data-search]')].find((field) => field.offsetParent)?.select() },
    { keys: ['n'], shown: 'n  N', what: 'next, previous match', run: () => store.nextMatch(1) },
    { keys: ['N'], shown: '', what: '', run: () => store.nextMatch(-1) },
    { keys: [']'], shown: ']  [', what: 'next, previous spike', run: spikes(1) },
    { keys: ['['], shown: '', what: '', run: spikes(-1) },
    { keys: ['w'], shown: 'w', what: 'whole session again', run: () => store.query({ window: null }) },
  ] },
  { title: 'Page', keys: [
    { keys: ['u'], shown: 'u  U', what: 'undo, redo (also Ctrl Z, Ctrl Shift Z)', run: () => store.undo() },
    { keys: ['U'], shown: '', what: '', run: () => store.redo() },
    { keys: ['t'], shown: 't  T', what: 'next, previous table', run: (tab) => showTable(nextTable(tab.info, tab.table, 1)) },
    { keys: ['T'], shown: '', what: '', run: (tab) => showTable(nextTable(tab.info, tab.table, -1)) },
    { keys: ['b'], shown: 'b', what: 'fold or show the tables', run: () => store.set({ tablesFolded: !store.get().tablesFolded }) },
    { keys: ['l'], shown: 'l', what: 'show or hide std frames', run: () => toggleLayer(2) },
    { keys: ['g'], shown: 'g', what: 'light or dark', run: () => setTheme(store.get().theme === 'dark' ? 'light' : 'dark') },
    { keys: ['o'], shown: 'o', what: 'open files', run: () => pickFiles() },
    { keys: ['?'], shown: '?', what: 'this sheet', run: () => store.set({ sheet: !store.get().sheet }) },
    { keys: ['Escape'], shown: 'Esc', what: 'close, then clear the selection, then the window', run: (tab) => escape(tab) },
  ] },
];

const BY_KEY = new Map(GROUPS.flatMap((group) => group.keys.flatMap((key) => key.keys.map((name) => [name, key] as const))));
const WITHOUT_SESSION = new Set(['?', 'g', 'o', 'Escape']);

function escape(tab: Tab | null): void {
  if (store.get().sheet) store.set({ sheet: false });
  else if (store.get().compare) void store.compare(null);
  else if (tab?.selection) store.select(-1);
  else if (tab?.query.mode === 'sandwich') store.query({ mode: 'top-down', from: 0, to: 1 });
  else if (tab?.query.window) store.query({ window: null });
}

export function handleKey(event: KeyboardEvent): void {
  const target = event.target as HTMLElement | null;
  if (target?.closest('input, textarea, select, [contenteditable]') && event.key !== 'Escape') return;
  const { tab } = store;
  if ((event.ctrlKey || event.metaKey) && !event.altKey) {
    if (event.key.toLowerCase() === 'z') {
      if (event.shiftKey) store.redo();
      else store.undo();
    } else if (event.key === 'y') store.redo();
    else return;
    return event.preventDefault();
  }
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const key = BY_KEY.get(event.key);
  if (!key || !tab && !WITHOUT_SESSION.has(event.key)) return;
  event.preventDefault();
  if (event.key === 'Escape') escape(tab);
  else key.run(tab!);
}
