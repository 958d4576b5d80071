// Tests the integrations in Chromium under the documented policy: which of four files cause a request.
//
//   node browser-plugins.mjs

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import esbuild from 'esbuild';
import { check, finish, open } from './browser.mjs';
import { picture } from './picture.mjs';

const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'; " +
  "style-src 'unsafe-inline'; img-src blob: data:; form-action 'self'";
const TYPES = { '.js': 'text/javascript', '.html': 'text/html', '.wasm': 'application/wasm' };
const PACKAGE = 'node_modules/greenlight-image';

const SCRIPTS = {
  // Without a bundler: the package's files unchanged.
  form: `import { guardForm } from '/package/form.js'; guardForm(document.querySelector('form')); window.ready = true;`,
  uppy: await bundle(`import Uppy from '@uppy/core'; import XHR from '@uppy/xhr-upload'; import Greenlight from '/package/uppy.js';
    const uppy = new Uppy({ autoProceed: true }).use(Greenlight).use(XHR, { endpoint: '/upload', fieldName: 'image' });
    window.settled = 0;
    uppy.on('restriction-failed', () => window.settled += 1).on('upload-success', () => window.settled += 1);
    document.querySelector('input').onchange = ({ target }) =>
      uppy.addFiles([...target.files].map(data => ({ name: data.name, type: data.type, data })));
    window.ready = true;`),
  filepond: await bundle(`import * as FilePond from 'filepond'; import greenlight from '/package/filepond.js';
    FilePond.registerPlugin(greenlight);
    window.settled = 0;
    FilePond.create(document.querySelector('input'), {
      server: '/upload', name: 'image', allowMultiple: true, instantUpload: true,
      onaddfile: error => { if (error) window.settled += 1 }, onprocessfile: error => { if (!error) window.settled += 1 },
    });
    window.ready = true;`),
};

let uploads = [];
let policy = POLICY;
const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost');
  if (request.method === 'POST') {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const [, name] = Buffer.concat(chunks).toString('latin1').match(/filename="([^"]+)"/) ?? [];
    uploads.push(name);
    response.setHeader('Content-Type', 'application/json').end('{"url":"/"}');
    return;
  }
  const [, page, extension] = pathname.match(/^\/(form|uppy|filepond)\.(html|js)$/) ?? [];
  response.setHeader('Content-Security-Policy', policy);
  response.setHeader('Content-Type', TYPES[extname(pathname)] ?? 'text/plain');
  if (extension === 'html') {
    response.end(`<!doctype html><title>${page}</title><link rel="icon" href="data:,"><form action="/upload" method="post"
      enctype="multipart/form-data"><input type="file" name="image" multiple><button>Send</button></form>
      <script type="module" src="/${page}.js"></script>`);
  } else if (extension === 'js') {
    response.end(SCRIPTS[page]);
  } else if (pathname.startsWith('/package/') && !pathname.includes('..')) {
    response.end(await readFile(join(PACKAGE, pathname.slice(9))).catch(() => undefined));
  } else {
    // A browser also requests an icon; a missing one is not an error of the page.
    response.writeHead(pathname === '/favicon.ico' ? 204 : 404).end();
  }
});
await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${server.address().port}`;

const files = [
  ['good.bmp', picture(300, 300)],
  ['small.bmp', picture(120, 80)],
  ['notes.jpg', Buffer.from('These are notes, not a picture.\n'.repeat(20))],
  ['large.bmp', Buffer.concat([picture(300, 300), Buffer.alloc(25_000_000)])],
].map(([name, bytes]) => ({ name, mimeType: 'image/bmp', buffer: Buffer.from(bytes) }));

const profile = mkdtempSync(join(tmpdir(), 'greenlight-'));
const browser = await open(profile, { width: 800, height: 600 });
try {
  const page = await browser.newPage();
  const faults = [];
  page.on('pageerror', error => faults.push(String(error)));
  page.on('console', message => { if (message.type() === 'error') faults.push(`${message.text()} ${message.location().url}`) });

  await check('form: only the good file is submitted', async () => {
    for (const file of files) {
      uploads = [];
      await load(page, 'form');
      await page.locator('input').setInputFiles(file);
      const submitted = page.waitForURL('**/upload', { timeout: 5000 }).then(() => true, () => false);
      await page.locator('button').click();
      if (file.name === 'good.bmp') {
        assert.ok(await submitted);
        assert.deepEqual(uploads, ['good.bmp']);
        continue;
      }
      await page.waitForFunction(() => document.querySelector('input').validationMessage !== '');
      const message = await page.locator('input').evaluate(input => input.validationMessage);
      assert.match(message, { 'small.bmp': /120x80/, 'notes.jpg': /not an image/, 'large.bmp': /20971520/ }[file.name]);
      await page.waitForTimeout(300);
      assert.deepEqual(uploads, [], file.name);
    }
  });

  for (const plugin of ['uppy', 'filepond']) {
    await check(`${plugin}: only the good file makes a request`, async () => {
      uploads = [];
      await load(page, plugin);
      await page.locator('input[type=file]').first().setInputFiles(files);
      await page.waitForFunction(() => window.settled === 4, undefined, { timeout: 20_000 });
      await page.waitForTimeout(300);
      assert.deepEqual(uploads, ['good.bmp']);
    });
  }

  await check('a worker checks under the same policy', async () => {
    await load(page, 'form');
    const decision = await page.evaluate(async bytes => {
      const { openWorker } = await import('/package/index.js');
      const worker = openWorker();
      const { decision } = await worker.check(new File([new Uint8Array(bytes)], 'good.bmp'));
      worker.close();
      return decision;
    }, [...picture(256, 256)]);
    assert.equal(decision, 'accept');
  });

  await check('nothing went wrong in the pages', async () => assert.deepEqual(faults, []));

  await check("without 'wasm-unsafe-eval' the error says so, and the form is submitted", async () => {
    policy = POLICY.replace(" 'wasm-unsafe-eval'", '');
    uploads = [];
    await load(page, 'form');
    const code = await page.evaluate(async () => (await import('/package/index.js')).judge(new Uint8Array()).catch(error => error.code));
    assert.equal(code, 'engine/load');
    await page.locator('input').setInputFiles(files[1]);
    await page.locator('button').click();
    await page.waitForURL('**/upload', { timeout: 5000 });
    assert.deepEqual(uploads, ['small.bmp']);
  });
} finally {
  await browser.close();
  server.close();
  rmSync(profile, { recursive: true, force: true });
}
finish();

async function load(page, name) {
  await page.goto(`${origin}/${name}.html`);
  await page.waitForFunction(() => window.ready);
}

/** Bundles the widget with the package's plugin; the engine stays a separate file. */
async function bundle(source) {
  const local = {
    name: 'package',
    setup(build) {
      build.onResolve({ filter: /^\/package\// }, ({ path }) => ({ path: join(process.cwd(), PACKAGE, path.slice(9)) }));
      build.onResolve({ filter: /^\.\/index\.js$/ }, ({ importer }) =>
        importer.includes('greenlight-image') ? { path: '/package/index.js', external: true } : undefined);
    },
  };
  const { outputFiles } = await esbuild.build({
    stdin: { contents: source, resolveDir: process.cwd() }, bundle: true, format: 'esm', write: false, plugins: [local],
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  return outputFiles[0].text;
}
