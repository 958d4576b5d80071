// Tests the package with the bundlers in its README: builds a page with each and runs it in Chromium.
//
//   node bundlers.mjs

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import esbuild from 'esbuild';
import { build } from 'vite';
import webpack from 'webpack';
import { check, finish, open } from './browser.mjs';

const TYPES = { '.js': 'text/javascript', '.html': 'text/html', '.wasm': 'application/wasm' };
const PAGE = '<!doctype html><title>page</title><link rel="icon" href="data:,"><script type="module" src="./main.js"></script>';
// A 1x1 GIF, which both the page and a worker must report as too small.
const GIF = 'R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw==';
const main = load => `import { init, judge, openWorker } from 'greenlight-image';
  ${load}
  const bytes = Uint8Array.from(atob('${GIF}'), letter => letter.charCodeAt(0));
  const codes = ({ violations }) => violations.map(({ code }) => code);
  window.codes = judge(bytes).then(codes, String);
  window.inWorker = async () => { const worker = openWorker(); return codes(await worker.judge(bytes)); };`;

const place = mkdtempSync('bundlers-'); // below this folder, so that the package is found

async function vite(source, out) {
  await build({ root: source, base: './', logLevel: 'error', build: { outDir: out, assetsInlineLimit: 0 }, configFile: false });
}

async function withWebpack(source, out) {
  const stats = await promisify(webpack)({
    mode: 'production', context: source, entry: './main.js', output: { path: out, filename: 'main.js' },
    performance: { hints: false },
  });
  assert.ok(!stats.hasErrors(), stats.toString());
  writeFileSync(join(out, 'index.html'), PAGE);
}

async function withEsbuild(source, out) {
  await esbuild.build({ absWorkingDir: source, entryPoints: ['main.js'], bundle: true, format: 'esm', outdir: out, logLevel: 'error' });
  cpSync('node_modules/greenlight-image/greenlight.wasm', join(out, 'greenlight.wasm'));
  writeFileSync(join(out, 'index.html'), PAGE);
}

let served;
const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost');
  const path = pathname.endsWith('/') ? `${pathname}index.html` : pathname;
  const bytes = path.includes('..') ? undefined : await readFile(join(served, path)).catch(() => undefined);
  response.writeHead(bytes ? 200 : 404, { 'Content-Type': TYPES[extname(path)] ?? 'text/plain' }).end(bytes);
});
await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
const profile = mkdtempSync(join(tmpdir(), 'greenlight-'));
const browser = await open(profile, { width: 800, height: 600 });
try {
  const page = await browser.newPage();
  for (const [name, bundle, load, hasWorker] of [
    ['vite', vite, '', true],
    ['webpack', withWebpack, '', true],
    ['esbuild', withEsbuild, "init('./greenlight.wasm');", false],
  ]) {
    await check(`${name}: the page judges an image`, async () => {
      const source = join(process.cwd(), place, name);
      served = join(source, 'out');
      mkdirSync(served, { recursive: true });
      writeFileSync(join(source, 'index.html'), PAGE);
      writeFileSync(join(source, 'main.js'), main(load));
      await bundle(source, served);
      await page.goto(`http://127.0.0.1:${server.address().port}/`);
      await page.waitForFunction(() => window.codes);
      assert.deepEqual(await page.evaluate(() => window.codes), ['image/too-small']);
      if (hasWorker) assert.deepEqual(await page.evaluate(() => window.inWorker()), ['image/too-small']);
    });
  }
} finally {
  await browser.close();
  server.close();
  rmSync(profile, { recursive: true, force: true });
  rmSync(place, { recursive: true, force: true });
}
finish();
