// SPDX-License-Identifier: MIT
'use client';
/** Swim lanes: processes and their threads on the session's time axis. A click shows only that thread or process. */
import { useMemo } from 'react';
import { bytes, clock, millis } from '../format';
import { store, useTab } from '../state/store';
import { Empty } from '../ui/Pane';
import { axisEnd } from '../timeline/lanes';

const SHOWN = 400;

export function Threads() {
  const info = useTab((tab) => tab.info);
  const view = useTab((tab) => tab.main);
  const threads = useTab((tab) => tab.query.threads);
  const processes = useTab((tab) => tab.query.processes);
  const window = useTab((tab) => tab.query.window);
  const rows = useMemo(() => {
    if (!info) return [];
    const inWindow = new Map<number, number>();
    const table = view?.tables?.threads;
    if (table && view.metric.unit === 'us') for (let i = 0; i < table.count; i++) inWindow.set(table.key[i], table.self[i] / 1000);
    const list: { kind: 'process' | 'thread'; index: number; name: string; startMs: number; endMs: number; cpuMs: number; note: string }[] = [];
    const byProcess = info.side.threads.map((thread, index) => ({ thread, index })).sort((a, b) => b.thread.cpuMs - a.thread.cpuMs);
    const lanes = info.side.processes.length ? info.side.processes.map((_, i) => i) : [-1];
    for (const p of lanes) {
      const process = info.side.processes[p];
      if (process) {
        list.push({ kind: 'process', index: p, name: process.name || `pid ${process.pid}`, startMs: process.startMs, endMs: process.endMs, cpuMs: process.cpuMs, note: `pid ${process.pid}${process.rssPeakMb > 0 ? ` · ${bytes(process.rssPeakMb * 1e6)} peak` : ''}${process.exit ? ` · ${process.exit}` : ''}${process.shimReason ? ` · ${process.shimReason}` : ''}` });
      }
      for (const { thread, index } of byProcess) if (thread.process === p || (p < 0 && !process)) {
        list.push({ kind: 'thread', index, name: thread.name || `thread ${thread.tid}`, startMs: thread.startMs, endMs: thread.endMs, cpuMs: inWindow.get(index) ?? (window && inWindow.size ? 0 : thread.cpuMs), note: `tid ${thread.tid}` });
      }
    }
    return list;
  }, [info, view, window]);
  if (!info) return null;
  if (!rows.length) return <Empty title="No threads are known." command="rustscope -- ./my-app">This file names no threads or processes. A recording shows each with its lifetime and CPU time.</Empty>;
  const end = axisEnd(info) || Math.max(1, ...rows.map((row) => row.endMs || 0));
  const busiest = Math.max(1e-9, ...rows.filter((row) => row.kind === 'thread').map((row) => row.cpuMs || 0));
  const at = (ms: number, otherwise: number): number => ((Number.isFinite(ms) ? Math.max(0, Math.min(end, ms)) : otherwise) / end) * 100;
  return (
    <div className="min-h-0 flex-1 overflow-auto py-1 text-xs" data-testid="threads" tabIndex={0} role="region" aria-label="Threads and processes">
      {rows.slice(0, SHOWN).map((row) => {
        const active = row.kind === 'thread' ? threads?.includes(row.index) : processes?.includes(row.index);
        const left = at(row.startMs, 0);
        const right = at(row.endMs, end);
        const heat = row.kind === 'thread' ? 0.25 + 0.75 * Math.sqrt((row.cpuMs || 0) / busiest) : 1;
        return (
          <button
            key={`${row.kind}${row.index}`}
            type="button"
            aria-pressed={active ?? false}
            title={`${row.name} · ${row.note}`}
            className={`grid h-6 w-full cursor-pointer grid-cols-[minmax(8rem,16rem)_1fr_5rem] items-center gap-3 px-3 text-left ${active ? 'bg-accent-soft' : 'hover:bg-sunken'}`}
            onClick={() => store.query(row.kind === 'thread' ? { threads: active ? null : [row.index], processes: null } : { processes: active ? null : [row.index], threads: null })}
          >
            <span className={`truncate ${row.kind === 'process' ? 'font-medium' : 'pl-4'}`}>{row.name}<span className="ml-2 text-2xs text-muted">{row.note}</span></span>
            <span className="relative h-3">
              <span className={`absolute inset-y-0 rounded-sm ${row.kind === 'process' ? 'top-1 bottom-1 bg-line-strong' : 'bg-accent-fill'}`} style={{ left: `${left}%`, width: `${Math.max(0.3, right - left)}%`, opacity: heat }} />
              {window && <span className="absolute inset-y-0 border-x border-accent" style={{ left: `${at(window.fromMs, 0)}%`, width: `${at(window.toMs, end) - at(window.fromMs, 0)}%` }} />}
            </span>
            <span className="text-right" title="CPU time">{millis(row.cpuMs)}</span>
          </button>
        );
      })}
      {rows.length > SHOWN && <p className="px-3 py-2 text-muted">{rows.length - SHOWN} more threads with less CPU time are not listed; they are in every total. Axis ends at {clock(end)}.</p>}
    </div>
  );
}
