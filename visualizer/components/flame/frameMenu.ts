// SPDX-License-Identifier: MIT
/** The context menu of a frame. */
import type { ProfileInfo } from '@/lib/model/types';
import { foldAt } from '@/lib/view/fold';
import { hasCrates, shortName } from '../names';
import { store, type Loaded } from '../state/store';
import { copyText } from '../ui/copy';
import type { MenuItem } from '../ui/Menu';
import type { FlameController } from './controller';
import { stackOf } from './frames';

export function frameMenu(info: ProfileInfo, view: Loaded, node: number, made: FlameController | null): MenuItem[] {
  const func = view.topology.func[node];
  if (foldAt(view.topology, node)) {
    return [
      { label: 'Show these frames', keys: 'Enter', run: () => store.query({ foldRoot: false }) },
      { label: 'Zoom to them', run: () => made?.zoomToNode(node) },
      { label: 'Copy them', run: () => void copyText(stackOf(info, view, node).join('\n'), 'the frames') },
    ];
  }
  const real = func >= 0 && func < info.funcs.real;
  const crate = real ? info.funcs.crate[func] : -1;
  const module = real ? info.funcs.module[func] : -1;
  const word = hasCrates(info) ? 'crate' : 'module';
  const short = shortName(info.funcs.names[func] ?? 'all');
  return [
    { heading: short },
    { label: 'Zoom to this frame', keys: 'Enter', run: () => made?.zoomToNode(node) },
    { label: 'Callers and callees (sandwich)', keys: 's', run: () => store.sandwich(func), off: !real },
    { rule: true },
    { label: 'Focus: make it the root', keys: 'f', run: () => store.transform({ kind: 'focus', func }), off: !real },
    { label: 'Merge into its caller', keys: 'm', run: () => store.transform({ kind: 'merge', func }), off: !real },
    { label: 'Collapse what it calls', keys: 'c', run: () => store.transform({ kind: 'collapse-function', func }), off: !real },
    { label: 'Drop samples with it', keys: 'd', run: () => store.transform({ kind: 'drop', func }), off: !real },
    { rule: true },
    { label: `Collapse ${word}${crate >= 0 ? ` ${info.crates[crate]}` : ''}`, keys: 'C', run: () => store.transform({ kind: 'collapse-crate', crate }), off: crate < 0 },
    { label: `Merge ${word}${crate >= 0 ? ` ${info.crates[crate]} into callers` : ''}`, keys: 'M', run: () => store.transform({ kind: 'merge-crate', crate }), off: crate < 0 },
    ...(word === 'module' ? [] : [{ label: module >= 0 ? `Collapse module ${info.modules[module].name}` : 'Collapse module', run: () => store.transform({ kind: 'collapse-module', module }), off: module < 0 }]),
    { rule: true },
    { label: 'Find this function', run: () => store.search(info.funcs.names[func] ?? '', false), off: func < 0 },
    { label: 'Copy name', run: () => void copyText(info.funcs.names[func] ?? 'all', 'the name') },
    { label: 'Copy stack', keys: 'Ctrl C', run: () => void copyText(stackOf(info, view, node).join('\n'), 'the stack') },
  ];
}
