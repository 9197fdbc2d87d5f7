// SPDX-License-Identifier: MIT
/** From a dropped file to a Profile, or to one sentence. */
import type { InputFile, Profile } from '../model/types';
import { detect } from './detect';
import { parseFolded } from './folded';
import { CancelledError, InputError, readInput, type Work } from './input';
import { parseSession } from './session';

export interface Opened { readonly profile: Profile; readonly sizeBytes: number }

const KNOWN = 'RustScope sessions, folded stacks, samply/Firefox Profiler, pprof, speedscope, Chrome traces and perf script text';

export async function openProfile(file: InputFile, work: Work): Promise<Opened> {
  const bytes = await readInput(file.data, work);
  try {
    return { profile: await parse(bytes, file.name, work), sizeBytes: bytes.length };
  } catch (error) {
    if (error instanceof InputError || error instanceof CancelledError) throw error;
    if (error instanceof RangeError) throw new InputError('The file needs more memory than the browser gives one page; record a shorter time or a lower rate.');
    throw error;
  }
}

function parse(bytes: Uint8Array, name: string, work: Work): Promise<Profile> {
  switch (detect(bytes)) {
    case 'rustscope': return parseSession(bytes, name, work);
    case 'folded': return parseFolded(bytes, name, work);
    case 'empty': throw new InputError('The file is empty; the recording may have failed, run it again.');
    case 'unknown-json': throw new InputError(`This JSON is no profile that RustScope knows; it reads ${KNOWN}.`);
    default: throw new InputError(`The content is no profile that RustScope knows; it reads ${KNOWN}.`);
  }
}
