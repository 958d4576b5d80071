// greenlight beside the packages that read an image's format and size, over the files of some folders.
//
//   node peers.mjs [--rounds N] FOLDER...
//
// Every file is in memory before the clock starts, and every package gets the same bytes. The packages take turns in
// each round, in a different order; the figure is the median of the rounds. "answered" counts files for which a
// package returns a format and a size, "right" those that equal the consensus of truth.tsv, where a folder has one.
// The peers read format and size only; greenlight's structure depth also walks the whole file and returns a verdict.

import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { fileTypeFromBuffer } from 'file-type';
import { judge } from 'greenlight-image';
import { imageDimensionsFromData } from 'image-dimensions';
import { imageSize } from 'image-size';
import probe from 'probe-image-size';

const { values, positionals: folders } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, csv: { type: 'string' } },
  allowPositionals: true,
});
const rounds = Number(values.rounds);
if (folders.length === 0 || !(rounds >= 1)) {
  console.error('usage: node peers.mjs [--rounds N] [--csv FILE] FOLDER...');
  process.exit(2);
}

const size = found => found?.width && found?.height ? `${found.width}x${found.height}` : undefined;
// One name per format: the packages and the consensus use several.
const ALIASES = {
  jpg: 'jpeg', tif: 'tiff', ppm: 'pnm', pgm: 'pnm', pbm: 'pnm', pam: 'pnm', jxl: 'jpeg-xl', jp2: 'jpeg-2000',
  jpeg2000: 'jpeg-2000', heif: 'heic', cur: 'ico',
};
const format = name => ALIASES[name] ?? name;

/** What each package returns for the bytes of a file: `[format, size]`, each undefined if it does not know it. */
const PEERS = {
  'greenlight, structure': async bytes => ours(await judge(bytes)),
  'greenlight, header': async bytes => ours(await judge(bytes, { depth: 'header' })),
  'image-size': bytes => {
    const found = imageSize(bytes);
    return [format(found?.type), size(found)];
  },
  'probe-image-size': bytes => {
    const found = probe.sync(bytes);
    return [format(found?.type), size(found)];
  },
  'image-dimensions': bytes => {
    const found = imageDimensionsFromData(bytes);
    return [format(found?.type), size(found)];
  },
  'file-type': async bytes => [format((await fileTypeFromBuffer(bytes))?.ext), undefined],
};

function ours(verdict) {
  return [verdict.format, size(verdict)];
}

const files = [];
for (const folder of folders) {
  const truth = await consensus(folder);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    const known = truth?.get(relative(folder, path));
    if (truth && !known) continue;
    files.push({ bytes: await readFile(path), ...known });
  }
}
const judged = files.filter(file => file.format);
console.log(`${files.length} files, ${judged.length} with a known format, ${rounds} rounds`);

const rows = Object.keys(PEERS).map(name => ({ name, times: [], formats: 0, sizes: 0, rightFormats: 0, rightSizes: 0, threw: 0 }));
for (const row of rows) await count(row);
for (let round = 0; round < rounds; round += 1) {
  // Each package is first, second … in turn.
  for (const row of rows.map((_, at) => rows[(at + round) % rows.length])) row.times.push(await time(PEERS[row.name]));
}

const [base] = rows;
const head = ['package', 'µs/file', 'ratio', 'format', 'right format', 'size', 'right size', 'threw'];
const table = rows.map(row => [
  row.name, median(row.times).toFixed(1), median(row.times.map((time, round) => time / base.times[round])).toFixed(2),
  row.formats, row.rightFormats, row.sizes, row.rightSizes, row.threw,
]);
const widths = head.map((title, at) => Math.max(title.length, ...table.map(row => String(row[at]).length)));
for (const row of [head, ...table]) {
  console.log(row.map((cell, at) => (at ? String(cell).padStart(widths[at]) : cell.padEnd(widths[at]))).join('  '));
}
if (values.csv) {
  // The first cell is quoted, because a name may contain a comma.
  await writeFile(values.csv, [head, ...table].map(([name, ...cells]) => `"${name}",${cells.join(',')}\n`).join(''));
}

async function count(row) {
  for (const { bytes, format, dimensions } of files) {
    let found;
    try {
      found = await PEERS[row.name](bytes);
    } catch {
      row.threw += 1;
      continue;
    }
    row.formats += found[0] ? 1 : 0;
    row.sizes += found[1] ? 1 : 0;
    row.rightFormats += format && found[0] === format ? 1 : 0;
    row.rightSizes += dimensions && found[1] === dimensions ? 1 : 0;
  }
}

/** The mean time per file, in microseconds. */
async function time(peer) {
  const begun = process.hrtime.bigint();
  for (const { bytes } of files) {
    try {
      await peer(bytes);
    } catch {
      // Counted above; a package that throws is timed too.
    }
  }
  return Number(process.hrtime.bigint() - begun) / 1000 / files.length;
}

function median(numbers) {
  const sorted = numbers.toSorted ? numbers.toSorted((a, b) => a - b) : [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** Format and dimensions by path, where the readers of the corpus agree; undefined without a truth.tsv. */
async function consensus(folder) {
  const text = await readFile(join(folder, 'truth.tsv'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const [head, ...lines] = text.trimEnd().split('\n').map(line => line.split('\t'));
  const column = name => head.indexOf(name);
  const firm = status => status === 'agree' || status === 'majority';
  return new Map(lines.map(line => [line[column('path')], {
    format: firm(line[column('fmt_status')]) ? format(line[column('cons_format')]) : undefined,
    dimensions: firm(line[column('dims_status')]) ? line[column('cons_dims')] : undefined,
  }]));
}
