// Where the engine comes from and how a worker starts; in browsers.

/** Compiles the file beside this one. */
export function load() {
  return compile(fetch(new URL('./greenlight.wasm', import.meta.url)));
}

/** Compiles a response, whatever its `Content-Type`. */
export async function compile(pending) {
  const response = await pending;
  if (!response.ok) throw new Error(`${response.url}: status ${response.status}`);
  const type = response.headers.get('Content-Type')?.split(';')[0].trim();
  return type === 'application/wasm' && WebAssembly.compileStreaming
    ? WebAssembly.compileStreaming(response)
    : WebAssembly.compile(await response.arrayBuffer());
}

/** Starts worker.js. */
export function startWorker({ message, error }) {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  worker.onmessage = event => message(event.data);
  worker.onerror = event => error(event.error ?? new Error(event.message || 'the worker did not start'));
  return { send: data => worker.postMessage(data), end: () => worker.terminate() };
}
