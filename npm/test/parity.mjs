// The package's verdicts beside the command's, for every file in some folders and in several chunkings.
//
//   node parity.mjs [--depth DEPTH] [--engine FILE.wasm] GREENLIGHT FOLDER...

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { check, Gate, init } from 'greenlight-image';

const CHUNKS = [65_536, 777, 13];
const { values: { depth, engine }, positionals: [command, ...folders] } = parseArgs({
  options: { depth: { type: 'string', default: 'structure' }, engine: { type: 'string' } },
  allowPositionals: true,
});
if (engine) await init(await readFile(engine));

// What the types in index.d.ts say of `measured` and `limit`.
const MEASURES = {
  'image/empty': ['0', 'null'],
  'image/not-an-image': ['null', 'string'],
  'image/format-unsupported': ['string', 'string'],
  'image/too-large': ['number', 'number'],
  'image/too-small': ['string', 'string'],
  'image/side-too-long': ['string', 'number'],
  'image/too-many-pixels': ['number', 'number'],
  'image/corrupt': ['string', 'null'],
  'image/truncated': ['string', 'null'],
  'image/trailing-bytes': ['number string', 'null'],
  'image/not-examined': ['string', 'null'],
  'image/frames-unseen': ['number', 'number'],
  'image/type-mismatch': ['string', 'string'],
};
const kind = value => value === null ? 'null' : typeof value === 'number' && value === 0 ? '0' : typeof value;

// The package does not measure these, because their readers would exceed its size limit. They are rejected all the same.
const UNMEASURED = ['tiff', 'heic', 'avif', 'ico', 'svg'];

const counts = { files: 0, verdicts: 0, refusedEarly: 0 };
for (const folder of folders) {
  // What only the command states: the program, its requirements and the time.
  for await (const { source, download, error, version, requirements, settings, checked_at, ...expected } of results(folder)) {
    if (error) continue;
    counts.files += 1;
    for (const { code, measured, limit } of expected.violations) {
      assert.ok(MEASURES[code], `${source}: no type for ${code}`);
    const [ofMeasured, ofLimit] = MEASURES[code];
      assert.ok(ofMeasured.split(' ').includes(kind(measured)), `${source}: ${code}: ${measured}`);
      assert.equal(kind(limit), ofLimit, `${source}: ${code}: ${limit}`);
    }
    const bytes = await readFile(source);
    for (const size of CHUNKS) {
      const gate = await Gate.open({ name: basename(source), depth });
      let isFine = true;
      for (let at = 0; at < bytes.length; at += size) isFine = gate.push(bytes.subarray(at, at + size));
      if (!isFine) counts.refusedEarly += 1;
      compare(source, gate.finish(), expected, isFine);
    }
    const name = basename(source);
    compare(source, await check(createReadStream(source), { name, depth }), expected, true);
    // The early verdict never contradicts that of the whole file.
    const early = await check(createReadStream(source), { name, depth, early: true });
    assert.equal(early.decision, expected.decision, source);
  }
}
assert.ok(counts.files > 50, `only ${counts.files} files`);
assert.ok(counts.refusedEarly > 0);
console.log(`parity at ${depth} depth: ${counts.files} files, ${counts.verdicts} verdicts equal to the command's, ` +
  `${counts.refusedEarly} rejected before their end`);

function compare(source, { missing, ...verdict }, expected, isFine) {
  if (UNMEASURED.includes(expected.format)) {
    const facts = ({ decision, format, bytes, violations }) =>
      ({ decision, format, bytes, isUnsupported: violations.some(({ code }) => code === 'image/format-unsupported') });
    assert.deepEqual(facts(verdict), facts(expected), source);
    assert.ok(facts(verdict).isUnsupported, source);
  } else {
    assert.deepEqual(verdict, expected, source);
  }
  assert.equal(verdict.decision === 'inconclusive', missing.length > 0 && verdict.decision !== 'reject', source);
  assert.ok(isFine || verdict.decision === 'reject', `${source}: rejected early, and then not`);
  counts.verdicts += 1;
}

/** What the command prints of a folder. */
async function* results(folder) {
  const child = spawn(command, ['check', '--depth', depth, '--format', 'jsonl', folder], { stdio: ['ignore', 'pipe', 'ignore'] });
  for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line);
}
