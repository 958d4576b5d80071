// What a worker does with a message.

import { check, glance, judge } from './index.js';

const methods = { check, glance, judge };

export async function answer({ id, method, input, options }) {
  try {
    return { id, verdict: await methods[method](input, options) };
  } catch (error) {
    return { id, error: { code: error.code ?? 'usage', message: error.message } };
  }
}
