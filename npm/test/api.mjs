// The package's functions in Node.js: `node --test api.mjs`, with the package installed beside it.

import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import binaryen from 'binaryen';
import { Gate, GreenlightError, check, glance, init, judge, openWorker, requirements } from 'greenlight-image';
import { picture } from './picture.mjs';

const good = picture(300, 300);
const text = new TextEncoder().encode('These are notes, not a picture.\n'.repeat(20));

test('inputs of every kind get the same verdict', async () => {
  const expected = await judge(good);
  assert.equal(expected.decision, 'accept');
  assert.deepEqual(
    [expected.format, expected.width, expected.height, expected.bytes, expected.frames, expected.missing],
    ['bmp', 300, 300, good.length, 1, []],
  );
  const path = join(tmpdir(), `greenlight-${process.pid}.bmp`);
  await writeFile(path, good);
  const inputs = {
    blob: new Blob([good]),
    response: new Response(good),
    stream: new Blob([good]).stream(),
    'Node.js stream': createReadStream(path),
    'async iterable': async function* () { yield good.subarray(0, 10); yield good.subarray(10) }(),
    'iterable of buffers': [good.buffer.slice(0, 7), new DataView(good.buffer, 7)],
    bytes: good,
    buffer: good.buffer,
  };
  for (const [kind, input] of Object.entries(inputs)) assert.deepEqual(await check(input), expected, kind);
});

test('no bytes are an empty file', async () => {
  for (const input of [new Blob([]), new Response(null), [], new Uint8Array()]) {
    assert.equal((await check(input)).violations[0].code, 'image/empty');
  }
});

test('a name and a type are claims', async () => {
  const named = Object.assign(new Blob([good]), { name: 'a.png' });
  for (const [input, options] of [
    [named], [new Blob([good], { type: 'image/png' })], [good, { name: 'x.PNG' }],
    [new Response(good, { headers: { 'Content-Type': 'image/png' } })],
  ]) {
    const { decision, violations } = await check(input, options);
    assert.equal(decision, 'accept');
    assert.deepEqual(violations.map(({ code, severity, measured, limit }) => [code, severity, measured, limit]),
      [['image/type-mismatch', 'warn', 'bmp', 'png']]);
  }
});

test('a check that stops early does not read on', async () => {
  let [read, ended] = [0, false];
  const endless = async function* () {
    try {
      for (;;) { read += 1; yield text }
    } finally {
      ended = true;
    }
  };
  const verdict = await check(endless(), { early: true });
  assert.equal(verdict.decision, 'reject');
  assert.equal(verdict.violations[0].code, 'image/not-an-image');
  assert.equal(read, 1);
  await new Promise(setImmediate);
  assert.ok(ended);
  // The size alone rejects: nothing is read.
  const large = { early: true, size: 25_000_000 };
  assert.equal((await check(endless(), large)).violations[0].code, 'image/too-large');
  assert.equal(read, 1);
});

test('a glance never accepts a file it has not read', async () => {
  const large = picture(400, 400);
  const verdict = await glance(new Blob([large]));
  assert.equal(verdict.decision, 'inconclusive');
  assert.deepEqual([verdict.format, verdict.width, verdict.bytes], ['bmp', 400, large.length]);
  assert.ok(verdict.missing.length > 0);
  assert.equal((await glance(new Blob([picture(256, 10)]))).violations[0].code, 'image/too-small');
  assert.equal((await glance(new Blob([large, new Uint8Array(21 << 20)]))).violations[0].code, 'image/too-large');
  const small = { requirements: { min_width: 10, min_height: 10 } };
  assert.equal((await glance(new Blob([picture(16, 16)]), small)).decision, 'accept');
});

test('a gate rejects at the first byte that is enough', async () => {
  const gate = await Gate.open({ name: 'notes.jpg' });
  assert.equal(gate.push(good.subarray(0, 1)), true);
  assert.equal(gate.verdictSoFar().decision, 'inconclusive');
  gate.close();
  gate.close();
  assert.throws(() => gate.push(good), { name: 'GreenlightError', code: 'usage' });
  const other = await Gate.open();
  assert.equal(other.push(text), false);
  assert.equal(other.rejected, true);
  assert.equal(other.finish().decision, 'reject');
  assert.throws(() => other.finish(), { code: 'usage' });
  assert.throws(() => new Gate(), { code: 'usage' });
});

test('many gates are open at the same time', async () => {
  const gates = await Promise.all(Array.from({ length: 100 }, () => Gate.open()));
  for (let at = 0; at < good.length; at += 50_000) {
    for (const gate of gates) gate.push(good.subarray(at, at + 50_000));
  }
  for (const gate of gates) assert.equal(gate.finish().decision, 'accept');
});

test('requirements are read as the command reads them', async () => {
  const all = await requirements({ preset: 'sync', max_bytes: '4MB', enforce: { 'png/ancillary-crc': 'reject' } });
  assert.deepEqual([all.max_bytes, all.warn_bytes, all.formats, all.min_width, all.enforce],
    [4_000_000, 4_000_000, ['png', 'jpeg', 'gif', 'bmp'], 256, { 'png/ancillary-crc': 'reject' }]);
  assert.deepEqual(await requirements(all), all);
  assert.deepEqual(await requirements(JSON.stringify(all, null, 2)), all);
  assert.equal((await requirements()).max_bytes, 20 << 20);
  const { violations: [tooSmall] } = await judge(good, { requirements: { min_width: 301 } });
  assert.deepEqual([tooSmall.code, tooSmall.measured, tooSmall.limit], ['image/too-small', '300x300', '301x256']);
  for (const [wrong, message] of [
    [{ min_with: 1 }, /unknown field `min_with`/],
    [{ min_width: 1.5 }, /`1.5` is not a whole number/],
    [{ min_width: -1 }, /`-1` is not a whole number/],
    [{ min_width: 2 ** 33 }, /invalid value: integer `8589934592`/],
    [{ min_width: '10' }, /invalid type: string "10"/],
    [{ formats: ['heif'] }, /heif/],
    [{ enforce: { 'image/to-large': 'warn' } }, /image\/to-large/],
    [{ enforce: { 'image/too-large': 'maybe' } }, /maybe/],
    [{ preset: 'fast' }, /fast/],
    [{ preset: 1 }, /expected a name/],
    [{ max_bytes: '4 parsecs' }, /whole number of bytes/],
    [{ max_bytes: true }, /boolean `true`/],
    [[], /sequence/],
    ['{"min_width":', /JSON/],
    [{ formats: [[[[[[[[[[]]]]]]]]]] }, /requirements: /],
  ]) {
    const error = await judge(good, { requirements: wrong }).catch(error => error);
    assert.ok(error instanceof GreenlightError, `${JSON.stringify(wrong)}: ${error}`);
    assert.equal(error.code, 'usage');
    assert.match(error.message, message);
  }
});

test('an invalid call is an error, not a verdict', async () => {
  await assert.rejects(check('a.jpg'), { code: 'usage' });
  await assert.rejects(check({}), { code: 'usage' });
  await assert.rejects(check([1]), { code: 'usage' });
  await assert.rejects(judge(good, { depth: 'deep' }), { code: 'usage' });
  await assert.rejects(judge(good, { depth: 'payload' }), { code: 'usage', message: /this build/ });
  await assert.rejects(judge(good, { size: -1 }), { code: 'usage' });
});

test('an abort ends a check', async () => {
  const controller = new AbortController();
  let cancelled = false;
  const silent = new ReadableStream({ pull: () => new Promise(() => {}), cancel: () => { cancelled = true } });
  const pending = check(silent, { signal: controller.signal });
  setTimeout(() => controller.abort(), 10);
  await assert.rejects(pending, { name: 'AbortError' });
  assert.ok(cancelled);
});

test('an error of the source is passed on', async () => {
  const source = async function* () { yield good.subarray(0, 100); throw new Error('the disk is gone') };
  await assert.rejects(check(source()), { message: 'the disk is gone' });
});

test('a worker returns the same', async () => {
  const worker = openWorker();
  const expected = await judge(good);
  const results = await Promise.all([
    worker.check(new Blob([good])), worker.judge(good), worker.check(good), worker.check(new Blob([good])),
  ]);
  for (const result of results) assert.deepEqual(result, expected);
  const { violations } = await worker.check(new Blob([text]), { name: 'a.jpg' });
  assert.equal(violations.at(-1).code, 'image/type-mismatch');
  assert.equal((await worker.glance(new Blob([good]))).decision, 'inconclusive');
  await assert.rejects(worker.judge(good, { depth: 'deep' }), { name: 'GreenlightError', code: 'usage' });
  const never = worker.check(new Blob([new Uint8Array(1 << 20)]));
  worker.close();
  await assert.rejects(never, { code: 'usage' });
});

test('an engine that fails is replaced', async () => {
  // Counts its gates, and aborts at the first bytes.
  const module = binaryen.parseText(`(module (memory (export "memory") 2) (global $opened (mut i32) (i32.const 0))
    (func (export "input") (result i32) (i32.const 0))
    (func (export "open") (param i32 i32) (result i32)
      (global.set $opened (i32.add (global.get $opened) (i32.const 1))) (global.get $opened))
    (func (export "push") (param i32 i32) (result i32) (unreachable))
    (func (export "close") (param i32)))`);
  await init(module.emitBinary());
  const bystander = await Gate.open();
  await assert.rejects(judge(good), { code: 'engine/failed' });
  assert.throws(() => bystander.push(good), { code: 'engine/lost' });
  bystander.close();
  await assert.rejects(judge(good), { code: 'engine/failed' }); // of a new instance: not engine/lost
  await assert.rejects(init(new Uint8Array([0, 1, 2])), { code: 'engine/load' });
  await init(WebAssembly.compile(await readFile(createRequire(import.meta.url).resolve('greenlight-image/greenlight.wasm'))));
  assert.equal((await judge(good)).decision, 'accept');
});
