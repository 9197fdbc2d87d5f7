// SPDX-License-Identifier: MIT
'use client';
/** Instrumented scopes: latency, outliers, budgets, async tasks. */
import { useMemo, useState } from 'react';
import { bytes, clock, count, nanos, pct } from '../format';
import { shortName } from '../names';
import { store, useTab } from '../state/store';
import { VirtualTable, type TableColumn } from '../tables/VirtualTable';
import { Empty, Panel } from '../ui/Pane';

export function Scopes() {
  const info = useTab((tab) => tab.info);
  const [selected, setSelected] = useState(-1);
  const scopes = info?.side.scopeStats ?? [];
  const columns = useMemo<TableColumn[]>(() => {
    if (!info) return [];
    const name = (row: number): string => info.funcs.names[scopes[row].func] ?? '';
    const time = (id: string, label: string, value: (row: number) => number, drop?: number): TableColumn => ({ id, label, number: value, cell: (row) => nanos(value(row)), width: '4.75rem', drop });
    const slowest = Math.max(...scopes.map((one) => one.timing.max || 0), 1);
    return [
      { id: 'name', label: 'Scope', text: name, cell: (row) => <span title={name(row)}>{shortName(name(row))}</span>, width: 'minmax(10rem, 2fr)' },
      { id: 'calls', label: 'Calls', number: (row) => scopes[row].calls, cell: (row) => count(scopes[row].calls), width: '5rem' },
      time('total', 'Total', (row) => scopes[row].timing.total),
      time('mean', 'Mean', (row) => scopes[row].timing.mean, 4),
      time('p50', 'p50', (row) => scopes[row].timing.p50),
      time('p95', 'p95', (row) => scopes[row].timing.p95, 5),
      time('p99', 'p99', (row) => scopes[row].timing.p99, 1),
      time('max', 'Max', (row) => scopes[row].timing.max),
      { id: 'spread', label: 'p50 – p95 – p99 – max', cell: (row) => <Spread timing={scopes[row].timing} slowest={slowest} budget={scopes[row].budgetNs} />, width: 'minmax(9rem, 1.5fr)', drop: 6 },
      { id: 'budget', label: 'Budget', number: (row) => scopes[row].budgetViolations, cell: (row) => (scopes[row].budgetNs > 0 ? <span className={scopes[row].budgetViolations ? 'text-bad' : 'text-good'}>{scopes[row].budgetViolations ? `${count(scopes[row].budgetViolations)} over ${nanos(scopes[row].budgetNs)}` : `within ${nanos(scopes[row].budgetNs)}`}</span> : ''), width: '8rem', drop: 1.5 },
      { id: 'outliers', label: 'Outliers', number: (row) => scopes[row].outlierCount, cell: (row) => count(scopes[row].outlierCount), width: '4.5rem', drop: 2 },
      { id: 'bytes', label: 'Allocated', number: (row) => scopes[row].allocBytes, cell: (row) => (scopes[row].allocBytes > 0 ? bytes(scopes[row].allocBytes) : ''), width: '5.5rem', drop: 3 },
    ];
  }, [info, scopes]);
  if (!info) return null;
  const { budgetViolations, asyncTasks } = info.side;
  const outliers = [...info.side.outliers].sort((a, b) => b.durationNs - a.durationNs);
  const overBudget = [...budgetViolations].sort((a, b) => b.durationNs / b.budgetNs - a.durationNs / a.budgetNs);
  if (!scopes.length && !outliers.length && !asyncTasks.length) {
    return <Empty title="No instrumented scopes." command={'rustscope_scope("parse");'}>Link librustscope, or add #[rustscope::profile] to a function: exact calls, latencies and budgets show here.</Empty>;
  }
  const around = (atMs: number, durationNs: number) => () => store.query({ window: { fromMs: Math.max(0, atMs - 200), toMs: atMs + durationNs / 1e6 + 200 } });
  return (
    <div className="flex min-h-0 flex-1 max-md:flex-col" data-testid="scopes">
      <VirtualTable label="Scopes" rows={scopes.length} columns={columns} sortBy="total" selected={selected} onSelect={(row) => {
        setSelected(row);
        store.select(scopes[row].func);
      }} onOpen={(row) => info.metrics.some((one) => one.id === 'scopes') && (store.query({ metric: 'scopes', from: 0, to: 1 }), store.select(scopes[row].func))} empty="No scopes." />
      {(outliers.length > 0 || budgetViolations.length > 0 || asyncTasks.length > 0) && (
        <div className="w-80 shrink-0 space-y-3 max-xl:w-64 overflow-auto border-l border-line p-3 max-md:w-full" tabIndex={0} role="region" aria-label="Outliers, budgets and tasks">
          {outliers.length > 0 && (
            <Panel title="Outliers">
              <ul>{outliers.slice(0, 30).map((one, i) => (
                <li key={i} className="flex gap-2"><button type="button" className="link min-w-0 flex-1 truncate text-left" title={one.name} onClick={around(one.atMs, one.durationNs)}>{shortName(one.name)}</button><span>{nanos(one.durationNs)}</span><span className="w-14 text-right text-muted">{clock(one.atMs)}</span></li>
              ))}</ul>
            </Panel>
          )}
          {budgetViolations.length > 0 && (
            <Panel title="Over budget">
              <ul>{overBudget.slice(0, 30).map((one, i) => (
                <li key={i} className="flex gap-2"><button type="button" className="link min-w-0 flex-1 truncate text-left" title={one.name} onClick={around(one.atMs, one.durationNs)}>{shortName(one.name)}</button><span className="text-bad">{nanos(one.durationNs)}</span><span className="w-20 text-right text-muted">of {nanos(one.budgetNs)}</span></li>
              ))}</ul>
            </Panel>
          )}
          {asyncTasks.length > 0 && (
            <Panel title="Tasks">
              <ul>{asyncTasks.slice(0, 30).map((one, i) => (
                <li key={i} className="flex gap-2" title={`${one.name}: ${count(one.started)} started, ${count(one.completed)} completed, ${count(one.cancelled)} cancelled; longest poll ${nanos(one.maxPollNs)}; waited ${nanos(one.scheduledNs)} for a thread`}><span className="min-w-0 flex-1 truncate">{one.name}</span><span>{count(one.polls)} polls</span><span className="w-20 text-right text-muted">{pct(one.busyNs / (one.busyNs + one.idleNs))} busy</span></li>
              ))}</ul>
            </Panel>
          )}
        </div>
      )}
    </div>
  );
}

/** p50 to p95 as a bar, p99 and max as ticks, on a logarithmic axis that all rows share; the budget is a line. */
function Spread({ timing, slowest, budget }: { timing: { readonly min: number; readonly p50: number; readonly p95: number; readonly p99: number; readonly max: number }; slowest: number; budget: number }) {
  const x = (value: number): number => (value > 0 ? Math.max(0, Math.min(100, (Math.log10(value) / Math.log10(Math.max(10, slowest))) * 100)) : 0);
  return (
    <svg viewBox="0 0 100 16" preserveAspectRatio="none" className="h-4 w-full" aria-hidden="true">
      <rect x="0" y="7.5" width="100" height="1" fill="var(--line)" />
      <rect x={x(timing.p50)} y="4" width={Math.max(1, x(timing.p95) - x(timing.p50))} height="8" fill="var(--accent-fill)" />
      <rect x={x(timing.p99) - 0.4} y="3" width="0.8" height="10" fill="var(--fg)" />
      <rect x={x(timing.max) - 0.4} y="3" width="0.8" height="10" fill="var(--bad)" />
      {budget > 0 && <rect x={x(budget) - 0.25} y="0" width="0.5" height="16" fill="var(--good)" />}
    </svg>
  );
}
