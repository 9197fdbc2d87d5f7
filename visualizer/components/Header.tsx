// SPDX-License-Identifier: MIT
'use client';
import type { ExportFormat, ProfileInfo } from '@/lib/model/types';
import { bytes, clock, count } from './format';
import { downloadPng, exportView } from './exports';
import { pickFiles } from './state/open';
import { store, useApp, useTab } from './state/store';
import { sessionLabel } from './sessionLabel';
import { SearchBox } from './SearchBox';
import { Logo } from './ui/Logo';
import { MenuButton } from './ui/Menu';

/** The session in one line: 14.2 s · 98 % CPU · 57 MB · 2 spikes. Only what was measured. */
function facts(info: ProfileInfo): string[] {
  const { meta, summary, events } = info.side;
  const spikes = events.filter((event) => event.type.includes('spike')).length;
  return [
    meta.durationMs > 0 && clock(meta.durationMs, 100),
    summary.cpuAvgPct >= 0 && `${summary.cpuAvgPct.toFixed(0)} % CPU`,
    summary.rssPeakMb > 0 && `${bytes(summary.rssPeakMb * 1e6)} peak`,
    summary.threadPeak > 1 && `${count(summary.threadPeak)} threads`,
    spikes > 0 && `${spikes} ${spikes === 1 ? 'spike' : 'spikes'}`,
    meta.durationMs > 0 || `${info.format} · ${count(info.nodes)} nodes`,
  ].filter((fact): fact is string => typeof fact === 'string');
}

export function setTheme(theme: 'light' | 'dark'): void {
  try {
    localStorage.setItem('rustscope-theme', theme);
  } catch { /* storage is off: this page only */ }
  store.set({ theme });
}

export function Header() {
  const tabs = useApp((state) => state.tabs);
  const active = useApp((state) => state.active);
  const comparing = useApp((state) => state.compare !== null);
  const theme = useApp((state) => state.theme);
  const info = useTab((tab) => tab.info);
  const infos = tabs.map((tab) => tab.info);
  const exporting = (format: ExportFormat) => () => void exportView(format);
  return (
    <header className="shrink-0 border-b border-line bg-bg">
      <div className="flex h-11 items-center gap-3 px-3">
        <h1 className="flex items-center gap-2 font-semibold">
          <Logo />
          <span className={info ? 'max-lg:sr-only' : ''}>RustScope</span>
        </h1>
        {info && (
          <div className="flex min-w-0 flex-1 items-baseline gap-3">
            <span className="max-w-full min-w-0 shrink-0 truncate font-medium" title={info.name} data-testid="session-name">{info.name}</span>
            <span className="min-w-0 truncate text-xs text-muted max-sm:hidden">{facts(info).join(' · ')}</span>
          </div>
        )}
        {!info && <span className="flex-1" />}
        {info && !comparing && <div className="max-md:hidden"><SearchBox /></div>}
        {info && (
          <button
            type="button"
            className="btn max-sm:hidden"
            aria-pressed={comparing}
            data-testid="compare"
            title={tabs.length < 2 ? 'Open a second session to compare' : 'Compare two sessions'}
            onClick={() => (comparing ? void store.compare(null) : tabs.length < 2 ? pickFiles() : void store.compare({}))}
          >
            Compare
          </button>
        )}
        {info && (
          <MenuButton
            label="Export"
            testId="export"
            items={() => [
              { heading: 'What is shown now, as' },
              { label: 'SVG picture', run: exporting('svg') },
              { label: 'PNG picture', run: () => void downloadPng() },
              { label: 'Folded stacks', run: exporting('folded') },
              { label: 'speedscope JSON', run: exporting('speedscope') },
              { label: 'CSV of functions', run: exporting('csv') },
            ]}
          >
            Export
          </MenuButton>
        )}
        <button type="button" className="btn" onClick={() => pickFiles()} aria-label="Open files" title="Open files (o)">Open</button>
        <button type="button" className="btn btn-quiet max-sm:hidden" aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)" onClick={() => store.set({ sheet: true })}>?</button>
        <button type="button" className="btn btn-quiet" data-testid="theme" aria-label={theme === 'dark' ? 'Light colours' : 'Dark colours'} title="Light or dark" onClick={() => setTheme(theme === 'dark' ? 'light' : 'dark')}>
          <svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">
            <circle cx="7" cy="7" r="5.25" fill="none" stroke="currentColor" strokeWidth="1.5" />
            <path d="M7 1.75a5.25 5.25 0 0 1 0 10.5z" fill="currentColor" />
          </svg>
        </button>
      </div>
      {info && !comparing && <div className="px-3 pb-2 md:hidden"><SearchBox wide /></div>}
      {tabs.length > 1 && (
        <div role="group" aria-label="Sessions" className="flex h-8 items-end gap-1 overflow-x-auto px-3">
          {tabs.map((tab, i) => (
            <div key={tab.info.id} title={sessionLabel(tab.info, infos)} className={`flex h-7 max-w-80 items-center rounded-t border border-b-0 ${i === active && !comparing ? 'border-line bg-panel font-medium' : 'border-transparent text-muted'}`}>
              <button type="button" data-testid="session-tab" aria-current={i === active ? 'page' : undefined} className="min-w-0 flex-1 cursor-pointer truncate px-2 text-xs" onClick={() => store.set({ active: i, compare: null })}>
                {sessionLabel(tab.info, infos)}
              </button>
              <button type="button" aria-label={`Close ${sessionLabel(tab.info, infos)}`} className="cursor-pointer px-1.5 text-xs text-muted hover:text-fg" onClick={() => store.close(i)}>✕</button>
            </div>
          ))}
        </div>
      )}
    </header>
  );
}

