import type { Code, Decision, Defect, Enforcement, Format, ImageCode, Severity } from './codes.js';

export type { Code, Decision, Defect, Enforcement, Format, ImageCode, Severity };

/** A requirement that is not met. `message` is in English and not stable: translate by `code`. */
export type Violation<S extends Severity = Severity> =
  | Finding<'image/empty', S, 0, null>
  | Finding<'image/not-an-image', S, null, string>
  | Finding<'image/format-unsupported', S, Format, string>
  | Finding<'image/too-large', S, number, number>
  /** Both texts are `WIDTHxHEIGHT`. */
  | Finding<'image/too-small', S, string, string>
  /** Measured as `WIDTHxHEIGHT`; the limit is of either side. */
  | Finding<'image/side-too-long', S, string, number>
  | Finding<'image/too-many-pixels', S, number, number>
  /** Measured as `KIND at byte OFFSET`; the kind is a {@link Defect}. */
  | Finding<'image/corrupt' | 'image/truncated' | 'image/not-examined', S, string, null>
  /** The number of bytes, or the kind of defect. */
  | Finding<'image/trailing-bytes', S, number | string, null>
  /** The frames or parts that will be scanned, and all of them. */
  | Finding<'image/frames-unseen', S, number, number>
  /** The format of the content, and the one that the name or type claims. */
  | Finding<'image/type-mismatch', S, Format | 'unknown', Format>;

export interface Finding<C extends ImageCode, S extends Severity, M, L> {
  readonly code: C;
  readonly severity: S;
  readonly message: string;
  readonly measured: M;
  readonly limit: L;
}

interface Facts {
  readonly format: Format | null;
  readonly width: number | null;
  readonly height: number | null;
  /** The size of the file: counted, or as announced. */
  readonly bytes: number | null;
  /** Complete frames, once their number is final. */
  readonly frames: number | null;
  /** What is wrong with the image, warnings included. */
  readonly violations: readonly Violation[];
  /** The facts that are missing for a decision, in words. */
  readonly missing: readonly string[];
}

/** Every requirement is met. */
export interface Accepted extends Facts {
  readonly decision: 'accept';
  readonly format: Format;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  readonly violations: readonly Violation<'warn'>[];
  readonly missing: readonly [];
}

/** A requirement is not met: at least one violation has the severity `reject`. */
export interface Rejected extends Facts {
  readonly decision: 'reject';
}

/** A fact is missing. */
export interface Inconclusive extends Facts {
  readonly decision: 'inconclusive';
  readonly violations: readonly Violation<'warn'>[];
}

export type Verdict = Accepted | Rejected | Inconclusive;

/** Verdicts of a file's beginning never accept. */
export type VerdictSoFar = Rejected | Inconclusive;

/** Bytes, or a text with a unit: `"20MB"`, `"5MiB"`. */
export type ByteSize = number | string;

/**
 * Requirements as the library and the command's `--requirements` read them (docs/requirements.md in the repository).
 * An absent setting is that of the preset.
 */
export interface Requirements {
  readonly preset?: 'async' | 'sync' | 'v1-async' | 'v1-sync' | 'v2' | 'v2-mainland';
  readonly formats?: readonly Format[] | null;
  readonly max_bytes?: ByteSize | null;
  readonly warn_bytes?: ByteSize | null;
  readonly min_width?: number | null;
  readonly min_height?: number | null;
  readonly max_side?: number | null;
  readonly max_pixels?: number | null;
  readonly max_gif_pixels?: number | null;
  readonly max_heic_side?: number | null;
  readonly frame_cap?: number | null;
  readonly max_url_chars?: number | null;
  readonly download_time_ms?: number | null;
  readonly reject_warnings?: boolean;
  readonly enforce?: { readonly [rule in Code | Defect]?: Enforcement };
}

/** Requirements with every setting. */
export interface FullRequirements extends Requirements {
  readonly preset: 'async';
  readonly formats: readonly Format[];
  readonly max_bytes: number;
  readonly warn_bytes: number;
  readonly min_width: number;
  readonly min_height: number;
  readonly max_side: number;
  readonly max_pixels: number;
  readonly max_gif_pixels: number;
  readonly max_heic_side?: number;
  readonly frame_cap?: number;
  readonly max_url_chars: number;
  readonly download_time_ms: number;
  readonly enforce: { readonly [rule in Code | Defect]?: Enforcement };
}

/**
 * How far a file is read: `header` for format and dimensions, `structure` to its end. `payload` also examines coded
 * pixels and needs an engine that was built with it (`build.sh --payload`, then `init()`).
 */
export type Depth = 'header' | 'structure' | 'payload';

export interface Options {
  /** An object, or its JSON text. Default: the requirements of the asynchronous scan. */
  readonly requirements?: Requirements | string;
  /** Default: `structure`. */
  readonly depth?: Depth;
  /** The file's name, whose extension is compared with the content. Default: that of the `File`. */
  readonly name?: string;
  /** The `Content-Type`, which is compared with the content. Default: that of a `Response` or of a `Blob` without a name. */
  readonly type?: string;
  /** The announced size in bytes. Default: that of the `Blob`. */
  readonly size?: number;
}

export interface CheckOptions extends Options {
  /**
   * Stops at the first byte that is enough to reject; the verdict then lists what was known by then. Default: `false`,
   * which reads the whole file and returns the verdict of the command.
   */
  readonly early?: boolean;
  readonly signal?: AbortSignal;
}

export type Chunk = ArrayBuffer | ArrayBufferView;
export type Input = Blob | Response | ReadableStream<Uint8Array> | AsyncIterable<Chunk> | Iterable<Chunk> | Chunk;

/** Evaluates a file by all of its bytes, a chunk at a time: never is the whole file in memory. */
export function check(input: Input, options?: CheckOptions): Promise<Verdict>;

/** Evaluates a file by its first 64 KB and its size. Accepts only a file that is no longer than that. */
export function glance(file: Blob, options?: Options & { readonly signal?: AbortSignal }): Promise<Verdict>;

/** Evaluates a file that is in memory. */
export function judge(bytes: Chunk, options?: Options & { readonly early?: boolean }): Promise<Verdict>;

/** Reads requirements and returns them with every setting. */
export function requirements(settings?: Requirements | string): Promise<FullRequirements>;

/** Evaluates a file while its bytes arrive. */
export class Gate {
  private constructor();
  static open(options?: Options): Promise<Gate>;
  /** Whether the bytes so far are enough to reject. */
  readonly rejected: boolean;
  /** Records the announced size. Returns whether the file is not rejected. */
  announce(size: number): boolean;
  /** Takes the next bytes, any number of them. Returns whether the file is not rejected. */
  push(chunk: Chunk): boolean;
  /** The verdict of the bytes so far. */
  verdictSoFar(): VerdictSoFar;
  /** The verdict of the whole file. Closes the gate. */
  finish(): Verdict;
  /** Frees the gate. */
  close(): void;
}

/** What `init` accepts: where the engine's file is, its bytes, a response with them, or a compiled module. */
export type Source = URL | string | Request | Response | ArrayBuffer | ArrayBufferView | WebAssembly.Module;

/**
 * Loads the engine, which the other functions otherwise do at their first call. For bundlers that do not copy
 * `greenlight.wasm`, and for an engine of your own.
 */
export function init(source?: Source | Promise<Source>): Promise<void>;

/** A worker that evaluates files, so that a page stays responsive. */
export interface CheckWorker {
  check(file: Blob | Chunk, options?: CheckOptions): Promise<Verdict>;
  glance(file: Blob, options?: Options & { readonly signal?: AbortSignal }): Promise<Verdict>;
  judge(bytes: Chunk, options?: Options & { readonly early?: boolean; readonly signal?: AbortSignal }): Promise<Verdict>;
  /** Ends the worker. Pending calls are rejected. */
  close(): void;
}

/** Starts a module worker (`worker_threads` in Node.js). */
export function openWorker(): CheckWorker;

/** A failure of the caller or of the engine. A bad image is a verdict, not an error. */
export class GreenlightError extends Error {
  constructor(code: GreenlightError['code'], message: string, options?: { cause?: unknown });
  /**
   * - `usage`: an argument is not valid
   * - `engine/load`: the engine could not be loaded, for example because of the content security policy
   * - `engine/failed`: the engine aborted; the next call gets a new instance
   * - `engine/lost`: the gate belongs to an instance that aborted
   */
  readonly code: 'usage' | 'engine/load' | 'engine/failed' | 'engine/lost';
}
