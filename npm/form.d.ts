import type { CheckOptions, Verdict } from './index.js';

export interface FormOptions extends CheckOptions {
  /** Called with the verdict of each file. */
  readonly onVerdict?: (verdict: Verdict, file: File, input: HTMLInputElement) => void;
  /** Called if a file could not be checked. The form is then submitted: the server decides. */
  readonly onError?: (error: unknown, file: File) => void;
}

/**
 * Checks the files of a form's inputs when they are chosen and before the form is submitted. An input with a rejected
 * file is not valid, so that the browser shows the reason and does not submit. Returns a function that ends it.
 */
export function guardForm(form: HTMLFormElement, options?: FormOptions): () => void;
