// SPDX-License-Identifier: MIT
'use client';
/** Live heap over time, the peak, leaks by path, temporary share, lifetimes, sizes. */
import { bytes, clock, count, pct } from '../format';
import { shortName } from '../names';
import { store, useTab } from '../state/store';
import { Bars, Empty, Panel, Stat } from '../ui/Pane';

export function Memory() {
  const info = useTab((tab) => tab.info);
  if (!info) return null;
  const { memory, summary, timeline, meta } = info.side;
  if (!memory && !(summary.totalAllocations > 0)) {
    return <Empty title="No allocations were recorded." command="rustscope -- ./my-app">Allocations are recorded by default; <code>rustscope doctor</code> says why. A statically linked program has to link librustscope.</Empty>;
  }
  const heap = timeline.lanes.get('heap_mb') ?? timeline.lanes.get('anon_mb');
  const metric = (id: string): boolean => info.metrics.some((one) => one.id === id);
  const show = (id: string): void => store.query({ metric: id, mode: 'top-down', from: 0, to: 1 });
  return (
    <div className="grid min-h-0 flex-1 auto-rows-min grid-cols-1 gap-4 overflow-auto p-3 md:grid-cols-2 xl:grid-cols-3" data-testid="memory" tabIndex={0} role="region" aria-label="Memory">
      <Panel title="Heap">
        <dl className="grid grid-cols-4 gap-2">
          <Stat term="peak" value={bytes(memory && memory.peakBytes > 0 ? memory.peakBytes : summary.heapPeakMb * 1e6)} note={memory && memory.peakMs >= 0 ? `at ${clock(memory.peakMs)}` : ''} />
          <Stat term="allocated" value={bytes(summary.totalAllocBytes)} note={`${count(summary.totalAllocations)} times`} />
          <Stat term="temporary" value={pct(summary.temporaryAllocations / summary.totalAllocations)} note="short-lived" />
          <Stat term="live at exit" value={bytes(summary.leakedBytes)} note={`${count(summary.leakedAllocations)} blocks`} />
        </dl>
        {heap && heap.values.length > 1 && <Spark values={heap.values} label={`Live heap over ${clock(meta.durationMs)}`} />}
        <div className="mt-2 flex flex-wrap gap-1">
          {([['alloc_bytes', 'Allocated'], ['peak_bytes', 'At the peak'], ['leaked_bytes', 'Leaked'], ['temporary', 'Temporary']] as const).filter(([id]) => metric(id)).map(([id, label]) => (
            <button key={id} type="button" className="btn" onClick={() => show(id)}>{label} as a flame graph</button>
          ))}
        </div>
      </Panel>
      <Panel title="Live at exit, by path">
        {!memory?.leaks.length ? <p className="text-muted">Everything that was allocated was freed.</p> : (
          <ul className="space-y-1" data-testid="leaks">
            {memory.leaks.slice(0, 40).map((leak, i) => {
              const path = (leak.name || '[unknown]').split(' ‹ ');
              return (
                <li key={i}>
                  <div className="flex items-baseline gap-2">
                    <button type="button" className="link min-w-0 flex-1 truncate text-left" title={path.join('\n')} onClick={() => {
                      if (metric('leaked_bytes')) show('leaked_bytes');
                      store.search(path[0], false);
                    }}>{shortName(path[0])}</button>
                    <span>{bytes(leak.bytes)}</span>
                    <span className="text-muted">{leak.count === 1 ? 'once' : `${count(leak.count)} blocks`}{leak.count > 1 && leak.lastMs > leak.firstMs ? `, ${clock(leak.firstMs, 1000)} – ${clock(leak.lastMs, 1000)}` : ''}</span>
                  </div>
                  {path.length > 1 && <p className="truncate pl-3 text-2xs text-muted">‹ {path.slice(1).map(shortName).join(' ‹ ')}</p>}
                </li>
              );
            })}
          </ul>
        )}
      </Panel>
      {memory && memory.lifetimes.length > 0 && <Panel title="Lifetimes"><Bars rows={memory.lifetimes.map((one) => ({ label: one.label, value: one.count, text: count(one.count) }))} /></Panel>}
      {memory && memory.bySize.length > 0 && <Panel title="Sizes"><Bars rows={memory.bySize.map((one) => ({ label: one.label, value: one.count, text: `${count(one.count)}${one.bytes > 0 ? ` · ${bytes(one.bytes)}` : ''}` }))} /></Panel>}
    </div>
  );
}

function Spark({ values, label }: { values: Float64Array; label: string }) {
  const points = 200;
  let max = 0;
  for (const value of values) if (value > max) max = value;
  const path: string[] = [];
  for (let i = 0; i < points; i++) {
    const first = Math.floor((i / points) * values.length);
    const last = Math.max(first + 1, Math.floor(((i + 1) / points) * values.length));
    let high = 0;
    for (let k = first; k < last && k < values.length; k++) if (values[k] > high) high = values[k];
    path.push(`${i ? 'L' : 'M'}${i} ${(40 - (max ? high / max : 0) * 38).toFixed(1)}`);
  }
  return (
    <svg viewBox={`0 0 ${points - 1} 40`} preserveAspectRatio="none" className="mt-2 h-12 w-full" role="img" aria-label={label}>
      <path d={`${path.join('')}L${points - 1} 40L0 40Z`} fill="var(--accent-soft)" />
      <path d={path.join('')} fill="none" stroke="var(--accent)" strokeWidth="1.5" vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
