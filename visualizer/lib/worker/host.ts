// SPDX-License-Identifier: MIT
/** The worker's side: keeps the profiles, answers one message at a time, and lets "cancel" in while it loads. */
import { Comparison } from '../compare/compare';
import { exportView } from '../export/export';
import { gatherFacts } from '../insights/facts';
import { runRules } from '../insights/rules';
import { Engine } from '../view/engine';
import type { InputFile, LoadProgress, ProfileInfo, RemoteFile, UserError } from '../model/types';
import { CancelledError, download, Incoming, InputError, LIMITS, Work, type Limits } from '../parse/input';
import { openProfile, splitSidecars, type Arriving, type Opened } from '../parse/open';
import type { CallName, Calls, Endpoint, FromWorker, ToWorker } from './protocol';

type Report = (stage: LoadProgress['stage'], done: number) => void;

/** A file whose reading began before the page's code was there to ask for it. */
interface Begun {
  readonly file: RemoteFile;
  readonly opened: Promise<Opened>;
  /** From now on the page hears of it and may cancel it. */
  watch(report: Report, isCancelled: () => boolean): void;
}

export class Host {
  private readonly engines = new Map<number, Engine>();
  private readonly cancelled = new Set<number>();
  private begun: Begun | null = null;
  private comparison: { key: string; value: Comparison; profiles: number[] } | null = null;
  private lastProfile = 0;

  constructor(private readonly endpoint: Endpoint, private readonly limits: Limits = LIMITS) {
    endpoint.onmessage = (event) => void this.receive(event.data as ToWorker);
  }

  private post(message: FromWorker, transfer: Transferable[] = []): void {
    this.endpoint.postMessage(message, transfer);
  }

  private async receive(message: ToWorker): Promise<void> {
    if (message.call === 'cancel') {
      this.cancelled.add(message.seq);
      return;
    }
    const { seq } = message;
    try {
      const value = await this.answer(message);
      this.post({ seq, kind: 'result', value }, buffersOf(message.call, value));
    } catch (error) {
      const cancelled = error instanceof CancelledError;
      this.post({ seq, kind: 'error', message: error instanceof Error ? error.message : String(error), cancelled });
    } finally {
      this.cancelled.delete(seq);
    }
  }

  private engine(id: number): Engine {
    const engine = this.engines.get(id);
    if (!engine) throw new Error('The profile has been closed.');
    return engine;
  }

  private answer(message: Exclude<ToWorker, { call: 'cancel' }>): Promise<Calls[CallName]['out']> | Calls[CallName]['out'] {
    switch (message.call) {
      case 'load': return this.load(message.arg.files, message.seq);
      case 'view': return this.engine(message.arg.profile).view(message.arg);
      case 'insights': return runRules(gatherFacts(this.engine(message.arg.profile), message.arg.window));
      case 'spikeCause': return this.engine(message.arg.profile).spikeCause(message.arg.window);
      case 'hotWindows': return this.engine(message.arg.profile).hotWindows(message.arg.metric, message.arg.group, message.arg.key);
      case 'compare': return this.compare(message.arg);
      case 'export': return exportView(this.engine(message.arg.request.profile), message.arg.request, message.arg.format, message.arg.title, message.arg.dark);
      case 'close': return this.close(message.arg.profile);
    }
  }

  /** The last comparison is kept: changing its direction or window must not join the trees again. */
  private compare(request: Calls['compare']['in']): Calls['compare']['out'] {
    const { base, next } = request;
    const key = `${base.profile} ${base.metric} ${next.profile} ${next.metric}`;
    if (this.comparison?.key !== key) {
      this.comparison = null;
      this.comparison = { key, value: new Comparison(this.engine(base.profile), base.metric, this.engine(next.profile), next.metric), profiles: [base.profile, next.profile] };
    }
    return this.comparison.value.view(request);
  }

  private close(profile: number): null {
    this.engines.delete(profile);
    if (this.comparison?.profiles.includes(profile)) this.comparison = null;
    return null;
  }

  /** Begins to download and read a file that a `load` will ask for, while the page's code is still being read. */
  prefetch(file: RemoteFile): void {
    let report: Report = () => undefined;
    let isCancelled = (): boolean => false;
    const work = new Work(this.limits, (stage, done) => report(stage, done), () => isCancelled());
    const opened = download(file.url, work).then((data) => openProfile(data instanceof Incoming ? { name: file.name, data } : { name: file.name, data }, work));
    opened.catch(() => undefined); // said when the file is asked for
    this.begun = {
      file, opened,
      watch: (to, when) => {
        report = to;
        isCancelled = when;
      },
    };
  }

  private async load(files: Calls['load']['in']['files'], seq: number): Promise<Calls['load']['out']> {
    const profiles: ProfileInfo[] = [];
    const errors: UserError[] = [];
    const reportOn = (file: string): Report => (stage, done) => this.post({ seq, kind: 'progress', progress: { file, stage, done } });
    const isCancelled = (): boolean => this.cancelled.has(seq);
    const work = (file: string): Work => new Work(this.limits, reportOn(file), isCancelled);
    const take = async (name: string, opening: Promise<Opened>): Promise<void> => {
      try {
        const { profile, sizeBytes } = await opening;
        const engine = new Engine(++this.lastProfile, profile, sizeBytes, name);
        this.engines.set(engine.id, engine);
        profiles.push(engine.info());
      } catch (error) {
        if (error instanceof CancelledError) {
          for (const profile of profiles) this.engines.delete(profile.id);
          throw error;
        }
        if (!(error instanceof InputError)) console.error(error);
        errors.push({ file: name, message: error instanceof InputError ? error.message : `The file could not be read (${error instanceof Error ? error.message : String(error)}); this is a bug in RustScope, please report it with the file.` });
      }
    };

    const { begun } = this;
    this.begun = null;
    if (begun && files.length === 1 && 'url' in files[0] && files[0].url === begun.file.url && files[0].name === begun.file.name) {
      begun.watch(reportOn(begun.file.name), isCancelled);
      await take(begun.file.name, begun.opened);
      return { profiles, errors };
    }
    const here: (InputFile | Arriving)[] = [];
    for (const file of files) {
      if (!('url' in file)) here.push(file);
      else try {
        const data = await download(file.url, work(file.name));
        // Among several files one may be the symbols of another: they are told apart by their contents first.
        if (data instanceof Incoming && files.length > 1) here.push({ name: file.name, data: (await data.whole()).buffer });
        else if (data instanceof Incoming) here.push({ name: file.name, data });
        else here.push({ name: file.name, data });
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        errors.push({ file: file.name, message: error.message });
      }
    }
    const split = await splitSidecars(here, work(here[0]?.name ?? ''));
    for (const file of split.profiles) await take(file.name, openProfile(file, work(file.name), split.sidecars));
    return { profiles, errors };
  }
}

/** The big columns of an answer move instead of being copied; only what was made for this answer may be listed. */
function buffersOf(call: CallName, value: unknown): Transferable[] {
  if (call !== 'view' && call !== 'compare') return [];
  const view = value as Calls['view']['out'] | Calls['compare']['out'];
  const columns: ArrayBufferView[] = [view.value, view.x0];
  if (view.topology) columns.push(view.topology.parent, view.topology.func, view.topology.flags, view.topology.firstChild, view.topology.rowStart);
  if ('base' in view) columns.push(view.base, view.next);
  return columns.map((column) => column.buffer as ArrayBuffer);
}

/** Both ends in one thread, for tests and for pages that may not start workers. */
export function localEndpoint(limits?: Limits): Endpoint {
  const channel = new MessageChannel();
  new Host(channel.port2 as unknown as Endpoint, limits);
  return channel.port1 as unknown as Endpoint;
}
