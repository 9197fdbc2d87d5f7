// SPDX-License-Identifier: MIT
'use client';
/** The tables under the flame graph; all of them speak about the window. */
import { useMemo, useState } from 'react';
import { LAYERS, type GroupTable, type ProfileInfo } from '@/lib/model/types';
import { fillsOf } from '../flame/frames';
import { colorsOf, crateFill, palette } from '../flame/colors';
import { bytes, grouped, nanos, pct, quantity } from '../format';
import { hasCrates, shortName } from '../names';
import { Benchmarks } from '../panes/Benchmarks';
import { Memory } from '../panes/Memory';
import { Scopes } from '../panes/Scopes';
import { Threads } from '../panes/Threads';
import { store, useApp, useTab, type TableTab } from '../state/store';
import { VirtualTable, type TableColumn } from './VirtualTable';

const TABS: readonly (readonly [TableTab, string])[] = [
  ['functions', 'Functions'], ['crates', 'Crates'], ['modules', 'Modules'], ['memory', 'Memory'], ['threads', 'Threads'], ['scopes', 'Scopes'], ['benchmarks', 'Benchmarks'],
];

/** The table STEP places on, around the end; without crates the modules are all there is. */
export function nextTable(info: ProfileInfo, table: TableTab, step: 1 | -1): TableTab {
  const shown = TABS.filter(([id]) => id !== 'crates' || hasCrates(info));
  return shown[(shown.findIndex(([id]) => id === table) + step + shown.length) % shown.length][0];
}

/** Naming a table shows it. */
export function showTable(table: TableTab): void {
  store.set({ tablesFolded: false });
  store.patch({ table });
}

export function Tables() {
  const table = useTab((tab) => tab.table) ?? 'functions';
  const crateFilter = useTab((tab) => tab.crateFilter) ?? -1;
  const moduleFilter = useTab((tab) => tab.moduleFilter) ?? -1;
  const info = useTab((tab) => tab.info);
  const [text, setText] = useState('');
  const folded = useApp((state) => state.tablesFolded);
  if (!info) return null;
  const named = table === 'functions' || table === 'crates' || table === 'modules';
  return (
    <>
      <div className="flex h-9 shrink-0 items-center gap-1 border-b border-line bg-panel px-3">
        <div role="tablist" aria-label="Tables" className="flex h-full min-w-0 overflow-x-auto">
          {TABS.map(([id, label]) => (
            id === 'crates' && !hasCrates(info) ? null : <button key={id} type="button" role="tab" id={`tab-${id}`} aria-selected={table === id} aria-controls="table-panel" tabIndex={table === id ? 0 : -1} data-testid={`tab-${id}`} className={`-mb-px cursor-pointer border-b-2 px-2 text-xs ${table === id ? 'border-accent font-medium text-fg' : 'border-transparent text-muted hover:text-fg'}`} onClick={() => showTable(id)}
              onKeyDown={(event) => {
                const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
                if (!step) return;
                const next = nextTable(info, table, step);
                showTable(next);
                document.getElementById(`tab-${next}`)?.focus();
              }}
            >
              {label}
            </button>
          ))}
        </div>
        <span className="flex-1" />
        {(table === 'functions' || table === 'modules') && crateFilter >= 0 && <Crumb label={info.crates[crateFilter]} onRemove={() => store.patch({ crateFilter: -1 })} />}
        {table === 'functions' && moduleFilter >= 0 && <Crumb label={info.modules[moduleFilter]?.name ?? ''} onRemove={() => store.patch({ moduleFilter: -1 })} />}
        {named && !folded && <input type="text" aria-label="Filter the table" placeholder="Filter" className="field h-6 w-40 max-sm:w-20" spellCheck={false} value={text} data-testid="filter" onChange={(event) => setText(event.target.value)} />}
        <button type="button" className="btn btn-quiet w-7 px-0 max-md:hidden" data-testid="fold-tables" aria-expanded={!folded} aria-controls="table-panel" aria-label={folded ? 'Show the tables' : 'Fold the tables'} title={folded ? 'Show the tables (b)' : 'Fold the tables: the flame graph gets their height (b)'} onClick={() => store.set({ tablesFolded: !folded })}>{folded ? '▴' : '▾'}</button>
      </div>
      <div id="table-panel" role="tabpanel" aria-labelledby={`tab-${table}`} className="flex min-h-0 flex-1 flex-col">
        {table === 'functions' && <Functions filterText={text} />}
        {table === 'crates' && <Groups which="crates" filterText={text} />}
        {table === 'modules' && <Groups which="modules" filterText={text} />}
        {table === 'memory' && <Memory />}
        {table === 'threads' && <Threads />}
        {table === 'scopes' && <Scopes />}
        {table === 'benchmarks' && <Benchmarks />}
      </div>
    </>
  );
}

function Crumb({ label, onRemove }: { label: string; onRemove: () => void }) {
  return (
    <span className="chip">
      <span className="truncate">in {label}</span>
      <button type="button" aria-label={`Remove filter ${label}`} className="cursor-pointer px-1.5" onClick={onRemove}>✕</button>
    </span>
  );
}

/** A path that is cut at its left: the file and the line are what a person looks for. */
function Place({ text }: { text: string }) {
  return <span className="block truncate text-left font-mono text-2xs text-muted [direction:rtl]" title={text}><bdi dir="ltr">{text}</bdi></span>;
}

/** A share with a bar behind it; the bar's length is what the eye compares. */
export function Share({ share, text }: { share: number; text: string }) {
  return (
    <span className="relative flex h-5 items-center justify-end gap-2">
      <span aria-hidden="true" data-testid="share-bar" className="absolute inset-y-0.5 left-0 rounded-sm bg-bar" style={{ width: `${Math.max(0, Math.min(100, share * 100))}%` }} />
      <span className="relative whitespace-nowrap">{text}</span>
      <span className="relative w-12 shrink-0 text-right text-muted max-sm:hidden">{pct(share)}</span>
    </span>
  );
}

/** A share in per cent beside a value, with the gaps; phones have no room for it. */
const SHARE_REM = 4.25;

/** Room for the widest value of a column: digits are never cut off. */
function valueWidth(values: Float64Array, unit: Parameters<typeof quantity>[1]): Pick<TableColumn, 'width' | 'wide'> {
  let longest = 0;
  for (const value of values) longest = Math.max(longest, quantity(value, unit).length);
  const digits = Math.max(4, Math.ceil(longest * 0.44 + 0.75));
  return { width: `clamp(${digits}rem, 60vw - 12rem, ${digits + SHARE_REM}rem)`, wide: digits + SHARE_REM };
}

/** TOTAL is what 100 % is. A part of a group has no total of its own: what it calls may call it again from another part. */
function valueColumns(table: GroupTable, unit: Parameters<typeof quantity>[1], total: number): TableColumn[] {
  const self: TableColumn = { id: 'self', label: 'Self', title: 'in the function itself', number: (row) => table.self[row], cell: (row) => <Share share={table.self[row] / total} text={quantity(table.self[row], unit)} />, ...valueWidth(table.self, unit) };
  if (!table.total.length) return [self];
  const columns: TableColumn[] = [
    self,
    { id: 'total', label: 'Total', title: 'with everything it calls', number: (row) => table.total[row], cell: (row) => <Share share={table.total[row] / total} text={quantity(table.total[row], unit)} />, ...valueWidth(table.total, unit) },
  ];
  if (table.bytes.length && unit !== 'bytes') columns.push({ id: 'bytes', label: 'Allocated', title: 'bytes allocated below it', number: (row) => table.bytes[row], cell: (row) => (table.bytes[row] > 0 ? bytes(table.bytes[row]) : ''), width: '6rem', drop: 3 });
  return columns;
}

function Functions({ filterText }: { filterText: string }) {
  const info = useTab((tab) => tab.info)!;
  const view = useTab((tab) => tab.main);
  const selection = useTab((tab) => tab.selection);
  const crateFilter = useTab((tab) => tab.crateFilter) ?? -1;
  const moduleFilter = useTab((tab) => tab.moduleFilter) ?? -1;
  const matched = useTab((tab) => tab.search.matched);
  const theme = useApp((state) => state.theme);
  const chosen = useApp((state) => state.colorBy);
  const table = view?.tables?.functions;
  const sandwich = useTab((tab) => tab.query.mode === 'sandwich');
  const { funcs } = info;
  const fills = useMemo(() => fillsOf(info, palette(theme === 'dark'), colorsOf(info.funcs, chosen === 'heat' ? null : chosen)), [info, theme, chosen]);
  const stats = useMemo(() => new Map(info.side.functions.map((one) => [one.func, one])), [info]);
  const columns = useMemo<TableColumn[]>(() => {
    if (!table || !view) return [];
    const colors = palette(theme === 'dark');
    const funcOf = (row: number): number => table.key[row];
    const where = (func: number): string => (funcs.file[func] >= 0 ? `${info.files[funcs.file[func]]}${funcs.line[func] > 0 ? `:${funcs.line[func]}` : ''}` : '');
    const list: TableColumn[] = [
      {
        id: 'name', label: 'Function', text: (row) => shortName(funcs.names[funcOf(row)]), width: 'minmax(12rem, 3fr)',
        cell: (row) => (
          <span className="flex items-center gap-2" title={funcs.names[funcOf(row)]}>
            <span aria-hidden="true" className="size-2.5 shrink-0 rounded-sm" style={{ background: colors.fills[Math.max(0, fills[funcOf(row)])].css }} />
            <span className="truncate">{shortName(funcs.names[funcOf(row)])}</span>
          </span>
        ),
      },
      ...valueColumns(table, view.metric.unit, Math.max(view.value[0], sandwich ? view.status.inWindow : 0)),
    ];
    if (info.side.functions.some((one) => one.calls > 0)) {
      list.push({ id: 'calls', label: 'Calls', title: 'whole session', number: (row) => stats.get(funcOf(row))?.calls ?? NaN, cell: (row) => (stats.has(funcOf(row)) ? grouped(stats.get(funcOf(row))!.calls) : ''), width: '5rem' });
      list.push({ id: 'avg', label: 'Mean', drop: 4, title: 'whole session', number: (row) => stats.get(funcOf(row))?.avgNs ?? NaN, cell: (row) => (stats.get(funcOf(row))?.avgNs ? nanos(stats.get(funcOf(row))!.avgNs) : ''), width: '5rem' });
    }
    list.push(
      { id: 'crate', label: hasCrates(info) ? 'Crate' : 'Module', text: (row) => (funcs.crate[funcOf(row)] >= 0 ? info.crates[funcs.crate[funcOf(row)]] : ''), cell: (row) => <span className="text-muted">{funcs.crate[funcOf(row)] >= 0 ? info.crates[funcs.crate[funcOf(row)]] : LAYERS[funcs.layer[funcOf(row)]] === 'unknown' ? '' : LAYERS[funcs.layer[funcOf(row)]]}</span>, width: 'minmax(6rem, 1fr)', drop: 2 },
      { id: 'file', label: 'Where', text: (row) => where(funcOf(row)), cell: (row) => <Place text={where(funcOf(row))} />, width: 'minmax(8rem, 1.5fr)', drop: 1 },
    );
    return list;
  }, [table, view, funcs, info, fills, theme, stats, sandwich]);
  const filter = useMemo(() => {
    const wanted = filterText.toLowerCase();
    if (!table || (!wanted && crateFilter < 0 && moduleFilter < 0 && !matched)) return undefined;
    return (row: number): boolean => {
      const func = table.key[row];
      return (crateFilter < 0 || funcs.crate[func] === crateFilter) && (moduleFilter < 0 || funcs.module[func] === moduleFilter) && (!matched || matched[func] === 1) && (!wanted || funcs.names[func].toLowerCase().includes(wanted));
    };
  }, [table, filterText, crateFilter, moduleFilter, matched, funcs]);
  if (!table) return <p className="p-3 text-muted">…</p>;
  return (
    <VirtualTable
      label="Functions"
      rows={table.count}
      columns={columns}
      sortBy="self"
      filter={filter}
      selected={selection ? table.key.indexOf(selection.func) : -1}
      onSelect={(row) => store.select(table.key[row])}
      onOpen={(row) => store.sandwich(table.key[row])}
      empty={filter ? 'No function matches the filters.' : 'No functions in this window. Widen it, or choose another metric.'}
    />
  );
}

function groupName(info: ProfileInfo, which: 'crates' | 'modules', key: number): string {
  return key < 0 ? '[unknown]' : which === 'crates' ? info.crates[key] : info.modules[key]?.name ?? '[unknown]';
}

/** The modules that have functions of CRATE, with what those functions do themselves. */
function modulesOf(functions: GroupTable, info: ProfileInfo, crate: number): GroupTable {
  const self = new Map<number, number>();
  for (let row = 0; row < functions.count; row++) {
    const func = functions.key[row];
    if (func >= 0 && info.funcs.crate[func] === crate) self.set(info.funcs.module[func], (self.get(info.funcs.module[func]) ?? 0) + functions.self[row]);
  }
  return { count: self.size, key: Int32Array.from(self.keys()), self: Float64Array.from(self.values()), total: new Float64Array(0), bytes: new Float64Array(0) };
}

function Groups({ which, filterText }: { which: 'crates' | 'modules'; filterText: string }) {
  const info = useTab((tab) => tab.info)!;
  const view = useTab((tab) => tab.main);
  const theme = useApp((state) => state.theme);
  const [selected, setSelected] = useState(-1);
  const crateFilter = useTab((tab) => tab.crateFilter) ?? -1;
  const all = view?.tables;
  const table = useMemo(() => (all && which === 'modules' && crateFilter >= 0 ? modulesOf(all.functions, info, crateFilter) : all?.[which]), [all, which, info, crateFilter]);
  const sandwich = useTab((tab) => tab.query.mode === 'sandwich');
  const columns = useMemo<TableColumn[]>(() => {
    if (!table || !view) return [];
    const colors = palette(theme === 'dark');
    const list: TableColumn[] = [
      {
        id: 'name', label: which === 'crates' ? (hasCrates(info) ? 'Crate or library' : 'Module') : 'Module', text: (row) => groupName(info, which, table.key[row]), width: 'minmax(12rem, 2fr)',
        cell: (row) => (
          <span className="flex items-center gap-2">
            {which === 'crates' && <span aria-hidden="true" className="size-2.5 shrink-0 rounded-sm" style={{ background: colors.fills[crateFill(colors, groupName(info, which, table.key[row]))].css }} />}
            <span className="truncate">{groupName(info, which, table.key[row])}</span>
          </span>
        ),
      },
      ...valueColumns(table, view.metric.unit, Math.max(view.value[0], sandwich ? view.status.inWindow : 0)),
    ];
    if (which === 'modules') {
      list.push(
        { id: 'symbols', label: 'Symbols', text: (row) => info.modules[table.key[row]]?.symbols ?? '', cell: (row) => <span className="text-muted">{info.modules[table.key[row]]?.symbols ?? ''}</span>, width: '6rem' },
        { id: 'path', label: 'Path', text: (row) => info.modules[table.key[row]]?.path ?? '', cell: (row) => <span className="font-mono text-2xs text-muted">{info.modules[table.key[row]]?.path ?? ''}</span>, width: 'minmax(8rem, 2fr)' },
      );
    }
    return list;
  }, [table, view, info, which, theme, sandwich]);
  const filter = useMemo(() => {
    const wanted = filterText.toLowerCase();
    return table && wanted ? (row: number): boolean => groupName(info, which, table.key[row]).toLowerCase().includes(wanted) : undefined;
  }, [table, filterText, info, which]);
  if (!table || !all) return <p className="p-3 text-muted">…</p>;
  // Session → crate → module → function: opening a row narrows the next table to it; a crate in one module skips that step.
  const open = (row: number): void => {
    const key = table.key[row];
    if (which === 'modules') store.patch({ table: 'functions', moduleFilter: key });
    else store.patch({ table: key >= 0 && modulesOf(all.functions, info, key).count > 1 ? 'modules' : 'functions', crateFilter: key, moduleFilter: -1 });
  };
  return <VirtualTable label={which === 'crates' ? 'Crates' : 'Modules'} rows={table.count} columns={columns} sortBy="self" filter={filter} selected={selected} onSelect={(row) => (row === selected ? open(row) : setSelected(row))} onOpen={open} empty="Nothing in this window." />;
}
