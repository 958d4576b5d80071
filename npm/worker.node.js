// The worker's side of openWorker(), in Node.js.

import { parentPort } from 'node:worker_threads';
import './node.js';
import { answer } from './answer.js';

parentPort.on('message', async data => parentPort.postMessage(await answer(data)));
