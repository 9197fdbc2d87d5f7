// SPDX-License-Identifier: MIT
'use client';
/** The selected function: shares, where it is, who calls it, what it calls, when it was hot. */
import { useEffect, useMemo, useState } from 'react';
import { LAYERS, type HotWindows } from '@/lib/model/types';
import { callerOf, foldAt } from '@/lib/view/fold';
import { childrenByWeight, selfOf, stackOf } from '../flame/frames';
import { bytes, clock, count, nanos, pct, quantity } from '../format';
import { shortName } from '../names';
import { store, useTab } from '../state/store';
import { copyText } from '../ui/copy';

/** Value by function over all frames for which PICK gives one; heaviest first. */
function ranked(pick: (add: (func: number, value: number) => void) => void): [number, number][] {
  const sums = new Map<number, number>();
  pick((func, value) => sums.set(func, (sums.get(func) ?? 0) + value));
  return [...sums].sort((a, b) => b[1] - a[1]).slice(0, 5);
}

export function Selected() {
  const info = useTab((tab) => tab.info);
  const view = useTab((tab) => tab.main);
  const mode = useTab((tab) => tab.query.mode);
  const selection = useTab((tab) => tab.selection);
  const func = selection?.func ?? -1;

  const around = useMemo(() => {
    if (!view || func < 0) return null;
    const { topology, value } = view;
    const frames: number[] = [];
    for (let i = 1; i < topology.count; i++) if (topology.func[i] === func && value[i] > 0 && !foldAt(topology, i)) frames.push(i);
    const parents = ranked((add) => frames.forEach((i) => callerOf(topology, i) >= 0 && add(callerOf(topology, i), value[i])));
    const children = ranked((add) => frames.forEach((i) => childrenByWeight(view, i).forEach((child) => add(topology.func[child], value[child]))));
    return { frames: frames.length, parents, children, folded: [...topology.folds.values()].some((path) => path.includes(func)) };
  }, [view, func]);

  if (!info || !view) return null;
  if (func < 0) {
    return (
      <section aria-label="Selection" className="shrink-0 border-t border-line px-3 py-3 text-xs text-muted">
        Click a frame or a row: its callers, callees and the times it was hot show here.
      </section>
    );
  }
  const { funcs } = info;
  const total = view.value[0] || 1;
  const row = view.tables ? view.tables.functions.key.indexOf(func) : -1;
  const self = row >= 0 ? view.tables!.functions.self[row] : NaN;
  const sum = row >= 0 ? view.tables!.functions.total[row] : NaN;
  const { unit } = view.metric;
  const file = funcs.file[func] >= 0 ? info.files[funcs.file[func]] : '';
  const stats = info.side.functions.find((one) => one.func === func);
  const node = selection?.node ?? -1;
  const upsideDown = mode === 'bottom-up';
  const list = (title: string, rows: readonly (readonly [number, number])[]): React.ReactElement | null => rows.length === 0 ? null : (
    <div className="mt-2">
      <h3 className="eyebrow">{title}</h3>
      <ul>
        {rows.map(([other, value]) => (
          <li key={other} className="flex items-baseline gap-2">
            <button type="button" className="link min-w-0 flex-1 truncate text-left" title={funcs.names[other]} onClick={() => store.select(other)}>{shortName(funcs.names[other])}</button>
            <span className="text-muted">{pct(value / total)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
  return (
    <section aria-label="Selection" data-testid="selected" className="max-h-[55%] shrink-0 overflow-auto border-t border-line px-3 py-2 text-xs">
      <div className="flex items-start gap-2">
        <h2 className="min-w-0 flex-1 text-sm font-semibold break-all" title={funcs.names[func]}>{shortName(funcs.names[func])}</h2>
        <button type="button" aria-label="Clear the selection" className="cursor-pointer text-muted hover:text-fg" onClick={() => store.select(-1)}>✕</button>
      </div>
      <p className="break-all text-muted">
        {[funcs.crate[func] >= 0 && info.crates[funcs.crate[func]], funcs.module[func] >= 0 && info.modules[funcs.module[func]].name, LAYERS[funcs.layer[func]] !== 'unknown' && LAYERS[funcs.layer[func]]].filter((part, i, all) => part && all.indexOf(part) === i).join(' · ')}
        {file && <span className="block font-mono text-2xs">{file}{funcs.line[func] > 0 ? `:${funcs.line[func]}` : ''}</span>}
      </p>
      <dl className="mt-2 grid grid-cols-2 gap-2">
        <Figure term="self" value={quantity(self, unit)} share={pct(self / total)} />
        <Figure term="total" value={quantity(sum, unit)} share={pct(sum / total)} />
        {node > 0 && !around?.folded && <Figure term="this frame" value={quantity(view.value[node], unit)} share={`self ${pct(selfOf(view, node) / total)}`} />}
        {around && around.frames > 1 && <Figure term="frames" value={count(around.frames)} share="in this view" />}
        {stats && stats.calls > 0 && <Figure term="calls" value={count(stats.calls)} share={`mean ${nanos(stats.avgNs)}`} />}
        {stats && stats.allocBytes > 0 && <Figure term="allocated" value={bytes(stats.allocBytes)} share={stats.leakedBytes > 0 ? `${bytes(stats.leakedBytes)} leaked` : `${count(stats.allocCount)} times`} />}
      </dl>
      {around?.folded && <p className="mt-2 text-muted">It is one of the frames before your code. <button type="button" className="link" onClick={() => store.query({ foldRoot: false })}>Show them</button></p>}
      <HotIn func={func} />
      {around && list(upsideDown ? 'Calls' : 'Called by', around.parents)}
      {around && list(upsideDown ? 'Called by' : 'Calls', around.children)}
      <div className="sticky -bottom-2 -mx-3 mt-2 flex flex-wrap gap-1 border-t border-line bg-panel px-3 py-2">
        <button type="button" className="btn" onClick={() => store.sandwich(func)}>Sandwich</button>
        <button type="button" className="btn" onClick={() => store.transform({ kind: 'focus', func })}>Focus</button>
        <button type="button" className="btn" onClick={() => void copyText(node > 0 ? stackOf(info, view, node).join('\n') : funcs.names[func], node > 0 ? 'the stack' : 'the name')}>Copy stack</button>
      </div>
    </section>
  );
}

function Figure({ term, value, share }: { term: string; value: string; share: string }) {
  return (
    <div>
      <dt className="text-2xs text-muted">{term}</dt>
      <dd><span className="font-semibold">{value}</span> <span className="text-muted">{share}</span></dd>
    </div>
  );
}

/** When the function was hot; a click takes that window. */
function HotIn({ func }: { func: number }) {
  const profile = useTab((tab) => tab.info.id);
  const metric = useTab((tab) => tab.query.metric);
  const windowed = useTab((tab) => tab.info.metrics.find((one) => one.id === tab.query.metric)?.windowed);
  const [hot, setHot] = useState<HotWindows | null>(null);
  useEffect(() => {
    setHot(null);
    if (profile === null || !metric || !windowed || !store.analyst) return;
    let stale = false;
    store.analyst.latest('hot', 'hotWindows', { profile, metric, group: 'function', key: func }).then((answer) => !stale && answer && setHot(answer), () => {});
    return () => {
      stale = true;
    };
  }, [profile, metric, windowed, func]);
  if (!windowed) return null;
  const bars = 60;
  const points = hot?.values.length ?? 0;
  const per = Math.max(1, points / bars);
  const heights: number[] = [];
  if (hot) for (let i = 0; i < bars && i * per < points; i++) {
    let high = 0;
    for (let k = Math.floor(i * per); k < Math.min(points, Math.max(Math.floor(i * per) + 1, Math.floor((i + 1) * per))); k++) high = Math.max(high, hot.values[k]);
    heights.push(high);
  }
  const max = Math.max(...heights, 1e-12);
  const windowAt = (i: number): { fromMs: number; toMs: number } => ({ fromMs: Math.floor(i * per) * hot!.intervalMs, toMs: Math.max(Math.floor(i * per) + 1, Math.floor((i + 1) * per)) * hot!.intervalMs });
  return (
    <div className="mt-2">
      <h3 className="eyebrow cursor-help" title="When the function was on the stack: each bar is a part of the session, as high as the function's share of its hottest part. Click a bar to look at that part alone.">Hot in</h3>
      <div className="mt-1 flex h-7 items-end" data-testid="hot-in">
        {heights.map((height, i) => (
          <button
            key={i}
            type="button"
            tabIndex={height >= max * 0.5 ? 0 : -1}
            aria-label={`${clock(windowAt(i).fromMs)} to ${clock(windowAt(i).toMs)}: ${pct(height / max)} of its hottest`}
            title={`${clock(windowAt(i).fromMs)}–${clock(windowAt(i).toMs)}`}
            className="group flex h-full min-w-0 flex-1 cursor-pointer items-end"
            onClick={() => store.query({ window: windowAt(i) })}
          >
            <span className="w-full bg-accent-fill/70 group-hover:bg-accent" style={{ height: height > 0 ? `${Math.max(6, (height / max) * 100)}%` : 0 }} />
          </button>
        ))}
      </div>
    </div>
  );
}
