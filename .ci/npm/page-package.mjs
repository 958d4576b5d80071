// Tests the upload server's page with the package: whether the page or the server rejects, and what is sent.
//
//   node page-package.mjs SERVER

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { check, finish, open } from './browser.mjs';
import { picture } from './picture.mjs';

const server = spawn(process.argv[2], ['127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] });
const address = await new Promise(resolve => createInterface({ input: server.stdout }).on('line', line => {
  const found = line.match(/^open (\S+)$/)?.[1];
  if (found) resolve(found);
}));

const bad = {
  'small.bmp': [picture(120, 80), /^This image is too small: 120 by 80 pixels\./],
  'notes.jpg': ['These are notes, not a picture.\n'.repeat(20), /^This is not an image\./],
  'large.bmp': [Buffer.concat([picture(300, 300), Buffer.alloc(25_000_000)]), /^This file has 24\.1 MiB; the limit is 20 MiB\./],
};
const files = [['good.bmp', [picture(300, 300)]], ...Object.entries(bad)]
  .map(([name, [bytes]]) => ({ name, mimeType: 'image/bmp', buffer: Buffer.from(bytes) }));

const profile = mkdtempSync(join(tmpdir(), 'greenlight-'));
const browser = await open(profile, { width: 800, height: 600 });
try {
  const page = await browser.newPage();
  const faults = [];
  let uploads = 0;
  page.on('pageerror', error => faults.push(String(error)));
  page.on('request', request => { if (request.url().endsWith('/upload')) uploads += 1 });

  /** Sends the files and returns whether the page or the server rejected each, with the text. */
  async function send(serverOnly) {
    uploads = 0;
    await page.goto(address);
    await page.waitForFunction(() => document.getElementById('engine').textContent.includes('checked in this page'));
    if (serverOnly) await page.locator('#server-only').check();
    await page.locator('#files').setInputFiles(files);
    const item = name => page.locator('#uploads > li').filter({ hasText: name });
    await item('good.bmp').and(page.locator('[data-state=accepted], [data-state=pass]')).waitFor({ timeout: 20_000 });
    const texts = {};
    for (const name of Object.keys(bad)) {
      await item(name).and(page.locator('[data-state=rejected]')).waitFor({ timeout: 20_000 });
      texts[name] = await item(name).locator('.verdict').innerText();
      assert.equal(await item(name).getAttribute('data-by'), serverOnly ? 'server' : 'page', name);
      assert.match(await item(name).locator('.by').innerText(), serverOnly ? /by the server/ : /nothing was sent/);
      assert.match(texts[name], bad[name][1]);
    }
    return texts;
  }

  let [byPage, byServer] = [];
  await check('the page refuses three of four files, and sends one', async () => {
    byPage = await send(false);
    assert.equal(uploads, 1);
  });
  await check('with the switch all are sent, and the server refuses the three', async () => {
    byServer = await send(true);
    assert.equal(uploads, 4);
  });
  await check('both give the same reasons', async () => {
    assert.deepEqual(byPage, byServer);
  });
  await check('nothing went wrong in the page', async () => assert.deepEqual(faults, []));
} finally {
  await browser.close();
  server.kill();
  rmSync(profile, { recursive: true, force: true });
}
finish();
