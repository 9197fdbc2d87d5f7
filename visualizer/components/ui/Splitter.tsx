// SPDX-License-Identifier: MIT
'use client';
/** The line between two panes; VALUE is the size of the pane after it. */
import { useRef } from 'react';

export function Splitter({ label, axis, value, onChange }: { label: string; axis: 'x' | 'y'; value: number; onChange: (value: number) => void }) {
  const start = useRef<{ at: number; value: number } | null>(null);
  const across = axis === 'x';
  return (
    <div
      role="separator"
      tabIndex={0}
      aria-label={label}
      aria-orientation={across ? 'vertical' : 'horizontal'}
      aria-valuenow={value}
      className={`relative z-10 bg-line hover:bg-accent ${across ? 'h-full w-px cursor-col-resize' : 'h-px w-full cursor-row-resize'}`}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        start.current = { at: across ? event.clientX : event.clientY, value };
      }}
      onPointerMove={(event) => start.current && onChange(start.current.value + start.current.at - (across ? event.clientX : event.clientY))}
      onPointerUp={() => (start.current = null)}
      onKeyDown={(event) => {
        const step = { ArrowLeft: 16, ArrowUp: 16, ArrowRight: -16, ArrowDown: -16 }[event.key];
        if (!step) return;
        event.preventDefault();
        event.stopPropagation();
        onChange(value + step);
      }}
    >
      <span className={`absolute ${across ? '-left-1 h-full w-2' : '-top-1 h-2 w-full'}`} />
    </div>
  );
}
