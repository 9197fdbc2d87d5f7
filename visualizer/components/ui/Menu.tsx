// SPDX-License-Identifier: MIT
'use client';
/** A menu at a point: arrow keys, Home, End, Escape, letters do what they do elsewhere. Closes on any click outside. */
import { useEffect, useLayoutEffect, useRef, useState } from 'react';

export type MenuItem =
  | { readonly heading: string }
  | { readonly rule: true }
  | { readonly label: string; readonly keys?: string; readonly checked?: boolean; readonly off?: boolean; readonly run: () => void };

export function Menu({ x, y, items, label, onClose }: { x: number; y: number; items: readonly MenuItem[]; label: string; onClose: () => void }) {
  const box = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState({ left: x, top: y });
  const opener = useRef<Element | null>(null);

  useLayoutEffect(() => {
    const { offsetWidth, offsetHeight } = box.current!;
    setPlace({ left: Math.max(4, Math.min(x, innerWidth - offsetWidth - 4)), top: Math.max(4, Math.min(y, innerHeight - offsetHeight - 4)) });
    opener.current = document.activeElement;
    box.current!.querySelector<HTMLButtonElement>('button:not(:disabled)')?.focus();
    return () => (opener.current as HTMLElement | null)?.focus?.();
  }, [x, y]);

  useEffect(() => {
    const outside = (event: Event): void => {
      if (!box.current?.contains(event.target as Node)) onClose();
    };
    addEventListener('pointerdown', outside, true);
    addEventListener('blur', onClose);
    return () => {
      removeEventListener('pointerdown', outside, true);
      removeEventListener('blur', onClose);
    };
  }, [onClose]);

  const key = (event: React.KeyboardEvent): void => {
    event.stopPropagation();
    const buttons = [...box.current!.querySelectorAll<HTMLButtonElement>('button:not(:disabled)')];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const go = { ArrowDown: at + 1, ArrowUp: at - 1 + buttons.length, Home: 0, End: buttons.length - 1 }[event.key];
    if (go !== undefined) buttons[go % buttons.length]?.focus();
    else if (event.key === 'Escape' || event.key === 'Tab') onClose();
    else return;
    event.preventDefault();
  };

  return (
    <div ref={box} role="menu" aria-label={label} tabIndex={-1} onKeyDown={key} className="fixed z-50 max-h-[90vh] min-w-56 overflow-auto rounded-md border border-line bg-bg py-1 shadow-float" style={place}>
      {items.map((item, i) => {
        if ('rule' in item) return <div key={i} role="separator" className="my-1 h-px bg-line" />;
        if ('heading' in item) return <div key={i} className="max-w-80 truncate px-3 py-1 text-2xs font-semibold text-muted" role="presentation">{item.heading}</div>;
        return (
          <button
            key={i}
            type="button"
            role={item.checked === undefined ? 'menuitem' : 'menuitemcheckbox'}
            aria-checked={item.checked}
            disabled={item.off}
            className="flex h-7 w-full cursor-pointer items-center gap-2 px-3 text-left text-xs hover:bg-sunken focus:bg-sunken disabled:cursor-default disabled:opacity-40"
            onClick={() => {
              onClose();
              item.run();
            }}
          >
            {item.checked !== undefined && <span className="w-3 text-accent">{item.checked ? '✓' : ''}</span>}
            <span className="min-w-0 flex-1 truncate">{item.label}</span>
            {item.keys && <kbd className="font-mono text-2xs text-muted">{item.keys}</kbd>}
          </button>
        );
      })}
    </div>
  );
}

/** A button that opens a menu under itself. */
export function MenuButton({ label, title, items, className = 'btn', children, testId }: { label: string; title?: string; items: () => readonly MenuItem[]; className?: string; children: React.ReactNode; testId?: string }) {
  const [at, setAt] = useState<{ x: number; y: number } | null>(null);
  return (
    <>
      <button
        type="button"
        className={className}
        aria-label={label}
        title={title}
        aria-haspopup="menu"
        aria-expanded={at !== null}
        data-testid={testId}
        onClick={(event) => {
          const { left, bottom } = event.currentTarget.getBoundingClientRect();
          setAt({ x: left, y: bottom + 4 });
        }}
      >
        {children}
      </button>
      {at && <Menu x={at.x} y={at.y} label={label} items={items()} onClose={() => setAt(null)} />}
    </>
  );
}
