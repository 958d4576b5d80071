// A thousand files of 1 MB, streamed: neither the engine's memory nor the process may grow with them.

import assert from 'node:assert/strict';
import { check, init } from 'greenlight-image';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { picture } from './picture.mjs';

const memories = [];
const { instantiate } = WebAssembly;
WebAssembly.instantiate = async (...values) => {
  const made = await instantiate(...values);
  memories.push(made.exports.memory);
  return made;
};
await init(await readFile(createRequire(import.meta.url).resolve('greenlight-image/greenlight.wasm')));

const bytes = picture(590, 590);
const broken = bytes.slice(0, 900_000);
const pages = () => memories[0].buffer.byteLength / 65_536;
let [first, resident] = [0, 0];
for (let file = 1; file <= 1000; file += 1) {
  const is = file % 3 === 0 ? broken : bytes;
  const verdict = await check(new Blob([is]), { early: file % 2 === 0 });
  assert.equal(verdict.decision, is === bytes ? 'accept' : 'reject');
  if (file === 10) first = pages();
  if (file === 200) resident = process.memoryUsage().rss;
}
assert.equal(memories.length, 1);
assert.equal(pages(), first);
const grown = (process.memoryUsage().rss - resident) / 1e6;
assert.ok(grown < 100, `the process grew by ${grown} MB over 800 files`);
console.log(`memory: ${pages()} pages after 10 and after 1000 files, the process grew by ${grown.toFixed(1)} MB`);
