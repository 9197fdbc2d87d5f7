(() => {
  const address = URL.createObjectURL(new Blob([document.getElementById('rustscope-worker').textContent], { type: 'text/javascript' }));
  const worker = (globalThis.rustscopeWorker = new Worker(address));
  URL.revokeObjectURL(address);
  const wanted = new URLSearchParams(location.search).get('url');
  const url = wanted && URL.canParse(wanted, location.href) && new URL(wanted, location.href);
  if (url && url.origin === location.origin && url.protocol !== 'file:') worker.postMessage({ seq: 0, call: 'prefetch', url: url.href });
})();
