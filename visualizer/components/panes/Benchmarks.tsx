// SPDX-License-Identifier: MIT
'use client';
/**
 * Benchmarks: the distribution of the samples, interval, outliers; and the history: the same benchmark in the other open
 * sessions and in saved ones that were added, by the time of their recording.
 */
import type { Benchmark } from '@/lib/model/types';
import { bytes, count, nanos, pct } from '../format';
import { pickHistory } from '../state/open';
import { store, useApp, useTab } from '../state/store';
import { Empty } from '../ui/Pane';

export function Benchmarks() {
  const info = useTab((tab) => tab.info);
  const tabs = useApp((state) => state.tabs);
  const added = useApp((state) => state.history);
  if (!info) return null;
  const { benchmarks } = info.side;
  if (!benchmarks.length) return <Empty title="No benchmarks in this session." command="rustscope -- ./my-bench">Write benchmarks with librustscope and record the program: distributions, intervals and history show here.</Empty>;
  const past = [...tabs.filter((tab) => tab.info !== info).map((tab) => ({ session: tab.info.name, startTs: tab.info.side.meta.startTs, benchmarks: tab.info.side.benchmarks })), ...added];
  const runs = (name: string): Run[] => past
    .flatMap(({ session, startTs, benchmarks: list }) => list.filter((other) => other.name === name).map((bench) => ({ session, startTs, bench })))
    .sort((a, b) => (a.startTs || 0) - (b.startTs || 0));
  return (
    <div className="min-h-0 flex-1 overflow-auto p-3" data-testid="benchmarks" tabIndex={0} role="region" aria-label="Benchmarks">
      <div className="mb-3 flex items-center gap-2 text-xs">
        <button type="button" className="btn" onClick={pickHistory}>Add earlier sessions…</button>
        {added.length > 0 && <button type="button" className="btn btn-quiet" onClick={() => store.set({ history: [] })}>Forget {added.length === 1 ? 'it' : `all ${added.length}`}</button>}
        <span className="min-w-0 truncate text-muted">{past.length ? `History of ${past.length + 1} sessions, in order of recording` : 'Saved sessions with the same benchmarks show as a history.'}</span>
      </div>
      <div className="grid auto-rows-min grid-cols-1 gap-4 md:grid-cols-2">
        {benchmarks.map((one) => <Card key={one.name} bench={one} runs={runs(one.name)} startTs={info.side.meta.startTs} />)}
      </div>
    </div>
  );
}

interface Run { readonly session: string; readonly startTs: number; readonly bench: Benchmark }

function Card({ bench, runs, startTs }: { bench: Benchmark; runs: readonly Run[]; startTs: number }) {
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
      <dl className="mt-2 grid grid-cols-2 gap-x-3 gap-y-1 text-muted lg:grid-cols-4">
        <div><dt className="text-2xs">mean</dt><dd className="text-fg">{nanos(bench.meanNs)}</dd></div>
        <div><dt className="text-2xs">95 % interval</dt><dd className="text-fg">{nanos(bench.ci95Ns[0])} – {nanos(bench.ci95Ns[1])}</dd></div>
        <div><dt className="text-2xs">min – max</dt><dd className="text-fg">{nanos(bench.minNs)} – {nanos(bench.maxNs)}</dd></div>
        <div><dt className="text-2xs">runs</dt><dd className="text-fg">{count(bench.iterations)} after {count(bench.warmup)}</dd></div>
        <div><dt className="text-2xs">allocations a run</dt><dd className="text-fg">{Number.isNaN(bench.allocBlocks) ? 'not counted' : count(bench.allocBlocks / bench.iterations)}</dd></div>
        <div><dt className="text-2xs">allocated a run</dt><dd className="text-fg">{Number.isNaN(bench.allocBytes) ? 'not counted' : bytes(bench.allocBytes / bench.iterations)}</dd></div>
        <div><dt className="text-2xs">threads</dt><dd className="text-fg">{count(bench.threads)}</dd></div>
        <div><dt className="text-2xs">processes</dt><dd className="text-fg">{count(bench.processes)}</dd></div>
      </dl>
      {odd > 0 && <p className="mt-1 text-muted">{odd} outliers: {outliers.highSevere + outliers.lowSevere} severe, {outliers.highMild + outliers.lowMild} mild</p>}
      {bench.throughput.map((one) => <p key={one.label} className="mt-1 text-muted">{throughput(one.label, one.value)}</p>)}
      {!bench.settled && <p className="mt-1 text-bad">The time went on changing after the warm-up: read the median with care.</p>}
      {bench.profiled && <p className="mt-1 text-muted">Stacks were sampled meanwhile; that time is in these figures.</p>}
      {runs.length > 0 && <Trend runs={[...runs, { session: 'this session', startTs, bench }].sort((a, b) => (a.startTs || 0) - (b.startTs || 0))} bench={bench} />}
      {runs.map(({ session, startTs: at, bench: other }, i) => (
        <p key={i} className="mt-1 flex gap-2">
          <span className="min-w-0 flex-1 truncate text-muted" title={session}>{session}</span>
          <span className="text-muted">{at > 0 ? new Date(at).toISOString().slice(0, 16).replace('T', ' ') : ''}</span>
          <span className="w-16 text-right">{nanos(other.medianNs)}</span>
          <span className="w-16 text-right">{bench.medianNs >= other.medianNs ? '+' : ''}{pct(bench.medianNs / other.medianNs - 1)}</span>
        </p>
      ))}
    </section>
  );
}

/** The runner's own measures in words; what a program named itself stays as it is. */
function throughput(label: string, value: number): string {
  if (label === 'bytes_per_sec') return `${bytes(value)}/s`;
  if (label === 'items_per_sec') return `${count(value)} items/s`;
  return `${label}: ${count(value)}`;
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

/** Medians with their intervals, session after session; this one filled. */
function Trend({ runs, bench }: { runs: readonly Run[]; bench: Benchmark }) {
  const ends = runs.flatMap((run) => [...run.bench.ci95Ns, run.bench.medianNs]).filter(Number.isFinite);
  const low = Math.min(...ends);
  const span = Math.max(1e-9, Math.max(...ends) - low);
  const y = (value: number): number => 36 - ((value - low) / span) * 32;
  const x = (i: number): number => ((i + 0.5) / runs.length) * 100;
  return (
    <svg viewBox="0 0 100 40" preserveAspectRatio="none" className="mt-2 h-12 w-full" role="img" aria-label={`Median over ${runs.length} sessions, from ${nanos(low)} to ${nanos(low + span)}`} data-testid="trend">
      <polyline points={runs.map((run, i) => `${x(i)},${y(run.bench.medianNs)}`).join(' ')} fill="none" stroke="var(--accent-fill)" vectorEffect="non-scaling-stroke" />
      {runs.map((run, i) => {
        const [from, to] = run.bench.ci95Ns;
        return (
          <g key={i}>
            {Number.isFinite(from) && Number.isFinite(to) && <line x1={x(i)} x2={x(i)} y1={y(from)} y2={y(to)} stroke="var(--accent-fill)" vectorEffect="non-scaling-stroke" />}
            <rect x={x(i) - 0.6} width="1.2" y={y(run.bench.medianNs) - 1.5} height="3" fill={run.bench === bench ? 'var(--fg)' : 'var(--accent-fill)'} />
          </g>
        );
      })}
    </svg>
  );
}
