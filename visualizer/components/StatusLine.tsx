// SPDX-License-Identifier: MIT
'use client';
/** What is shown and what is hidden, in words; every part that can be taken back carries its ✕. */
import { ALL_LAYERS, LAYERS, type MetricInfo, type ProfileInfo, type Transform } from '@/lib/model/types';
import { clock, count, pct, quantity } from './format';
import { shortName } from './names';
import { store, useTab } from './state/store';

export function transformLabel(info: ProfileInfo, transform: Transform): string {
  const func = 'func' in transform ? shortName(info.funcs.names[transform.func] ?? '') : '';
  switch (transform.kind) {
    case 'merge': return `merged: ${func}`;
    case 'drop': return `dropped: ${func}`;
    case 'focus': return `focus: ${func}`;
    case 'collapse-function': return `collapsed: ${func}`;
    case 'collapse-crate': return `crate collapsed: ${info.crates[transform.crate]}`;
    case 'merge-crate': return `crate merged: ${info.crates[transform.crate]}`;
    case 'collapse-module': return `module collapsed: ${info.modules[transform.module]?.name}`;
    case 'preset': return `${transform.preset} hidden`;
  }
}

/** The amount shown, in the words of its metric: 137 MB allocated, 1.8 s of CPU time. */
export function shownAmount({ id, label, unit }: MetricInfo, value: number): string {
  const amount = quantity(value, unit);
  switch (id) {
    case 'cpu': return `${amount} of CPU time`;
    case 'offcpu': return `${amount} of waiting`;
    case 'alloc_bytes': return `${amount} allocated`;
    case 'net_bytes': return `${amount} more allocated than freed`;
    case 'alloc_count': return `${amount} allocations`;
    case 'peak_bytes': return `${amount} live at the peak`;
    case 'leaked_bytes': return `${amount} never freed`;
    case 'leaked_count': return `${amount} blocks never freed`;
    case 'temporary': return `${amount} temporary allocations`;
    case 'scopes': return `${amount} in instrumented scopes`;
    default: return unit === 'samples' ? amount : `${amount} of ${label}`;
  }
}

export function StatusLine() {
  const info = useTab((tab) => tab.info);
  const query = useTab((tab) => tab.query);
  const view = useTab((tab) => tab.main);
  if (!info || !query) return <footer className="h-7 shrink-0 border-t border-line bg-panel" />;
  const status = view?.status;
  const unit = view?.metric.unit ?? 'count';
  const words: string[] = [];
  if (status) {
    words.push(shownAmount(view.metric, status.shown));
    if (status.samples > 0) words.push(`${count(Math.round(status.samples))} samples`);
    if (status.charged > 0) words.push(`${pct(status.charged / status.inWindow)} charged to callers`);
    if (status.dropped > 0) words.push(`${pct(status.dropped / status.inWindow)} left out`);
    if (status.profiler > 0) words.push(`${quantity(status.profiler, unit)} of the profiler’s own work left out`);
    if (status.freed > 0) words.push(`${quantity(status.freed, unit)} were freed and are not drawn`);
    if (view.topology.cappedAt) words.push(`callers beyond ${view.topology.cappedAt} levels are not shown`);
  }
  const folded = view ? [...view.topology.folds.keys()].some((node) => view.value[node] > 0) : false;
  const ignored = status?.ignoresWindow || status?.ignoresThreads;
  const hiddenLayers = LAYERS.filter((_, i) => !(query.layers >> i & 1));
  return (
    <footer aria-label="What is shown" data-testid="status" className="flex h-7 shrink-0 items-center gap-2 overflow-x-auto border-t border-line bg-panel px-3 text-xs whitespace-nowrap text-muted">
      {query.window ? (
        <Chip label={`window ${clock(query.window.fromMs)}–${clock(query.window.toMs)}`} onRemove={() => store.query({ window: null })} />
      ) : (
        <span className="text-fg">whole session</span>
      )}
      {ignored && <span data-testid="ignores" className="font-medium text-warn">{view?.metric.label} is known for the whole session only</span>}
      {words.map((text) => <span key={text} className="before:mr-2 before:content-['·']">{text}</span>)}
      <span className="flex-1" />
      {query.threads && <Chip label={query.threads.length === 1 ? `thread ${info.side.threads[query.threads[0]]?.name ?? ''}` : `${query.threads.length} threads`} onRemove={() => store.query({ threads: null })} />}
      {query.processes && <Chip label={query.processes.length === 1 ? `process ${info.side.processes[query.processes[0]]?.name ?? ''}` : `${query.processes.length} processes`} onRemove={() => store.query({ processes: null })} />}
      {query.onlyMyCode && <Chip label="only my code (the rest is charged to its callers)" onRemove={() => store.query({ onlyMyCode: false })} />}
      {hiddenLayers.length > 0 && <Chip label={`${hiddenLayers.join(', ')} hidden (charged to callers)`} onRemove={() => store.query({ layers: ALL_LAYERS })} />}
      {query.recursion !== 'off' && <Chip label="recursion collapsed" onRemove={() => store.query({ recursion: 'off' })} />}
      {folded && <Chip label="start-up frames folded" onRemove={() => store.query({ foldRoot: false })} />}
      {query.transforms.map((transform, i) => (
        <Chip key={i} label={transformLabel(info, transform)} onRemove={() => store.query({ transforms: query.transforms.filter((_, k) => k !== i) })} />
      ))}
      {(query.from > 0 || query.to < 1) && <Chip label={`zoomed ${pct(query.to - query.from)}`} onRemove={() => store.flame?.zoomTo(0, 1)} />}
    </footer>
  );
}

function Chip({ label, onRemove }: { label: string; onRemove: () => void }) {
  return (
    <span className="chip" data-testid="chip">
      <span className="truncate" title={label}>{label}</span>
      <button type="button" aria-label={`Remove: ${label}`} className="h-5 cursor-pointer px-1.5 hover:text-fg" onClick={onRemove}>✕</button>
    </span>
  );
}
