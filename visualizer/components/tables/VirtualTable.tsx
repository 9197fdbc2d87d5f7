// SPDX-License-Identifier: MIT
'use client';
/**
 * A table of any length: only the rows in sight are elements. Sorting is an index array over the caller's columns; the
 * header sorts, arrows move, Enter opens.
 */
import { useEffect, useMemo, useRef, useState } from 'react';

export interface TableColumn {
  readonly id: string;
  readonly label: string;
  readonly title?: string;
  /** Number columns are right-aligned and sort from high to low first. */
  readonly number?: (row: number) => number;
  readonly text?: (row: number) => string;
  readonly cell: (row: number) => React.ReactNode;
  readonly width: string; // of a CSS grid, its least size in rem first
  /** Its least size in rem where the page is not a phone's, when that is another one. */
  readonly wide?: number;
  /** Where the table is too narrow, the columns with the highest number go first; those without one stay. */
  readonly drop?: number;
}

const ROW = 24;

const PX_PER_REM = 16;

/** Least width of COLUMNS in rem, with the table's margins, in a table of WIDTH pixels. */
function leastRem(columns: readonly TableColumn[], width: number): number {
  return columns.reduce((sum, one) => sum + ((width >= 640 && one.wide) || Number(/[\d.]+/.exec(one.width)?.[0] ?? 0)), 1.5);
}

/** The columns that fit WIDTH pixels: a whole column less is better than half of one. */
export function fitting(columns: readonly TableColumn[], width: number): readonly TableColumn[] {
  let kept = columns;
  while (width > 0 && leastRem(kept, width) * PX_PER_REM > width) {
    const last = kept.reduce<TableColumn | null>((most, one) => ((one.drop ?? 0) > (most?.drop ?? 0) ? one : most), null);
    if (!last) break;
    kept = kept.filter((one) => one !== last);
  }
  return kept;
}

export function VirtualTable({ label, rows, columns: all, sortBy, selected = -1, onSelect, onOpen, empty, filter }: {
  label: string; rows: number; columns: readonly TableColumn[]; sortBy: string; selected?: number; onSelect?: (row: number) => void; onOpen?: (row: number) => void; empty: React.ReactNode; filter?: (row: number) => boolean;
}) {
  const [sort, setSort] = useState({ id: sortBy, up: false });
  const [view, setView] = useState({ top: 0, height: 400, width: 0 });
  const scroller = useRef<HTMLDivElement>(null);
  const columns = useMemo(() => fitting(all, view.width), [all, view.width]);
  const column = columns.find((one) => one.id === sort.id) ?? columns.find((one) => one.id === sortBy) ?? columns[0];

  const order = useMemo(() => {
    const kept: number[] = [];
    for (let i = 0; i < rows; i++) if (!filter || filter(i)) kept.push(i);
    const sign = sort.up ? 1 : -1;
    const { number, text } = column;
    if (number) kept.sort((a, b) => sign * (rank(number(a)) - rank(number(b))) || a - b);
    else if (text) kept.sort((a, b) => -sign * (text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0) || a - b);
    return kept;
  }, [rows, column, sort.up, filter]);

  useEffect(() => {
    const box = scroller.current!;
    const observer = new ResizeObserver(() => setView((held) => ({ ...held, height: box.clientHeight, width: box.clientWidth })));
    observer.observe(box);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const at = selected >= 0 ? order.indexOf(selected) : -1;
    const box = scroller.current!;
    if (at < 0) return;
    if (at * ROW < box.scrollTop) box.scrollTop = at * ROW;
    else if ((at + 2) * ROW > box.scrollTop + box.clientHeight) box.scrollTop = (at + 2) * ROW - box.clientHeight;
  }, [selected, order]);

  const first = Math.max(0, Math.floor(view.top / ROW) - 4);
  const last = Math.min(order.length, Math.ceil((view.top + view.height) / ROW) + 4);
  const grid = { gridTemplateColumns: columns.map((one) => one.width).join(' ') };
  // Header and rows are separate grids: the same least width keeps their columns in line when the table scrolls sideways.
  const least = { minWidth: `${leastRem(columns, view.width)}rem` };

  const key = (event: React.KeyboardEvent): void => {
    const at = selected >= 0 ? order.indexOf(selected) : -1;
    const page = Math.max(1, Math.floor(view.height / ROW) - 2);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: order.length - 1 }[event.key];
    if (to !== undefined && order.length) onSelect?.(order[Math.max(0, Math.min(order.length - 1, to))]);
    else if (event.key === 'Enter' && at >= 0) (onOpen ?? onSelect)?.(selected);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div ref={scroller} role="grid" tabIndex={0} aria-label={label} aria-rowcount={order.length + 1} data-testid={`table-${label}`} className="min-h-0 flex-1 overflow-auto text-xs" onScroll={(event) => setView({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight, width: event.currentTarget.clientWidth })} onKeyDown={key}>
      <div role="row" aria-rowindex={1} className="sticky top-0 z-10 grid h-6 items-center border-b border-line bg-panel px-3 text-2xs text-muted" style={{ ...grid, ...least }}>
        {columns.map((one) => (
          <div key={one.id} role="columnheader" aria-sort={one === column ? (sort.up ? 'ascending' : 'descending') : 'none'} className={`min-w-0 truncate pr-3 last:pr-0 ${one.number ? 'text-right' : ''}`} title={one.title}>
            <button type="button" className={`cursor-pointer truncate hover:text-fg ${one === column ? 'font-semibold text-fg' : ''}`} onClick={() => setSort({ id: one.id, up: one === column ? !sort.up : false })}>
              {one.label}{one === column ? (sort.up ? ' ↑' : ' ↓') : ''}
            </button>
          </div>
        ))}
      </div>
      {order.length === 0 && <div className="px-3 py-4 text-muted" role="row"><div role="gridcell">{empty}</div></div>}
      <div role="presentation" className="relative" style={{ height: order.length * ROW, ...least }}>
        {order.slice(first, last).map((row, i) => (
          <div
            key={row}
            role="row"
            aria-rowindex={first + i + 2}
            aria-selected={row === selected}
            className={`absolute right-0 left-0 grid cursor-pointer items-center px-3 ${row === selected ? 'bg-accent-soft' : 'hover:bg-sunken'}`}
            style={{ ...grid, top: (first + i) * ROW, height: ROW }}
            onClick={() => onSelect?.(row)}
            onDoubleClick={() => onOpen?.(row)}
          >
            {columns.map((one) => (
              <div key={one.id} role="gridcell" className={`min-w-0 truncate pr-3 last:pr-0 ${one.number ? 'text-right' : ''}`}>{one.cell(row)}</div>
            ))}
          </div>
        ))}
      </div>
    </div>
  );
}

function rank(value: number): number {
  return Number.isNaN(value) ? -Infinity : value;
}
