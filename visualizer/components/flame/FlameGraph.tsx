// SPDX-License-Identifier: MIT
'use client';
/**
 * The flame graph with everything around its canvas: hover card, context menu, keyboard, minimap, and a hidden tree that
 * says to assistive technology where the selection stands (parents, the frame itself, its heaviest children).
 */
import { useCallback, useRef, useState } from 'react';
import { pct } from '../format';
import { store, useTab, type Loaded } from '../state/store';
import { Menu } from '../ui/Menu';
import { AriaTree } from './AriaTree';
import { handleFrameKey } from './frameKeys';
import { frameMenu } from './frameMenu';
import { nodeName } from './frames';
import { HoverCard, type Pointed } from './HoverCard';
import { useController, viewOf, type Half } from './useController';
import { useLook } from './useLook';

/** The root and the function itself: the bar between the halves shows them, once. */
const SANDWICH_ROWS = 2;

/** The callers' half is drawn with the root at the bottom, so that callers stand on top. */
export function FlameGraph({ which, className = '' }: { which: Half; className?: string }) {
  const isMain = which === 'main';
  const info = useTab((tab) => tab.info);
  const view = useTab((tab) => tab[which]);
  const query = useTab((tab) => tab.query);
  const matched = useTab((tab) => tab.search.matched);
  const selection = useTab((tab) => tab.selection);
  const canvasRef = useRef<HTMLCanvasElement>(null);
  const minimapRef = useRef<HTMLCanvasElement>(null);
  const [hover, setHover] = useState<Pointed | null>(null);
  const [menu, setMenu] = useState<Pointed | null>(null);
  const [hoverView, setHoverView] = useState(view);
  if (hoverView !== view) {
    // The frame under the pointer is another one now; the card comes back with the next move.
    setHoverView(view);
    setHover(null);
    setMenu(null);
  }
  const sandwich = query?.mode === 'sandwich' && query.func >= 0;
  const flame = isMain ? !sandwich && (query?.flame ?? false) : true;
  const selected = isMain ? selection?.node ?? -1 : -1;
  const look = useLook(info, view, { matched, selected, hovered: hover?.node ?? -1 });
  const controller = useController(which, canvasRef, minimapRef, {
    hover: (at) => setHover((held) => (held && at && held.node === at.node && held.x === at.x && held.y === at.y ? held : at)),
    menu: setMenu,
  }, { view, look, flame, skip: sandwich ? SANDWICH_ROWS : 0, range: isMain ? query : null, selected });

  const key = useCallback((event: React.KeyboardEvent): void => {
    const made = controller.current;
    const seen = viewOf(which);
    if (!made || !seen) return;
    const openMenu = (node: number): void => {
      const box = canvasRef.current!.getBoundingClientRect();
      setMenu({ node, x: box.left + Math.max(0, made.renderer.span(node)[0]) + 8, y: box.top + made.renderer.rowTop(made.renderer.rowOf(node)) + 20 });
    };
    if (!handleFrameKey(event, made, seen, flame, openMenu)) return;
    event.preventDefault();
    event.stopPropagation();
  }, [flame, which, controller]);

  const empty = view && !(view.value[0] > 0);
  return (
    <div className={`relative flex min-h-0 flex-col ${className}`}>
      <div
        role="tree"
        tabIndex={0}
        aria-label={isMain ? 'Flame graph' : 'Callers'}
        aria-describedby={isMain ? 'flame-help' : undefined}
        data-testid={`flame-${which}`}
        className="relative min-h-0 flex-1 overflow-hidden outline-offset-[-2px]"
        onKeyDown={key}
      >
        <canvas ref={canvasRef} aria-hidden="true" className="absolute inset-0 block size-full cursor-pointer touch-none" />
        {info && view && !empty && <AriaTree info={info} view={view} node={selected} />}
        {empty && <NothingHere view={view} />}
        {sandwich && view && !empty && view.topology.rowStart.length - 1 <= SANDWICH_ROWS && <p className="absolute inset-x-0 top-1/3 text-center text-muted">{isMain ? 'No stack shows it calling anything.' : 'No stack shows who calls it.'}</p>}
      </div>
      {isMain && (
        <>
          <p role="status" className="sr-only">
            {info && view && selected > 0 && selected < view.topology.count ? `${nodeName(info, view, selected)}, ${pct(view.value[selected] / view.value[0])} of the total` : ''}
          </p>
          <p id="flame-help" className="sr-only">Arrow keys move between frames, Enter zooms in, 0 shows everything, question mark lists all keys.</p>
          <div className="h-6 shrink-0 cursor-ew-resize border-t border-line" title="Drag to choose a part, click to move there">
            <canvas ref={minimapRef} aria-hidden="true" data-testid="minimap" className="block size-full touch-none" />
          </div>
        </>
      )}
      {hover && !menu && info && view && <HoverCard hover={hover} info={info} view={view} />}
      {menu && info && view && <Menu x={menu.x} y={menu.y} label="Frame" items={frameMenu(info, view, menu.node, controller.current)} onClose={() => setMenu(null)} />}
    </div>
  );
}

/** An empty graph says why it is empty, and offers the way back. */
function NothingHere({ view }: { view: Loaded }) {
  const query = useTab((tab) => tab.query);
  return (
    <p className="absolute inset-x-0 top-1/3 px-6 text-center text-muted">
      {query?.window ? 'Nothing was recorded in this window.' : `Nothing was recorded for “${view.metric.label}”.`}
      <br />
      {query?.window ? (
        <button type="button" className="link" onClick={() => store.query({ window: null })}>Show the whole session</button>
      ) : query?.transforms.length ? (
        <button type="button" className="link" onClick={() => store.query({ transforms: [] })}>Remove the filters</button>
      ) : 'Another metric may have data.'}
    </p>
  );
}
