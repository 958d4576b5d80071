import type { CheckOptions, Verdict } from './index.js';

/** Options that the plugin adds to FilePond's. */
export interface GreenlightFilePondOptions {
  /** Default: `true`. */
  allowGreenlight?: boolean;
  greenlightOptions?: CheckOptions | null;
  /** Called with the verdict of each file. */
  greenlightVerdict?: ((verdict: Verdict, file: Blob) => void) | null;
  /** Called if a file could not be checked. It is then uploaded: the server decides. */
  greenlightError?: ((error: unknown, file: Blob) => void) | null;
  /** The first line that is shown for a rejected file; the second is the violation's message. */
  labelGreenlightRejected?: string;
}

/** To be passed to `FilePond.registerPlugin`. */
declare const greenlight: (api: any) => { options: object };
export default greenlight;
