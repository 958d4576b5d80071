// One file's way through the engine.

import { GreenlightError, INPUT_BYTES, ready } from './engine.js';

const PASSED = 0;
const INVALID = 2;
const opening = Symbol('opening');

/** Frees the slot of a gate that was neither finished nor closed. */
const forgotten = new FinalizationRegistry(({ engine, handle }) => {
  if (!engine.lost) engine.call('close', handle);
});

/** Evaluates a file while its bytes arrive. */
export class Gate {
  #engine;
  #handle;
  #rejected = false;

  constructor(key, engine, handle) {
    if (key !== opening) throw new GreenlightError('usage', 'a gate is made by Gate.open()');
    this.#engine = engine;
    this.#handle = handle;
    forgotten.register(this, { engine, handle }, this);
  }

  static async open({ requirements, depth = 'structure', name, type, size } = {}) {
    const engine = await ready();
    const gate = new Gate(opening, engine, engine.open(depth, requirements));
    // Only the end of a name has an extension.
    if (name) gate.#call('claim', engine.writeText(name.slice(-256)), 1);
    if (type) gate.#call('claim', engine.writeText(type.slice(0, 256)), 0);
    if (size !== undefined) gate.announce(size);
    return gate;
  }

  get rejected() {
    return this.#rejected;
  }

  announce(size) {
    if (!(Number.isSafeInteger(size) && size >= 0)) throw new GreenlightError('usage', `size: ${size} is not a number of bytes`);
    return this.#note(this.#call('announce', size));
  }

  push(chunk) {
    const bytes = view(chunk);
    for (let start = 0; start < bytes.length; start += INPUT_BYTES) {
      const length = this.#engine.write(bytes.subarray(start, start + INPUT_BYTES));
      this.#note(this.#call('push', length));
    }
    return !this.#rejected;
  }

  verdictSoFar() {
    this.#note(this.#call('look'));
    return this.#engine.read();
  }

  finish() {
    this.#note(this.#call('finish'));
    this.#forget();
    return this.#engine.read();
  }

  close() {
    if (this.#handle === undefined) return;
    if (!this.#engine.lost) this.#call('close');
    this.#forget();
  }

  #call(name, ...values) {
    if (this.#handle === undefined) throw new GreenlightError('usage', 'the gate is closed');
    const result = this.#engine.call(name, this.#handle, ...values);
    if (result === INVALID) throw new GreenlightError('engine/failed', `the engine does not accept the call ${name}`);
    return result;
  }

  #note(result) {
    if (result !== PASSED) this.#rejected = true;
    return !this.#rejected;
  }

  #forget() {
    this.#handle = undefined;
    forgotten.unregister(this);
  }
}

if (Symbol.dispose) {
  Object.defineProperty(Gate.prototype, Symbol.dispose, { value: Gate.prototype.close, configurable: true, writable: true });
}

/** The bytes of a buffer or of a view on one. */
function view(chunk) {
  if (chunk instanceof Uint8Array) return chunk;
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  throw new GreenlightError('usage', 'a chunk is a Uint8Array, another view or an ArrayBuffer');
}
