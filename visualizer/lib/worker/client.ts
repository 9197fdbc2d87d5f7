// SPDX-License-Identifier: MIT
/**
 * The page's side of the worker.
 *
 *     const analyst = new Analyst(new Worker(url));
 *     const { profiles, errors } = await analyst.load([{ name: file.name, data: file }], { onProgress, signal });
 *     const view = await analyst.ask('view', request);
 *
 * `ask` answers in order. `latest` is for what a moving hand asks many times a second: at most one question of
 * a slot is in the worker, at most one waits, and a question that a newer one overtook resolves to null.
 */
import type { InputFile, LoadProgress, ProfileInfo, RemoteFile, UserError } from '../model/types';
import type { CallName, Calls, Endpoint, FromWorker } from './protocol';

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
  onProgress: ((progress: LoadProgress) => void) | null;
}

interface Slot { busy: boolean; waiting: (() => void) | null; drop: (() => void) | null }

/** The question was cancelled by its AbortSignal. */
export class Cancelled extends Error {
  override readonly name = 'AbortError';
}

export class Analyst {
  private seq = 0;
  private readonly pending = new Map<number, Pending>();
  private readonly slots = new Map<string, Slot>();

  constructor(private readonly endpoint: Endpoint) {
    endpoint.onmessage = (event) => this.receive(event.data as FromWorker);
  }

  load(files: readonly (InputFile | RemoteFile)[], options: { onProgress?: (progress: LoadProgress) => void; signal?: AbortSignal } = {}): Promise<{ profiles: ProfileInfo[]; errors: UserError[] }> {
    return this.send('load', { files }, options.onProgress ?? null, options.signal ?? null);
  }

  ask<K extends CallName>(call: K, arg: Calls[K]['in'], signal: AbortSignal | null = null): Promise<Calls[K]['out']> {
    return this.send(call, arg, null, signal);
  }

  /** As `ask`, one at a time per slot; resolves to null when a newer question of the slot took its place. */
  latest<K extends CallName>(slotName: string, call: K, arg: Calls[K]['in']): Promise<Calls[K]['out'] | null> {
    let slot = this.slots.get(slotName);
    if (!slot) this.slots.set(slotName, (slot = { busy: false, waiting: null, drop: null }));
    const mine = slot;
    return new Promise((resolve, reject) => {
      const start = (): void => {
        mine.busy = true;
        this.send(call, arg, null, null).then(resolve, reject).finally(() => {
          mine.busy = false;
          const next = mine.waiting;
          mine.waiting = mine.drop = null;
          next?.();
        });
      };
      if (!mine.busy) return start();
      mine.drop?.();
      mine.waiting = start;
      mine.drop = () => resolve(null);
    });
  }

  private send<K extends CallName>(call: K, arg: Calls[K]['in'], onProgress: Pending['onProgress'], signal: AbortSignal | null): Promise<Calls[K]['out']> {
    const seq = ++this.seq;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(new Cancelled('cancelled'));
      this.pending.set(seq, { resolve: resolve as (value: unknown) => void, reject, onProgress });
      signal?.addEventListener('abort', () => this.endpoint.postMessage({ seq, call: 'cancel' }, []), { once: true });
      this.endpoint.postMessage({ seq, call, arg }, []);
    });
  }

  private receive(message: FromWorker): void {
    const pending = this.pending.get(message.seq);
    if (!pending) return;
    if (message.kind === 'progress') return pending.onProgress?.(message.progress);
    this.pending.delete(message.seq);
    if (message.kind === 'result') pending.resolve(message.value);
    else pending.reject(message.cancelled ? new Cancelled(message.message) : new Error(message.message));
  }
}
