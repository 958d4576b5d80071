// Drops files on the upload server's page and reads the card of each.
//
//   node page.mjs SERVER PROFILE [FOLDER]      with a folder: writes a screenshot of every screen to it

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { check, finish, luminance, onEveryScreen, open, photograph, violations } from './browser.mjs';

const [server, profile, folder] = process.argv.slice(2);

const children = [];
const { address, moderation } = await start(server);
const browser = await open(profile, { width: 800, height: 780 });
try {
  const page = await browser.newPage();
  const faults = [];
  page.on('pageerror', error => faults.push(String(error)));
  page.on('console', message => { if (message.type() === 'error') faults.push(message.text()) });
  // Asked for here, because a key that is pressed at once can overtake the request to report choosers.
  const opened = new Promise(resolve => page.once('filechooser', resolve));
  await page.goto(address);
  // Checks the server's verdicts; .ci/npm covers the page's own check.
  await page.evaluate(() => { document.getElementById('server-only').checked = true });
  const item = name => page.locator('#uploads > li').filter({ hasText: name });
  const settled = name => item(name).and(page.locator('[data-state=pass], [data-state=rejected], [data-state=failed]'));
  const choose = (...files) => page.locator('#files').setInputFiles(files.map(([name, mimeType, buffer]) => ({ name, mimeType, buffer })));

  await check('each file that is dropped gets an answer in plain words', async () => {
    await drop(page);
    const expected = {
      'sunset.png': ['pass', /^PNG, 640 by 480 pixels$/],
      'dot.gif': ['rejected', /^This image is too small: 16 by 16 pixels\. It needs at least 256 by 256 pixels\.$/],
      'notes.jpg': ['rejected', /^This is not an image\. /],
      'poster.jpg': ['rejected', /^This file has 23\.9 MiB; the limit is 20 MiB\. /],
    };
    for (const [name, [state, text]] of Object.entries(expected)) {
      await settled(name).waitFor({ timeout: 20_000 });
      assert.equal(await item(name).getAttribute('data-state'), state, name);
      assert.match(await item(name).locator('.verdict').innerText(), text);
    }
    assert.equal(await item('poster.jpg').locator('.size').innerText(), '23.9 MiB');
  });

  await check('the defect is in the details, with the size of the file and not of what was read', async () => {
    const broken = await picture(page);
    broken[broken.length - 20] ^= 0xff; // in the image data or its checksum
    await choose(['broken.png', 'image/png', broken]);
    await item('broken.png').and(page.locator('[data-state=rejected]')).waitFor({ timeout: 20_000 });
    assert.equal(await item('broken.png').locator('.verdict').innerText(), 'This PNG is damaged; please export it again.');
    const details = item('broken.png').locator('details');
    assert.equal(await details.locator('li').isVisible(), false);
    await details.locator('summary').click();
    assert.match(await details.innerText(), /image\/corrupt: .* at byte \d+/);
    await details.locator('summary').click();
    const size = await item('poster.jpg').locator('details').textContent();
    assert.match(size, /image\/too-large: 25034385 bytes, at most 20971520/);
  });

  await check('the outcome appears by itself, and the thumbnail of a passed image', async () => {
    await item('sunset.png').and(page.locator('[data-state=pass]')).waitFor({ timeout: 20_000 });
    assert.equal(await item('sunset.png').locator('.outcome').innerText(), 'Passed moderation');
    const width = await item('sunset.png').locator('img').evaluate(image => image.naturalWidth);
    assert.equal(width, 640);
  });

  await check('a screen reader is informed', async () => {
    assert.equal(await page.locator('[role=status][aria-live=polite]').count(), 1);
    await page.waitForFunction(() => document.getElementById('said').textContent !== '');
  });

  await check('files are chosen with the keyboard, and what is blocked is shown', async () => {
    await page.locator('h1').click(); // the focus starts here
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'files');
    await page.keyboard.press('Enter');
    const chooser = await Promise.race([opened, page.waitForTimeout(30_000)]);
    assert.ok(chooser, 'no chooser was opened');
    await chooser.setFiles({ name: 'porn.png', mimeType: 'image/png', buffer: await picture(page) });
    await item('porn.png').and(page.locator('[data-state=block]')).waitFor({ timeout: 20_000 });
  });

  await check('a blocked image is red and hidden, one for review is amber', async () => {
    await choose(['sexy.png', 'image/png', await picture(page)]);
    await item('sexy.png').and(page.locator('[data-state=review]')).waitFor({ timeout: 20_000 });
    assert.equal(await item('porn.png').locator('img').count(), 0);
    assert.equal(await item('sexy.png').locator('img').count(), 1);
    assert.equal(await item('porn.png').locator('.outcome').innerText(), 'Blocked by moderation');
    const color = name => item(name).evaluate(card => getComputedStyle(card).borderLeftColor);
    assert.equal(await color('porn.png'), 'rgb(179, 38, 30)');
    assert.equal(await color('sexy.png'), 'rgb(122, 82, 0)');
    assert.match(await page.locator('#said').textContent(), /^sexy\.png: A person will review this image$/);
  });

  await check('after a lost connection the upload is tried again, with the keyboard', async () => {
    await page.route('**/upload', route => route.abort(), { times: 1 });
    await choose(['lost.png', 'image/png', await picture(page)]);
    await item('lost.png').and(page.locator('[data-state=failed]')).waitFor({ timeout: 20_000 });
    assert.equal(await item('lost.png').locator('.verdict').innerText(), 'The connection was lost. Please try again.');
    await page.getByRole('button', { name: 'Try again to upload lost.png' }).focus();
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.tagName), 'LI', 'the focus stays at the card');
    await item('lost.png').and(page.locator('[data-state=pass]')).waitFor({ timeout: 20_000 });
  });

  await check('accessibility: no violation on any screen', async () => {
    await page.unroute('**/upload');
    await page.route('**/upload', route => route.fulfill({ status: 503 }));
    await choose(['later.png', 'image/png', await picture(page)]);
    await item('later.png').and(page.locator('[data-state=failed]')).waitFor({ timeout: 20_000 });
    await page.unroute('**/upload');
    await page.evaluate(() => { for (const details of document.querySelectorAll('details')) details.open = true });
    await onEveryScreen(page, async screen => assert.deepEqual(await violations(page), [], screen));
    await page.evaluate(() => { for (const details of document.querySelectorAll('details')) details.open = false });
  });

  await page.evaluate(() => document.activeElement.blur());
  if (folder) await photograph(page, folder, 'upload-page');

  await check('it can be read in the dark', async () => {
    assert.ok(await luminance(page) > 200);
    await page.emulateMedia({ colorScheme: 'dark' });
    assert.ok(await luminance(page) < 50);
  });

  await check('the metrics count it', async () => {
    const metrics = await (await fetch(`${address}/metrics`)).text();
    for (const [line, least] of [
      ['greenlight_uploads_total{verdict="accept"}', 4],
      ['greenlight_uploads_total{verdict="image/too-small"}', 1],
      ['greenlight_uploads_total{verdict="image/not-an-image"}', 1],
      ['greenlight_uploads_total{verdict="image/too-large"}', 1],
      ['greenlight_outcomes_total{decision="pass"}', 1],
      ['greenlight_outcomes_total{decision="block"}', 1],
      ['greenlight_outcomes_total{decision="review"}', 1],
      ['greenlight_upload_bytes_saved_total', 20_000_000],
    ]) {
      const found = metrics.split('\n').find(text => text.startsWith(`${line} `));
      assert.ok(Number(found?.split(' ')[1]) >= least, `${line}: ${found}`);
    }
  });

  await check('with an account the results arrive by callback, and from no other sender', async () => {
    const [uid, seed] = ['1234567890123456', 'seed_of_the_check'];
    const { address } = await start(server, {
      ALIBABA_CLOUD_ACCESS_KEY_ID: 'sandbox-key-id', ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'sandbox-key-secret',
      GREENLIGHT_ENDPOINT: moderation, GREENLIGHT_PUBLIC_URL: 'http://127.0.0.1:9',
      GREENLIGHT_UID: uid, GREENLIGHT_SEED: seed,
    });
    const form = new FormData();
    form.append('image', new Blob([await picture(page)]), 'a.png');
    const { id } = await (await fetch(`${address}/upload`, { method: 'POST', body: form })).json();
    const content = JSON.stringify({ code: 200, dataId: id, taskId: 'img-1', results: [
      { scene: 'porn', label: 'sexy', suggestion: 'review', rate: 80 }] });
    const send = checksum => fetch(`${address}/callback`, {
      method: 'POST', body: new URLSearchParams({ checksum, content }),
    });
    assert.equal((await send('0'.repeat(64))).status, 403);
    const checksum = createHash('sha256').update(uid + seed + content).digest('hex');
    assert.equal((await send(checksum)).status, 200);
    const events = (await fetch(`${address}/events`)).body.getReader();
    const event = new TextDecoder().decode((await events.read()).value);
    await events.cancel();
    assert.match(event, /"decision":"review"/);
    assert.ok(event.includes(id));
  });

  await check('nothing went wrong in the page', async () => {
    // The browser logs each response with a status other than 200.
    const unexpected = faults.filter(text => !text.startsWith('Failed to load resource'));
    assert.deepEqual(unexpected, []);
  });
} finally {
  await browser.close();
  for (const child of children) child.kill();
}
finish();

/** Starts the server on a free port, and reads the moderator and its address from its output. */
async function start(command, environment = {}) {
  const child = spawn(command, ['127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...environment },
  });
  children.push(child);
  let moderation;
  for await (const line of createInterface({ input: child.stdout })) {
    moderation = line.match(/^moderation by .* at (\S+)$/)?.[1] ?? moderation;
    const address = line.match(/^open (\S+)$/)?.[1];
    if (address) return { address, moderation };
  }
  throw new Error('the server ended without an address');
}

/** Drops all files together on the document, as a user would. */
async function drop(page) {
  await page.evaluate(async () => {
    const bytes = (...parts) => new Blob(parts.map(part => typeof part === 'string'
      ? Uint8Array.from(part, c => c.charCodeAt(0)) : part));
    const canvas = new OffscreenCanvas(640, 480);
    const context = canvas.getContext('2d');
    const sky = context.createLinearGradient(0, 0, 0, 480);
    sky.addColorStop(0, '#2b3a67');
    sky.addColorStop(0.7, '#f28c5e');
    sky.addColorStop(1, '#ffe3a3');
    context.fillStyle = sky;
    context.fillRect(0, 0, 640, 480);
    context.fillStyle = '#fff3c4';
    context.arc(320, 360, 60, 0, 7);
    context.fill();
    const png = await canvas.convertToBlob({ type: 'image/png' });

    const gif = bytes('GIF89a\x10\0\x10\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x10\0\x10\0\0\x02\x0e\x84\x8f\xa9\xcb\xed\x0f\xa3\x9c\xb4\xda\x8b\xb3>\x05\0;');
    const text = bytes('These are notes, and no picture at all.\n'.repeat(20));
    // A frame header, and then comments up to 25 MB.
    const comment = new Uint8Array(65_535).fill(0x78);
    comment.set([0xff, 0xfe, 0xff, 0xfd]);
    const jpeg = bytes('\xff\xd8\xff\xc0\0\x0b\x08\x04\0\x04\0\x01\x01\x11\0', ...Array(382).fill(comment));

    const files = [[png, 'sunset.png', 'image/png'], [gif, 'dot.gif', 'image/gif'],
      [text, 'notes.jpg', 'image/jpeg'], [jpeg, 'poster.jpg', 'image/jpeg']];
    const transfer = new DataTransfer();
    for (const [blob, name, type] of files) transfer.items.add(new File([blob], name, { type }));
    const target = document.getElementById('drop');
    for (const kind of ['dragenter', 'dragover', 'drop']) {
      target.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: transfer }));
    }
  });
}

/** A good PNG as bytes. */
async function picture(page) {
  const bytes = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(300, 300);
    canvas.getContext('2d').fillRect(0, 0, 150, 300);
    const blob = await canvas.convertToBlob({ type: 'image/png' });
    return [...new Uint8Array(await blob.arrayBuffer())];
  });
  return Buffer.from(bytes);
}
