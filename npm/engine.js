// The compiled module, its one live instance, and the calls into it.

import * as browser from './load.browser.js';

/** How this platform loads files and starts workers. No import map and no bundler is needed for the browser's. */
export let platform = browser;

/** Sets another platform. */
export function use(other) {
  platform = other;
}

/** The size of the instance's input buffer; the crate has the same number. */
export const INPUT_BYTES = 64 * 1024;

const DEPTHS = ['header', 'structure', 'payload'];
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A failure of the caller or of the engine. A bad image is not one: it is a verdict. */
export class GreenlightError extends Error {
  constructor(code, message, options) {
    super(message, options);
    this.name = 'GreenlightError';
    this.code = code;
  }
}

let compiled;
let instance;

/** Compiles the module from `source`, or from the file of the package. */
export function init(source) {
  const loading = module(source).catch(cause => {
    if (compiled === loading) compiled = undefined; // the next call tries again
    throw new GreenlightError('engine/load', `the engine could not be loaded: ${cause?.message ?? cause}`, { cause });
  });
  [compiled, instance] = [loading, undefined];
  return loading.then(() => undefined);
}

async function module(source) {
  source = await source;
  if (source === undefined) return platform.load();
  if (source instanceof WebAssembly.Module) return source;
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return WebAssembly.compile(source);
  return platform.compile(source instanceof Response ? source : fetch(source));
}

/** Returns the live instance. One that failed is replaced here. */
export async function ready() {
  if (!compiled) init().catch(() => {}); // reported below
  const module = await compiled;
  if (instance?.module === module && !instance.engine?.lost) return instance.pending;
  const next = { module, engine: undefined };
  next.pending = WebAssembly.instantiate(module, {}).then(made => next.engine = new Engine(made.exports));
  instance = next;
  return next.pending;
}

class Engine {
  /** Set when a call aborted: nothing in this instance can be trusted any more. */
  lost = false;
  #exports;
  #input;

  constructor(exports) {
    this.#exports = exports;
    this.#input = exports.input();
  }

  call(name, ...values) {
    if (this.lost) throw new GreenlightError('engine/lost', 'the engine of this gate failed: open a new gate');
    try {
      return this.#exports[name](...values);
    } catch (cause) {
      this.lost = true;
      throw new GreenlightError('engine/failed', 'the engine failed and is replaced', { cause });
    }
  }

  /** Copies at most 64 KB to the input buffer. The view is made anew: a growing memory detaches it. */
  write(bytes) {
    new Uint8Array(this.#exports.memory.buffer, this.#input, INPUT_BYTES).set(bytes);
    return bytes.length;
  }

  /** Copies a text to the input buffer. */
  writeText(text) {
    const bytes = encoder.encode(text);
    if (bytes.length > INPUT_BYTES) throw new GreenlightError('usage', 'the text is longer than 64 KB');
    return this.write(bytes);
  }

  /** Reads the last result. */
  read() {
    const [start, length] = [this.call('output'), this.call('output_len')];
    return JSON.parse(decoder.decode(new Uint8Array(this.#exports.memory.buffer, start, length)));
  }

  open(depth, requirements) {
    const index = DEPTHS.indexOf(depth);
    if (index < 0) throw new GreenlightError('usage', `depth: ${depth} is not one of ${DEPTHS.join(', ')}`);
    const handle = this.call('open', index, this.#writeRequirements(requirements));
    if (handle === 0) throw new GreenlightError('usage', this.read());
    return handle;
  }

  requirements(requirements) {
    const failed = this.call('requirements', this.#writeRequirements(requirements));
    const result = this.read();
    if (failed) throw new GreenlightError('usage', result);
    return result;
  }

  #writeRequirements(requirements) {
    if (requirements === undefined) return 0;
    return this.writeText(JSON.stringify(typeof requirements === 'string' ? parse(requirements) : requirements));
  }
}

/** The engine reads JSON as `JSON.stringify` writes it only. */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new GreenlightError('usage', `requirements: not JSON: ${cause.message}`, { cause });
  }
}
