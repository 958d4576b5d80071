// Where the engine comes from and how a worker starts, in Node.js.

import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';

/** Compiles the file beside this one. */
export async function load() {
  return WebAssembly.compile(await readFile(new URL('./greenlight.wasm', import.meta.url)));
}

/** Compiles a response. */
export async function compile(pending) {
  const response = await pending;
  if (!response.ok) throw new Error(`${response.url}: status ${response.status}`);
  return WebAssembly.compile(await response.arrayBuffer());
}

/** Starts worker.node.js. It does not keep the process running while it has no work. */
export function startWorker({ message, error }) {
  const worker = new Worker(new URL('./worker.node.js', import.meta.url));
  let pending = 0;
  worker.unref();
  worker.on('message', data => {
    pending -= 1;
    if (pending === 0) worker.unref();
    message(data);
  });
  worker.on('error', error);
  return {
    send(data) {
      pending += 1;
      worker.ref();
      worker.postMessage(data);
    },
    end: () => void worker.terminate(),
  };
}
