// SPDX-License-Identifier: MIT
import type { ProfileInfo } from '@/lib/model/types';

type Named = Pick<ProfileInfo, 'id' | 'name' | 'file'> & { readonly side: { readonly meta: { readonly startTs: number } } };

/** Where several open sessions have one name, what tells them apart: the file, else when they were recorded, else their order. */
export function sessionLabel(info: Named, all: readonly Named[]): string {
  const namesakes = all.filter((other) => other.name === info.name);
  if (namesakes.length < 2) return info.name;
  const distinct = (text: (one: Named) => string): boolean => new Set(namesakes.map(text)).size === namesakes.length && namesakes.every((one) => text(one) !== '');
  const time = (one: Named): string => (one.side.meta.startTs > 0 ? new Date(one.side.meta.startTs).toISOString().slice(0, 19).replace('T', ' ') : '');
  if (distinct((one) => one.file)) return `${info.name} · ${info.file}`;
  if (distinct(time)) return `${info.name} · ${time(info)}`;
  return `${info.name} · ${namesakes.indexOf(info) + 1} of ${namesakes.length}`;
}
