// SPDX-License-Identifier: MIT
/** Small parts of the panes under the flame graph. */
export function Panel({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <section className="min-w-0 text-xs">
      <h3 className="eyebrow mb-2">{title}</h3>
      {children}
    </section>
  );
}

export function Stat({ term, value, note = '' }: { term: string; value: string; note?: string }) {
  return (
    <div className="min-w-0">
      <dt className="text-2xs text-muted">{term}</dt>
      <dd className="text-base font-semibold">{value}</dd>
      {note && <dd className="truncate text-2xs text-muted" title={note}>{note}</dd>}
    </div>
  );
}

export function Bars({ rows }: { rows: readonly { readonly label: string; readonly value: number; readonly text: string }[] }) {
  const max = Math.max(...rows.map((row) => row.value), 1e-12);
  return (
    <ul className="space-y-0.5">
      {rows.map((row, i) => (
        <li key={i} className="grid grid-cols-[6.5rem_1fr_auto] items-center gap-2">
          <span className="truncate text-muted" title={row.label}>{row.label}</span>
          <span className="h-3 rounded-sm bg-sunken"><span className="block h-3 rounded-sm bg-accent-fill/70" style={{ width: `${(row.value / max) * 100}%` }} /></span>
          <span className="min-w-16 text-right">{row.text}</span>
        </li>
      ))}
    </ul>
  );
}

/** An empty pane says what would fill it, and the command that does it. */
export function Empty({ title, command, children }: { title: string; command: string; children: React.ReactNode }) {
  return (
    <div className="m-auto max-w-xl px-6 py-6 text-center text-xs text-muted" data-testid="empty">
      <p className="text-sm font-medium text-fg">{title}</p>
      <p className="mt-1">{children}</p>
      <code className="mt-3 inline-block rounded bg-sunken px-2 py-1 font-mono text-fg">{command}</code>
    </div>
  );
}
