// The package's functions; index.d.ts describes them.

import { GreenlightError, INPUT_BYTES, init, platform, ready } from './engine.js';
import { Gate } from './gate.js';

export { Gate, GreenlightError, init };

/** Evaluates a file by all of its bytes, a chunk at a time. */
export async function check(input, options = {}) {
  const { signal, early = false } = options;
  signal?.throwIfAborted();
  if (isBytes(input)) return judge(input, options);
  const gate = await Gate.open(claims(input, options));
  let chunks;
  try {
    if (early && gate.rejected) return gate.verdictSoFar();
    chunks = iterate(input);
    for (;;) {
      const { done, value } = await unlessAborted(chunks.next(), signal);
      if (done) {
        chunks = undefined;
        return gate.finish();
      }
      if (!gate.push(value) && early) return gate.verdictSoFar();
    }
  } finally {
    gate.close();
    // Not awaited: a source that does not respond must not keep the verdict.
    if (chunks) Promise.resolve(chunks.return?.()).catch(() => {});
  }
}

/** Evaluates a file by its first 64 KB and its size. */
export async function glance(file, options = {}) {
  options.signal?.throwIfAborted();
  const gate = await Gate.open({ size: file.size, ...claims(file, options) });
  try {
    gate.push(await file.slice(0, INPUT_BYTES).arrayBuffer());
    return file.size <= INPUT_BYTES ? gate.finish() : gate.verdictSoFar();
  } finally {
    gate.close();
  }
}

/** Evaluates a file that is in memory. */
export async function judge(bytes, options = {}) {
  const gate = await Gate.open(options);
  try {
    return gate.push(bytes) || !options.early ? gate.finish() : gate.verdictSoFar();
  } finally {
    gate.close();
  }
}

/** Reads requirements and returns them with every setting. */
export async function requirements(settings) {
  return (await ready()).requirements(settings);
}

/** Starts a worker that evaluates files. */
export function openWorker() {
  const waiting = new Map();
  let last = 0;
  const worker = platform.startWorker({
    message({ id, verdict, error }) {
      const call = waiting.get(id);
      waiting.delete(id);
      if (error) call?.reject(new GreenlightError(error.code, error.message));
      else call?.resolve(verdict);
    },
    error: cause => end(new GreenlightError('engine/load', `the worker failed: ${cause.message}`, { cause })),
  });
  function end(error) {
    worker.end();
    for (const call of waiting.values()) call.reject(error);
    waiting.clear();
  }
  function ask(method, input, { signal, ...options } = {}) {
    if (signal?.aborted) return Promise.reject(signal.reason);
    last += 1;
    const id = last;
    const result = new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
    const name = options.name ?? input.name; // a clone in Node.js loses it
    try {
      worker.send({ id, method, input, options: { ...options, ...name && { name } } });
    } catch (error) {
      waiting.delete(id);
      return Promise.reject(error);
    }
    return unlessAborted(result, signal);
  }
  return {
    check: (input, options) => ask('check', input, options),
    glance: (file, options) => ask('glance', file, options),
    judge: (bytes, options) => ask('judge', bytes, options),
    close: () => end(new GreenlightError('usage', 'the worker is closed')),
    ...Symbol.dispose && { [Symbol.dispose]() { this.close() } },
  };
}

/** What the input says of itself, unless an option says otherwise. */
function claims(input, options) {
  const claimed = {};
  if (isBlob(input)) {
    claimed.size = input.size;
    // A browser takes a file's type from its name: that is one claim, not two.
    if (typeof input.name === 'string') claimed.name = input.name;
    else if (input.type) claimed.type = input.type;
  } else if (isResponse(input)) {
    claimed.type = input.headers.get('Content-Type') ?? undefined;
  }
  const { requirements, depth, name = claimed.name, type = claimed.type, size = claimed.size } = options;
  return { requirements, depth, name, type, size };
}

function iterate(input) {
  if (isBlob(input)) return iterate(input.stream());
  if (isResponse(input)) return input.body ? iterate(input.body) : [][Symbol.iterator]();
  if (typeof input?.getReader === 'function') return read(input.getReader());
  const iterator = input?.[Symbol.asyncIterator] ?? input?.[Symbol.iterator];
  if (typeof input === 'object' && iterator) return iterator.call(input);
  throw new GreenlightError('usage', 'the input is not a File, Blob, Response, ReadableStream or iterable of chunks');
}

/** A reader as an iterator: not every browser has that of `ReadableStream`. */
function read(reader) {
  return {
    next: () => reader.read(),
    return: () => reader.cancel(),
  };
}

function unlessAborted(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    Promise.resolve(promise).then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function isBytes(input) {
  return input instanceof ArrayBuffer || ArrayBuffer.isView(input);
}

function isBlob(input) {
  return typeof Blob === 'function' && input instanceof Blob;
}

function isResponse(input) {
  return typeof Response === 'function' && input instanceof Response;
}
