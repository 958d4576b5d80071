// Compiled by `tsc --strict`, not run: what the types must allow and must refuse.

import { Gate, GreenlightError, check, glance, init, judge, openWorker, requirements } from 'greenlight-image';
import type { Code, Defect, ImageCode, Requirements, Verdict } from 'greenlight-image';
import { guardForm } from 'greenlight-image/form';
import Greenlight from 'greenlight-image/uppy';
import greenlight from 'greenlight-image/filepond';
import Uppy from '@uppy/core';

const settings: Requirements = {
  preset: 'sync', formats: ['png', 'webp'], max_bytes: '4MB',
  enforce: { 'image/type-mismatch': 'reject', 'png/ancillary-crc': 'off' },
};
// @ts-expect-error: no such code
const mistyped: Requirements = { enforce: { 'image/to-large': 'off' } };
// @ts-expect-error: no such format
const unknown: Requirements = { formats: ['pmg'] };

/** Translations are complete or do not compile. */
const german: Record<ImageCode, string> | undefined = undefined;
const defect: Defect = 'any/truncated';
const code: Code = 'url/malformed';

export async function main(file: File, response: Response, stream: ReadableStream<Uint8Array>): Promise<string> {
  await init(new URL('greenlight.wasm', 'https://example.com'));
  const verdict: Verdict = await check(file, { requirements: settings, early: true });
  switch (verdict.decision) {
    case 'accept': {
      const { width, height, format, missing: [] } = verdict;
      // @ts-expect-error: an accepted image has no such violation
      verdict.violations.some(({ severity }) => severity === 'reject');
      return `${format}: ${width * height}`;
    }
    case 'reject':
      // @ts-expect-error: it may be null
      verdict.width.toFixed();
      for (const violation of verdict.violations) {
        if (violation.code === 'image/too-large') return `${violation.measured - violation.limit} bytes too many`;
        if (violation.code === 'image/too-small') return violation.limit.split('x')[0]!;
      }
      return '';
    case 'inconclusive':
      return verdict.missing.join();
    default: {
      const never: never = verdict;
      return never;
    }
  }
  await Promise.all([check(response), check(stream), glance(file), judge(new Uint8Array()), requirements(settings)]);
}

export async function more(form: HTMLFormElement, bytes: Uint8Array) {
  const gate = await Gate.open({ name: 'a.png' });
  if (!gate.push(bytes)) gate.close();
  // @ts-expect-error: a beginning is never accepted
  if (gate.verdictSoFar().decision === 'accept') return;
  const worker = openWorker();
  try {
    (await worker.check(bytes)).decision;
  } catch (error) {
    if (error instanceof GreenlightError && error.code === 'engine/load') worker.close();
  }
  guardForm(form, { requirements: settings, onVerdict: ({ decision }, { name }) => console.log(decision, name) })();
  new Uppy().use(Greenlight, { requirements: settings });
  return greenlight;
}

void [mistyped, unknown, german, defect, code];
