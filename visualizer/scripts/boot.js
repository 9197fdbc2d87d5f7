(() => {
  // The file that comes with the page or its address, when it is one: as openFromPage() in components/state/open.ts.
  const first = () => {
    const block = document.getElementById('rustscope-session').textContent;
    if (block.startsWith('{"urls":')) {
      const { urls } = JSON.parse(block);
      return urls.length === 1 ? { name: urls[0].name, url: new URL(urls[0].url, location.href).href } : null;
    }
    const wanted = block.startsWith('{') ? null : new URLSearchParams(location.search).get('url');
    const url = wanted && URL.canParse(wanted, location.href) && new URL(wanted, location.href);
    return url && url.origin === location.origin && url.protocol !== 'file:' ? { name: url.pathname.split('/').pop() || 'session', url: url.href } : null;
  };
  const parts = [`globalThis.rustscopeFirst=${JSON.stringify(first() ?? undefined)};`, document.getElementById('rustscope-worker').textContent];
  const address = URL.createObjectURL(new Blob(parts, { type: 'text/javascript' }));
  globalThis.rustscopeWorker = new Worker(address);
  URL.revokeObjectURL(address);
})();
