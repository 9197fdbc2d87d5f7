// SPDX-License-Identifier: MIT
/** What keys do while a flame graph has the focus: walk, zoom, copy, open the menu. */
import { foldAt } from '@/lib/view/fold';
import { store, type Loaded } from '../state/store';
import { copyText } from '../ui/copy';
import type { FlameController } from './controller';
import { childrenByWeight, stackOf } from './frames';

/** FLAME: the root is at the bottom. Returns whether the key was one of the graph's. */
export function handleFrameKey(event: React.KeyboardEvent, made: FlameController, view: Loaded, flame: boolean, openMenu: (node: number) => void): boolean {
  const tab = store.tab!;
  const node = tab.selection?.node ?? -1;
  const go = (next: number): void => {
    if (next < 0) return;
    store.select(view.topology.func[next], next);
    store.reveal(next);
  };
  const vertical = (down: boolean): void => {
    if (node < 0) return go(0);
    if (down) return go(childrenByWeight(view, node)[0] ?? -1);
    go(view.topology.parent[node]);
  };
  const sideways = (step: 1 | -1): void => {
    if (node < 1) return;
    const parent = view.topology.parent[node];
    for (let i = node + step; i >= view.topology.firstChild[parent] && i < view.topology.firstChild[parent + 1]; i += step) if (view.value[i] > 0) return go(i);
  };
  if (event.ctrlKey || event.metaKey || event.altKey) {
    if (event.key !== 'c' || node <= 0 || getSelection()?.toString()) return false;
    void copyText(stackOf(tab.info, view, node).join('\n'), 'the stack');
    event.preventDefault();
    return false; // the page's own keys may still want it
  }
  switch (event.key) {
    case 'ArrowDown': vertical(!flame); break;
    case 'ArrowUp': vertical(flame); break;
    case 'ArrowLeft': sideways(-1); break;
    case 'ArrowRight': sideways(1); break;
    case 'Enter':
      if (node > 0 && foldAt(view.topology, node)) store.query({ foldRoot: false });
      else made.zoomToNode(Math.max(0, node));
      break;
    case '+': case '=': made.zoomBy(0.5); break;
    case '-': made.zoomBy(2); break;
    case '0': made.zoomTo(0, 1); break;
    case 'Home': go(0); break;
    case '<': made.panBy(-0.25); break;
    case '>': made.panBy(0.25); break;
    case 'ContextMenu': if (node > 0) openMenu(node); break;
    default: return false;
  }
  return true;
}
