// SPDX-License-Identifier: MIT
/** Messages between the page and the analysis worker. The page speaks them through `Analyst` in client.ts only. */
import type {
  CompareRequest, CompareView, ExportFormat, HotWindows, InputFile, Insight, LoadProgress, ProfileInfo, RemoteFile, SpikeCause, TimeWindow, UserError, View, ViewRequest,
} from '../model/types';

/** Every question by name: what goes in, what comes out. */
export interface Calls {
  load: { in: { files: readonly (InputFile | RemoteFile)[] }; out: { profiles: ProfileInfo[]; errors: UserError[] } };
  view: { in: ViewRequest; out: View };
  insights: { in: { profile: number; window: TimeWindow | null }; out: Insight[] };
  spikeCause: { in: { profile: number; window: TimeWindow }; out: SpikeCause };
  hotWindows: { in: { profile: number; metric: string; group: 'function' | 'crate' | 'module'; key: number }; out: HotWindows };
  compare: { in: CompareRequest; out: CompareView };
  export: { in: { request: ViewRequest; format: ExportFormat; title: string; dark: boolean }; out: Blob };
  close: { in: { profile: number }; out: null };
}
export type CallName = keyof Calls;

export type ToWorker =
  | { readonly [K in CallName]: { readonly seq: number; readonly call: K; readonly arg: Calls[K]['in'] } }[CallName]
  | { readonly seq: number; readonly call: 'cancel' };

export type FromWorker =
  | { readonly seq: number; readonly kind: 'progress'; readonly progress: LoadProgress }
  | { readonly seq: number; readonly kind: 'result'; readonly value: unknown }
  | { readonly seq: number; readonly kind: 'error'; readonly message: string; readonly cancelled: boolean };

/** What Worker, MessagePort and the in-page fallback have in common. */
export interface Endpoint {
  postMessage(message: unknown, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent) => void) | null;
}
