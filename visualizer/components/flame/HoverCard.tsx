// SPDX-License-Identifier: MIT
'use client';
/** What stands beside the pointer: the whole name, shares, and where the function is. */
import { FLAG_INLINED, LAYERS, type ProfileInfo } from '@/lib/model/types';
import { foldAt } from '@/lib/view/fold';
import { pct, quantity } from '../format';
import { shortName } from '../names';
import type { Loaded } from '../state/store';
import { nodeName, selfOf } from './frames';

/** A frame under a point of the window, in CSS pixels. */
export interface Pointed { readonly node: number; readonly x: number; readonly y: number }

export function HoverCard({ hover, info, view }: { hover: Pointed; info: ProfileInfo; view: Loaded }) {
  const { node } = hover;
  if (node >= view.topology.count) return null;
  const func = view.topology.func[node];
  const total = view.value[0];
  const { unit } = view.metric;
  const self = selfOf(view, node);
  const { funcs } = info;
  const path = foldAt(view.topology, node);
  const file = func >= 0 && funcs.file[func] >= 0 ? info.files[funcs.file[func]] : '';
  const crate = func >= 0 && funcs.crate[func] >= 0 ? info.crates[funcs.crate[func]] : '';
  const module = func >= 0 && funcs.module[func] >= 0 ? info.modules[funcs.module[func]].name : '';
  const below = hover.y < innerHeight - 190;
  return (
    <div
      role="tooltip"
      data-testid="hover-card"
      className="pointer-events-none fixed z-40 w-max max-w-md rounded-md border border-line bg-bg px-3 py-2 shadow-float"
      style={{ left: Math.max(8, Math.min(hover.x + 14, innerWidth - 460)), ...(below ? { top: hover.y + 18 } : { bottom: innerHeight - hover.y + 10 }) }}
    >
      <div className="font-medium break-all">{nodeName(info, view, node)}</div>
      <dl className="mt-1 grid grid-cols-[auto_auto_auto] justify-start gap-x-3 text-xs">
        <dt className="text-muted">total</dt>
        <dd className="text-right">{quantity(view.value[node], unit)}</dd>
        <dd className="text-right text-muted">{pct(view.value[node] / total)}</dd>
        {!path && (
          <>
            <dt className="text-muted">self</dt>
            <dd className="text-right">{quantity(self, unit)}</dd>
            <dd className="text-right text-muted">{pct(self / total)}</dd>
          </>
        )}
      </dl>
      {path && (
        <div className="mt-1 text-xs text-muted">
          Start-up code between the root and your code. Click to show its frames:
          <ol className="mt-1 text-2xs">{path.slice(0, 24).map((one, i) => <li key={i} className="truncate">{shortName(funcs.names[one])}</li>)}</ol>
        </div>
      )}
      {!path && func >= 0 && (
        <div className="mt-1 text-xs break-all text-muted">
          {[crate && crate !== module ? `${crate} · ${module}` : module || crate, LAYERS[funcs.layer[func]] !== 'unknown' && LAYERS[funcs.layer[func]], view.topology.flags[node] & FLAG_INLINED && 'inlined']
            .filter(Boolean).join(' · ')}
          {file && <div className="font-mono text-2xs">{file}{funcs.line[func] > 0 ? `:${funcs.line[func]}` : ''}</div>}
        </div>
      )}
    </div>
  );
}
