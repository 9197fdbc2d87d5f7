// SPDX-License-Identifier: MIT
'use client';
/** What the rules found in the window, and, when a spike is open, what made it. */
import { useState } from 'react';
import { LAYER_ALLOC, LAYER_USER, type Insight, type Severity } from '@/lib/model/types';
import { clock, pct, quantity } from '../format';
import { shortName } from '../names';
import { store, useTab } from '../state/store';

const MARK: Record<Severity, { readonly dot: string; readonly word: string }> = {
  critical: { dot: 'bg-bad', word: 'critical' }, warning: { dot: 'bg-warn', word: 'warning' }, info: { dot: 'bg-muted', word: 'note' },
};

export function Insights() {
  const insights = useTab((tab) => tab.insights);
  const warnings = useTab((tab) => tab.info.side.diagnostics.warnings);
  const window = useTab((tab) => tab.query.window);
  const spike = useTab((tab) => tab.spike);
  return (
    <section aria-labelledby="insights-title" className="flex min-h-0 flex-1 flex-col" data-testid="insights">
      <div className="flex h-10 shrink-0 items-center border-b border-line px-3">
        <h2 id="insights-title" className="eyebrow flex-1">Insights{insights?.length ? ` (${insights.length})` : ''}</h2>
        <span className="text-2xs text-muted">{window ? 'of the window' : 'of the session'}</span>
      </div>
      <div className="min-h-0 flex-1 overflow-auto" tabIndex={0} role="region" aria-labelledby="insights-title">
        {spike && <SpikeCard />}
        {insights && insights.length === 0 && !spike && (
          <div className="px-3 py-4 text-xs text-muted">
            <p className="font-medium text-fg">Nothing stands out.</p>
            <p className="mt-1">Spikes, hot functions, leaks, locks and lost samples were looked for {window ? 'in this window' : 'in this session'}; nothing reached a threshold.</p>
          </div>
        )}
        {insights?.map((insight, i) => <Card key={`${insight.rule} ${i}`} insight={insight} />)}
        {warnings && warnings.length > 0 && (
          <details className="border-b border-line px-3 py-2 text-xs">
            <summary className="cursor-pointer text-muted">{warnings.length === 1 ? '1 remark from the recording' : `${warnings.length} remarks from the recording`}</summary>
            <ul className="mt-1 list-disc pl-4 text-muted">{warnings.map((text, i) => <li key={i} className="break-words">{text}</li>)}</ul>
          </details>
        )}
      </div>
    </section>
  );
}

function Card({ insight }: { insight: Insight }) {
  const [open, setOpen] = useState(false);
  const mark = MARK[insight.severity];
  const jump = (func: number, window: Insight['window']): void => {
    if (window) store.query({ window });
    if (func >= 0) store.select(func);
  };
  return (
    <article className="border-b border-line text-xs" data-testid="insight" data-rule={insight.rule}>
      <button type="button" aria-expanded={open} className="flex w-full cursor-pointer items-start gap-2 px-3 py-2 text-left hover:bg-sunken" onClick={() => setOpen(!open)}>
        <span aria-hidden="true" className={`mt-1 size-2 shrink-0 rounded-full ${mark.dot}`} />
        <span className="min-w-0 flex-1 font-medium break-words"><span className="sr-only">{mark.word}: </span>{insight.title}</span>
        <span aria-hidden="true" className="text-muted">{open ? '−' : '+'}</span>
      </button>
      {open && (
        <div className="space-y-2 px-3 pb-3 pl-7">
          <p className="text-muted">{insight.why}</p>
          {insight.evidence.length > 0 && (
            <ul className="space-y-0.5">
              {insight.evidence.map((one, i) => (
                <li key={i} className="flex items-baseline gap-2">
                  {one.func >= 0 || one.window ? (
                    <button type="button" className="link min-w-0 flex-1 truncate text-left" title={one.text} onClick={() => jump(one.func, one.window)}>{shortName(one.text)}</button>
                  ) : (
                    <span className="min-w-0 flex-1 break-words">{one.text}</span>
                  )}
                  {!Number.isNaN(one.share) && <span className="text-muted">{pct(one.share)}</span>}
                </li>
              ))}
            </ul>
          )}
          <p><span className="font-medium">Try: </span>{insight.advice}</p>
          {insight.window && <button type="button" className="link" onClick={() => jump(-1, insight.window)}>Show {clock(insight.window.fromMs)}–{clock(insight.window.toMs)}</button>}
          <p className="text-2xs text-muted">Rule {insight.rule}: {insight.threshold}</p>
        </div>
      )}
    </article>
  );
}

function SpikeCard() {
  const spike = useTab((tab) => tab.spike);
  const names = useTab((tab) => tab.info.funcs.names);
  const layers = useTab((tab) => tab.info.funcs.layer);
  if (!spike || !names || !layers) return null;
  const { event, cause } = spike;
  const row = (text: string, value: string, func: number, key: number): React.ReactElement => (
    <li key={key} className="flex items-baseline gap-2">
      {func >= 0 ? <button type="button" className="link min-w-0 flex-1 truncate text-left" title={text} onClick={() => store.select(func)}>{shortName(text)}</button> : <span className="min-w-0 flex-1 truncate" title={text}>{text}</span>}
      <span className="text-muted">{value}</span>
    </li>
  );
  return (
    <article className="border-b border-line bg-accent-soft/60 px-3 py-2 text-xs" data-testid="spike-card">
      <div className="flex items-start gap-2">
        <p className="min-w-0 flex-1 font-medium break-words">{event.text || `Spike at ${clock(event.startMs)}`}</p>
        <button type="button" aria-label="Close the spike" className="cursor-pointer text-muted hover:text-fg" onClick={() => store.patch({ spike: null })}>✕</button>
      </div>
      {!cause && <p className="mt-1 text-muted">Looking for what made it…</p>}
      {cause && cause.functions.length > 0 && (
        <>
          <h3 className="eyebrow mt-2">Your functions on the CPU</h3>
          <ul data-testid="spike-functions">{cause.functions.slice(0, 6).map((one, i) => (
            <li key={i}>
              <ul>{row(one.name, quantity(one.value, one.unit), one.func, i)}</ul>
              {one.via >= 0 && <p className="truncate pl-3 text-2xs text-muted" title={names[one.via]}>via {shortName(names[one.via] ?? '')}</p>}
            </li>
          ))}</ul>
        </>
      )}
      {cause && cause.allocations.length > 0 && (
        <>
          <h3 className="eyebrow mt-2">Allocation paths</h3>
          <ul data-testid="spike-allocations">
            {cause.allocations.slice(0, 6).map((one, i) => {
              // malloc allocates everything: the reader can change the first frame that is theirs, else the first that is not the allocator's.
              const inward = [...one.path].reverse();
              const readers = inward.findIndex((func) => layers[func] === LAYER_USER);
              const from = readers >= 0 ? readers : Math.max(0, inward.findIndex((func) => layers[func] !== LAYER_ALLOC));
              const who = inward[from] ?? one.func;
              return (
                <li key={i}>
                  <ul>{row(names[who] ?? one.name, quantity(one.value, one.unit), who, i)}</ul>
                  {from > 0 && layers[inward[from - 1]] !== LAYER_ALLOC && <p className="truncate pl-3 text-2xs text-muted" title={names[inward[from - 1]]}>via {shortName(names[inward[from - 1]] ?? '')}</p>}
                  {inward.length > from + 1 && <p className="truncate pl-3 text-2xs text-muted" title={inward.map((func) => names[func]).join('\n')}>‹ {inward.slice(from + 1).map((func) => shortName(names[func] ?? '')).join(' ‹ ')}</p>}
                </li>
              );
            })}
          </ul>
        </>
      )}
      {cause && !cause.functions.length && !cause.allocations.length && <p className="mt-1 text-muted">No stacks were recorded in this window. <code>rustscope doctor</code> says why.</p>}
    </article>
  );
}
