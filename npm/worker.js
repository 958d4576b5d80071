// The worker's side of openWorker(), in browsers.

import { answer } from './answer.js';

globalThis.onmessage = async ({ data }) => globalThis.postMessage(await answer(data));
