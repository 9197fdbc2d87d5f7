// SPDX-License-Identifier: MIT
/** What the page asks of lib/view/search, with the lower-cased names kept per session. */
import type { ProfileInfo, Topology } from '@/lib/model/types';
import { foldAt } from '@/lib/view/fold';
import { NameSearch } from '@/lib/view/search';
import { searchedName } from '../names';

const searches = new WeakMap<ProfileInfo, NameSearch>();

export function matchFunctions(info: ProfileInfo, text: string, regexp: boolean): { matched: Uint8Array | null; error: string } {
  let search = searches.get(info);
  if (!search) searches.set(info, (search = new NameSearch(info.funcs.names, searchedName)));
  const { mask, error } = search.find({ text, regexp });
  return error ? { matched: null, error } : { matched: mask, error: '' };
}

/** The heaviest frame of FUNC, -1 when the view has none. */
export function heaviestOf(view: { readonly topology: Topology; readonly value: Float64Array }, func: number): number {
  let best = -1;
  const { count, func: funcs } = view.topology;
  for (let i = 1; i < count; i++) if ((funcs[i] === func || foldAt(view.topology, i)?.includes(func)) && view.value[i] > 0 && (best < 0 || view.value[i] > view.value[best])) best = i;
  return best;
}
