// A plugin for FilePond: a rejected file is shown as invalid and not uploaded.

import { check } from './index.js';

/** To be passed to `FilePond.registerPlugin`. */
export default function greenlight({ addFilter, utils }) {
  const { Type } = utils;

  addFilter('LOAD_FILE', async (file, { query }) => {
    if (!query('GET_ALLOW_GREENLIGHT')) return file;
    const options = query('GET_GREENLIGHT_OPTIONS');
    let verdict;
    try {
      verdict = await check(file, { early: true, ...options });
    } catch (error) {
      query('GET_GREENLIGHT_ERROR')?.(error, file); // the server decides
      return file;
    }
    query('GET_GREENLIGHT_VERDICT')?.(verdict, file);
    if (verdict.decision !== 'reject') return file;
    const { code, message } = verdict.violations.find(violation => violation.severity === 'reject');
    throw { status: { main: query('GET_LABEL_GREENLIGHT_REJECTED'), sub: message, code } };
  });

  return {
    options: {
      allowGreenlight: [true, Type.BOOLEAN],
      greenlightOptions: [null, Type.OBJECT],
      greenlightVerdict: [null, Type.FUNCTION],
      greenlightError: [null, Type.FUNCTION],
      labelGreenlightRejected: ['The image cannot be scanned', Type.STRING],
    },
  };
}
