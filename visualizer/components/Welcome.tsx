// SPDX-License-Identifier: MIT
'use client';
/** What stands here before a session: how to get one in, and how to make one. And the target for files dropped anywhere. */
import { useRef, useState } from 'react';
import { openFiles, openSample, hasSample, pickFiles } from './state/open';
import { Logo } from './ui/Logo';

const FORMATS = ['RustScope', 'folded stacks', 'pprof', 'samply · Firefox Profiler', 'speedscope', 'Chrome trace', 'perf script'];

export function Welcome() {
  return (
    <main className="flex min-h-0 flex-1 items-center justify-center overflow-auto bg-sunken p-6">
      <div className="w-full max-w-2xl">
        <button
          type="button"
          data-testid="drop"
          onClick={() => pickFiles()}
          className="flex w-full cursor-pointer flex-col items-center rounded-lg border border-dashed border-line-strong bg-bg px-6 py-12 text-center hover:border-accent"
        >
          <Logo size={40} />
          <span className="mt-4 text-lg font-semibold">Drop a session here</span>
          <span className="mt-1 text-muted">or click to choose files, or paste. Several files open as tabs and compare.</span>
          <span className="mt-6 flex flex-wrap justify-center gap-2">
            {FORMATS.map((name) => (
              <span key={name} className="rounded bg-sunken px-2 py-0.5 text-xs text-muted">{name}</span>
            ))}
          </span>
        </button>
        <div className="mt-4 grid gap-4 sm:grid-cols-2">
          <div className="rounded-lg border border-line bg-bg p-4">
            <h2 className="font-semibold">Record one</h2>
            <pre className="mt-2 overflow-x-auto rounded bg-sunken px-3 py-2 font-mono text-xs">rustscope -- ./my-app{'\n'}rustscope view rustscope-last.json</pre>
          </div>
          <div className="flex flex-col rounded-lg border border-line bg-bg p-4">
            <h2 className="font-semibold">Look around first</h2>
            <p className="mt-1 flex-1 text-muted">A session of a small service comes with this page: a spike, a leak, scopes and a benchmark.</p>
            <div className="mt-3">
              <button type="button" className="btn btn-primary" data-testid="sample" disabled={!hasSample()} onClick={openSample}>Open the sample session</button>
            </div>
          </div>
        </div>
        <p className="mt-4 text-center text-xs text-muted">Nothing leaves your machine: this page makes no network request.</p>
      </div>
    </main>
  );
}

export function DropTarget({ children }: { children: React.ReactNode }) {
  const [over, setOver] = useState(false);
  const depth = useRef(0);
  const files = (event: React.DragEvent): boolean => event.dataTransfer.types.includes('Files');
  return (
    <div
      className="h-full"
      onDragEnter={(event) => {
        if (!files(event)) return;
        depth.current++;
        setOver(true);
      }}
      onDragLeave={() => {
        depth.current = Math.max(0, depth.current - 1);
        if (!depth.current) setOver(false);
      }}
      onDragOver={(event) => files(event) && event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        depth.current = 0;
        setOver(false);
        openFiles(event.dataTransfer.files);
      }}
    >
      {children}
      {over && (
        <div className="pointer-events-none fixed inset-2 z-50 flex items-center justify-center rounded-lg border-2 border-dashed border-accent bg-bg/80 text-lg font-semibold text-accent">
          Drop to open
        </div>
      )}
    </div>
  );
}
