// SPDX-License-Identifier: MIT
/** What a profile says beside its stacks when the input says nothing. */
import type { Meta, ProfileSide, Summary } from './types';

export const EMPTY_META: Meta = {
  project: '', target: '', argv: [], cwd: '', pid: 0, startTs: NaN, durationMs: 0, hostOs: '', hostArch: '', kernel: '', cpuModel: '', cpuCores: 0, rateHz: 0,
  stackRateHz: 0, stopReason: '', exit: '', sessionName: '', tags: [], labels: [], generator: '', rustscopeVersion: '',
};

export const EMPTY_SUMMARY: Summary = {
  cpuAvgPct: NaN, cpuPeakPct: NaN, cpuMs: NaN, heapAvgMb: NaN, heapPeakMb: NaN, heapSource: '', anonPeakMb: NaN, rssPeakMb: NaN, threadAvg: NaN, threadPeak: NaN,
  fdPeak: NaN, totalAllocations: NaN, totalDeallocations: NaN, totalAllocBytes: NaN, temporaryAllocations: NaN, leakedBytes: NaN, leakedAllocations: NaN, spikes: NaN,
};

export function emptySide(name: string): ProfileSide {
  return {
    meta: { ...EMPTY_META, project: name },
    summary: EMPTY_SUMMARY,
    timeline: { intervalMs: 0, points: 0, lanes: new Map(), counters: new Map() },
    processTimeline: null,
    events: [], processes: [], threads: [], functions: [], memory: null, scopeStats: [], outliers: [], budgetViolations: [], asyncTasks: [], benchmarks: [],
    diagnostics: {
      stackBackend: '', stackRateAchievedHz: NaN, stackSamples: NaN, stackLost: 0, stacksTruncated: 0, unknownSymbols: NaN, overheadPct: NaN, allocBackend: '',
      eventsReceived: NaN, eventsDropped: 0, folded: [], warnings: [], optimised: null,
    },
  };
}
