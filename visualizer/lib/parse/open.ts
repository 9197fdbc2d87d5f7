// SPDX-License-Identifier: MIT
/** From a dropped file to a Profile, or to one sentence. */
import type { InputFile, Profile } from '../model/types';
import { parseChrome } from './chrome';
import { detect } from './detect';
import { parseFirefox, SymbolSidecar } from './firefox';
import { parseFolded } from './folded';
import { Incoming, InputError, isGzip, readInput, type Work } from './input';
import { parsePerfScript } from './perfscript';
import { parsePprof } from './pprof';
import { parseSession } from './session';
import { parseSpeedscope } from './speedscope';

/** A file that is still being downloaded; folded stacks are read meanwhile. */
export interface Arriving { readonly name: string; readonly data: Incoming }
export interface Opened { readonly profile: Profile; readonly sizeBytes: number }

const HEAD_BYTES = 1 << 18;

const KNOWN = 'RustScope sessions, folded stacks, samply/Firefox Profiler, pprof, speedscope, Chrome traces, V8’s CPU and heap profiles and perf script text';

/** One file; SIDECARS are the symbol files that were dropped with it. */
export async function openProfile(file: InputFile | Arriving, work: Work, sidecars: readonly SymbolSidecar[] = []): Promise<Opened> {
  const { data } = file;
  if (data instanceof Incoming) {
    work.enter('reading');
    if (detect(await data.head(HEAD_BYTES)).format === 'folded') return guarded(async () => ({ profile: await parseFolded(data, file.name, work), sizeBytes: data.size }));
  }
  const bytes = await readInput(data instanceof Incoming ? (await data.whole()).buffer : data, work);
  return guarded(async () => ({ profile: await parse(bytes, file.name, work, sidecars), sizeBytes: bytes.length }));
}

/** The symbol side-cars among several files; what remains are profiles. */
export async function splitSidecars<File extends InputFile | Arriving>(files: readonly File[], work: Work): Promise<{ profiles: readonly File[]; sidecars: readonly SymbolSidecar[] }> {
  if (files.length < 2) return { profiles: files, sidecars: [] };
  const profiles: File[] = [];
  const sidecars: SymbolSidecar[] = [];
  for (const file of files) {
    if (file.data instanceof Incoming) profiles.push(file);
    else if (await isSidecar({ name: file.name, data: file.data }, work)) sidecars.push(await SymbolSidecar.read(await readInput(file.data, work), work));
    else profiles.push(file);
  }
  return { profiles, sidecars };
}

/** Told by the first bytes alone: two large sessions to compare must not be read twice. A gzipped one by its name. */
async function isSidecar(file: { readonly name: string; readonly data: InputFile['data'] }, work: Work): Promise<boolean> {
  const head = new Uint8Array(file.data instanceof ArrayBuffer ? file.data.slice(0, HEAD_BYTES) : await file.data.slice(0, HEAD_BYTES).arrayBuffer());
  if (!isGzip(head)) return detect(head).format === 'firefox-symbols';
  return /syms/i.test(file.name) && detect(await readInput(file.data, work)).format === 'firefox-symbols';
}

async function guarded<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof RangeError) throw new InputError('The file needs more memory than the browser gives one page; record a shorter time or a lower rate.');
    throw error;
  }
}

async function parse(bytes: Uint8Array, name: string, work: Work, sidecars: readonly SymbolSidecar[]): Promise<Profile> {
  const detected = detect(bytes);
  switch (detected.format) {
    case 'rustscope': return parseSession(bytes, name, work);
    case 'folded': return parseFolded(bytes, name, work);
    case 'pprof': return parsePprof(bytes, name, work);
    case 'speedscope': return parseSpeedscope(bytes, name, work);
    case 'firefox': return parseFirefox(bytes, name, work, sidecars);
    case 'chrome': return parseChrome(bytes, name, work);
    case 'perf-script': return parsePerfScript(bytes, name, work);
    case 'foreign': throw new InputError(detected.sentence);
    case 'firefox-symbols': throw new InputError('This is a symbol side-car (.syms.json) of samply; drop it together with its profile.');
    case 'empty': throw new InputError('The file is empty; the recording may have failed, run it again.');
    case 'unknown-json': throw new InputError(`This JSON is not a profile that RustScope reads. It reads ${KNOWN}.`);
    case 'unknown': throw new InputError(`This file is not a profile that RustScope reads. It reads ${KNOWN}.`);
  }
}
