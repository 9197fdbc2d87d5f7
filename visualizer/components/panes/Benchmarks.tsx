// SPDX-License-Identifier: MIT
'use client';
/** Benchmarks: the distribution of the samples, interval, outliers; beside the same benchmark of the other open sessions. */
import type { Benchmark } from '@/lib/model/types';
import { count, nanos, pct } from '../format';
import { useApp, useTab } from '../state/store';
import { Empty } from '../ui/Pane';

export function Benchmarks() {
  const info = useTab((tab) => tab.info);
  const tabs = useApp((state) => state.tabs);
  if (!info) return null;
  const { benchmarks } = info.side;
  if (!benchmarks.length) return <Empty title="No benchmarks in this session." command="rustscope bench -- ./my-app">Run a command many times, or use the bench runner of librustscope: distributions, intervals and history show here.</Empty>;
  return (
    <div className="grid min-h-0 flex-1 auto-rows-min grid-cols-1 gap-4 overflow-auto p-3 md:grid-cols-2" data-testid="benchmarks" tabIndex={0} role="region" aria-label="Benchmarks">
      {benchmarks.map((one) => (
        <Card key={one.name} bench={one} history={tabs.filter((tab) => tab.info !== info).flatMap((tab) => tab.info.side.benchmarks.filter((other) => other.name === one.name).map((other) => ({ session: tab.info.name, other })))} />
      ))}
    </div>
  );
}

function Card({ bench, history }: { bench: Benchmark; history: readonly { session: string; other: Benchmark }[] }) {
  const { outliers } = bench;
  const odd = outliers.lowMild + outliers.lowSevere + outliers.highMild + outliers.highSevere;
  return (
    <section className="rounded-md border border-line p-3 text-xs">
      <div className="flex items-baseline gap-2">
        <h3 className="min-w-0 flex-1 truncate text-sm font-semibold" title={bench.name}>{bench.name}</h3>
        <span className="text-base font-semibold">{nanos(bench.medianNs)}</span>
        <span className="text-muted">± {nanos(bench.madNs)}</span>
      </div>
      {bench.samplesNs.length > 1 && <Histogram bench={bench} />}
      <dl className="mt-2 grid grid-cols-4 gap-x-3 text-muted">
        <div><dt className="text-2xs">mean</dt><dd className="text-fg">{nanos(bench.meanNs)}</dd></div>
        <div><dt className="text-2xs">95 % interval</dt><dd className="text-fg">{nanos(bench.ci95Ns[0])} – {nanos(bench.ci95Ns[1])}</dd></div>
        <div><dt className="text-2xs">min – max</dt><dd className="text-fg">{nanos(bench.minNs)} – {nanos(bench.maxNs)}</dd></div>
        <div><dt className="text-2xs">runs</dt><dd className="text-fg">{count(bench.iterations)} after {count(bench.warmup)}</dd></div>
      </dl>
      {odd > 0 && <p className="mt-1 text-muted">{odd} outliers: {outliers.highSevere + outliers.lowSevere} severe, {outliers.highMild + outliers.lowMild} mild</p>}
      {bench.throughput.map((one) => <p key={one.label} className="mt-1 text-muted">{one.label}: {count(one.value)}</p>)}
      {history.map(({ session, other }) => (
        <p key={session} className="mt-1 flex gap-2"><span className="min-w-0 flex-1 truncate text-muted">{session}</span><span>{nanos(other.medianNs)}</span><span className="w-16 text-right">{bench.medianNs >= other.medianNs ? '+' : ''}{pct(bench.medianNs / other.medianNs - 1)}</span></p>
      ))}
    </section>
  );
}

function Histogram({ bench }: { bench: Benchmark }) {
  const bins = 48;
  const counts = new Array<number>(bins).fill(0);
  const low = bench.minNs;
  const span = Math.max(1e-9, bench.maxNs - low);
  for (const value of bench.samplesNs) counts[Math.max(0, Math.min(bins - 1, Math.floor(((value - low) / span) * bins)))]++;
  const max = Math.max(...counts);
  const x = (value: number): number => ((value - low) / span) * bins;
  return (
    <svg viewBox={`0 0 ${bins} 40`} preserveAspectRatio="none" className="mt-2 h-16 w-full" role="img" aria-label={`Distribution of ${bench.samplesNs.length} samples from ${nanos(bench.minNs)} to ${nanos(bench.maxNs)}`}>
      <rect x={x(bench.ci95Ns[0])} y="0" width={Math.max(0.2, x(bench.ci95Ns[1]) - x(bench.ci95Ns[0]))} height="40" fill="var(--accent-soft)" />
      {counts.map((one, i) => one > 0 && <rect key={i} x={i + 0.08} y={40 - (one / max) * 38} width="0.84" height={(one / max) * 38} fill="var(--accent-fill)" />)}
      <rect x={x(bench.medianNs)} y="0" width="0.25" height="40" fill="var(--fg)" />
    </svg>
  );
}
