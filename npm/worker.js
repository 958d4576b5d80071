// The worker's side of openWorker().

import { serve } from '#load';
import { check, glance, judge } from './index.js';

const methods = { check, glance, judge };

serve(async ({ id, method, input, options }) => {
  try {
    return { id, verdict: await methods[method](input, options) };
  } catch (error) {
    return { id, error: { code: error.code ?? 'usage', message: error.message } };
  }
});
