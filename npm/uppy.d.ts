import { BasePlugin } from '@uppy/core';
import type { Body, Meta, Uppy, UppyFile } from '@uppy/core';
import type { CheckOptions, Verdict } from './index.js';

export interface GreenlightOptions extends CheckOptions {
  id?: string;
  /** Called with the verdict of each file. */
  onVerdict?: (verdict: Verdict, file: UppyFile<Meta, Body>) => void;
  /** Called if a file could not be checked. It is then uploaded: the server decides. */
  onError?: (error: unknown, file: UppyFile<Meta, Body>) => void;
}

/**
 * Checks files when they are added and before they are uploaded. A rejected file is removed, the reason shown by
 * `uppy.info`, and the event `restriction-failed` emitted with the violation's `code` on its error.
 */
export default class Greenlight<M extends Meta = Meta, B extends Body = Body> extends BasePlugin<GreenlightOptions, M, B> {
  constructor(uppy: Uppy<M, B>, options?: GreenlightOptions);
}
