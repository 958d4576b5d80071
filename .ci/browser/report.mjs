// Opens reports of a generated run and checks what a reader sees.
//
//   node report.mjs GREENLIGHT PROFILE [SCREENSHOT]

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { check, finish, luminance, open } from './browser.mjs';

const [greenlight, profile, screenshot] = process.argv.slice(2);

// Counts the requests for public images and responds to them. The browser's requests are intercepted, so none is sent.
const picture = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==', 'base64');
const own = 'images.example:8443';
let served = 0;

const browser = await open(profile, { width: 1280, height: 1460 });
try {
  const page = await browser.newPage();
  await page.route(/^https?:/, route => {
    served += 1;
    return route.fulfill({ contentType: 'image/png', body: picture });
  });
  const [faults, requests] = [[], []];
  page.on('pageerror', error => faults.push(String(error)));
  page.on('console', message => { if (message.type() === 'error') faults.push(message.text()) });
  page.on('request', request => { if (!/^(file|data):/.test(request.url())) requests.push(request.url()) });
  const lines = page.locator('section[data-table=lines]');
  const row = lines.locator('tbody tr');
  const column = async number => (await lines.locator('tbody tr:visible').evaluateAll(
    (rows, number) => rows.map(row => row.cells[number].dataset.value ?? row.cells[number].textContent), number));

  await page.goto(draw('report.html', run(4000)));

  await check('every plot is drawn, and says in words what it shows', async () => {
    for (const name of ['decisions', 'outcomes', 'scenes', 'violations', 'warnings', 'formats', 'sizes', 'dimensions', 'times', 'hosts']) {
      const plot = page.locator(`#plot-${name}`);
      const box = await plot.locator('svg').boundingBox();
      assert.ok(box.width > 300 && box.height > 40, `${name}: ${JSON.stringify(box)}`);
      const shapes = await plot.locator('svg').locator('rect, circle, line, polyline, polygon').count();
      assert.ok(shapes > 1, `${name}: ${shapes} shapes`);
      assert.match(await plot.locator('[role=img]').getAttribute('aria-label'), /: .*\d/);
    }
  });

  await check('no text in a plot is cut off', async () => {
    const cut = await page.locator('figure svg').evaluateAll(svgs => svgs.flatMap(svg => {
      const edge = svg.getBoundingClientRect();
      return [...svg.querySelectorAll('text')].filter(text => {
        const box = text.getBoundingClientRect();
        return box.left < edge.left - 1 || box.right > edge.right + 1;
      }).map(text => text.textContent.trim());
    }));
    assert.deepEqual(cut, []);
  });

  if (screenshot) {
    await page.screenshot({ path: screenshot });
  }

  await check('the filter leaves what has all words', async () => {
    const all = await row.count();
    await lines.getByRole('searchbox').fill('dead.example dns');
    const shown = await lines.locator('tbody tr:visible').count();
    assert.ok(shown > 0 && shown < all, `${shown} of ${all}`);
    assert.equal(await lines.locator('output').innerText(), `${shown} shown`);
    for (const text of await lines.locator('tbody tr:visible').allInnerTexts()) {
      assert.match(text, /dead\.example/);
      assert.match(text, /dns/);
    }
    await lines.getByRole('searchbox').fill('');
    assert.equal(await lines.locator('tbody tr:visible').count(), all);
  });

  await check('choices leave what has them, and go together', async () => {
    await lines.getByLabel('decision').selectOption('reject');
    await lines.getByLabel('codes').selectOption('image/too-small');
    const decisions = await column(1);
    assert.ok(decisions.length > 0);
    assert.deepEqual([...new Set(decisions)], ['reject']);
    assert.ok((await column(3)).every(codes => codes.includes('image/too-small')));
    await lines.getByLabel('codes').selectOption('');
    await lines.getByLabel('decision').selectOption('');
  });

  await check('tables are sorted by a click on a heading, and by the keyboard', async () => {
    const heading = name => lines.locator('th').filter({ hasText: name });
    await heading('bytes').getByRole('button').click();
    assert.equal(await heading('bytes').getAttribute('aria-sort'), 'ascending');
    const bytes = (await column(8)).filter(value => value !== '').map(Number);
    assert.ok(bytes.length > 10);
    assert.deepEqual(bytes, [...bytes].sort((a, b) => a - b));
    await heading('bytes').getByRole('button').focus();
    await page.keyboard.press('Enter');
    assert.equal(await heading('bytes').getAttribute('aria-sort'), 'descending');
    const values = await column(8);
    assert.deepEqual(values.slice(0, bytes.length).map(Number), [...bytes].reverse());
    assert.ok(values.slice(bytes.length).every(value => value === ''), 'unknown values are last');
    const hosts = page.locator('section[data-table=hosts]');
    await hosts.locator('th').filter({ hasText: 'host' }).getByRole('button').click();
    const names = await hosts.locator('tbody tr td:first-child').allInnerTexts();
    assert.ok(names.length > 3);
    assert.deepEqual(names, [...names].sort());
  });

  await check('it can be read in the dark, its plots too', async () => {
    const bar = page.locator('#plot-decisions rect').first();
    const color = () => bar.evaluate(rect => getComputedStyle(rect).fill);
    const light = await color();
    assert.ok(await luminance(page) > 200);
    await page.emulateMedia({ colorScheme: 'dark' });
    assert.ok(await luminance(page) < 50);
    assert.notEqual(await color(), light);
    await page.emulateMedia({ colorScheme: 'light' });
  });

  await check('a narrow window is not wider than itself', async () => {
    await page.setViewportSize({ width: 400, height: 800 });
    const [inner, wanted] = await page.evaluate(() => [innerWidth, document.documentElement.scrollWidth]);
    assert.ok(wanted <= inner, `${wanted} in ${inner}`);
    await page.setViewportSize({ width: 1280, height: 1460 });
  });

  await check('no image is loaded unless asked', async () => {
    await page.goto(draw('hidden.html', few()));
    assert.equal(await row.count(), 5);
    assert.equal(await page.locator('img').count(), 0);
    assert.deepEqual(requests, []);
    assert.equal(served, 0);
  });

  await check('thumbnails that are asked for are blurred until clicked', async () => {
    await page.goto(draw('thumbnails.html', few(), '--thumbnails'));
    const thumbnail = page.getByRole('button', { name: 'show the image' });
    assert.equal(await thumbnail.count(), 2, 'a local file, a rejected image and one on loopback have none');
    const image = thumbnail.first().locator('img');
    await image.evaluate(image => image.decode());
    assert.equal(served > 0, true);
    assert.ok(requests.every(url => url.startsWith(`https://${own}/`)), requests.join());
    const filter = () => image.evaluate(image => getComputedStyle(image).filter);
    assert.match(await filter(), /blur\(16px\)/);
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await thumbnail.first().click();
    assert.equal(await filter(), 'none');
    assert.match(await thumbnail.nth(1).locator('img').evaluate(image => getComputedStyle(image).filter), /blur/);
    await thumbnail.first().click();
    assert.match(await filter(), /blur\(16px\)/);
  });

  await check('the policy stops an image of another origin and a script of another text', async () => {
    const before = served;
    const stopped = await page.evaluate(() => new Promise(done => {
      const seen = [];
      document.addEventListener('securitypolicyviolation', event => {
        seen.push(event.effectiveDirective);
        if (seen.length === 2) done(seen.sort());
      });
      document.body.append(Object.assign(new Image(), { src: 'https://other.example/x.png' }));
      document.body.append(Object.assign(document.createElement('script'), { textContent: 'document.title = "taken"' }));
    }));
    assert.deepEqual(stopped, ['img-src', 'script-src-elem']);
    assert.equal(served, before);
    assert.equal(await page.title(), 'greenlight report');
    faults.length = 0;
  });

  await check('what a line says is text and never part of the page', async () => {
    await page.goto(draw('hostile.html', [{
      source: '"><img src=x onerror=alert(1)>', decision: 'reject', error: '<script>document.title = "taken"</script>',
      violations: [{ code: '</svg><script>document.title = "taken"</script>', severity: 'reject', message: '<b>' }],
    }], '--thumbnails'));
    assert.equal(await page.title(), 'greenlight report');
    assert.equal(await page.locator('img, b').count(), 0);
    assert.equal(await page.locator('script').count(), 1);
  });

  await check('nothing went wrong in the pages', async () => assert.deepEqual(faults, []));
} finally {
  await browser.close();
}
finish();

/** Renders the report of these lines and returns its address. */
function draw(name, lines, ...options) {
  const path = join(profile, name);
  const input = lines.map(line => `${JSON.stringify(line)}\n`).join('');
  execFileSync(greenlight, ['report', '--html', path, ...options], { input, stdio: ['pipe', 'inherit', 'inherit'] });
  assert.ok(readFileSync(path, 'utf8').startsWith('<!DOCTYPE html>'));
  return pathToFileURL(path).href;
}

/** Returns images, two of which are on a public host and not rejected. */
function few() {
  const lines = [`https://${own}/a.png`, `https://${own}/b.png`, 'photos/c.png', 'http://127.0.0.1:9/d.png']
    .map(source => ({ source, decision: 'accept', outcome: 'review' }));
  return [...lines, { source: `https://${own}/rejected.png`, decision: 'reject' }];
}

/** Returns a run of `count` images, generated with a fixed seed. */
function run(count) {
  let state = 7;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const pick = weighted => {
    let left = random() * weighted.reduce((sum, [, weight]) => sum + weight, 0);
    return weighted.find(([, weight]) => (left -= weight) < 0)?.[0] ?? weighted[0][0];
  };
  const bell = (middle, spread) => middle * Math.exp(spread * (random() + random() + random() - 1.5) * 2);
  const hosts = [['cdn.example.com', 30], ['img.shop.example', 18], ['static.travel.example', 12], ['u.example.org', 10],
    ['photos.example.net', 14], ['media.old-blog.example', 8], ['a.slow.example', 5], ['dead.example', 3]];
  const failing = { 'media.old-blog.example': 0.4, 'a.slow.example': 0.6, 'dead.example': 1 };
  const faults = [['download/status', '404 Not Found: check the URL', 25],
    ['image/truncated', 'the file ends before the image does: send the whole file', 6],
    ['image/format-unsupported', 'WebP is not scanned: convert it', 10], ['image/too-large', 'more than 20971520 bytes: scale it down', 3]]
    .map(([code, message, weight]) => [[code, message], weight]);
  return Array.from({ length: count }, (_, n) => {
    const host = pick(hosts);
    const width = Math.round(Math.max(40, bell(1000, 0.6)));
    const height = Math.round(width * pick([[0.66, 3], [0.75, 4], [1, 2], [1.33, 3], [1.5, 2], [0.56, 3]]) * bell(1, 0.05));
    const bytes = Math.round(width * height * (0.08 + random() * 0.4));
    const line = {
      source: `https://${host}/images/${String(n).padStart(5, '0')}.jpg`, decision: 'accept',
      format: pick([['jpeg', 70], ['png', 20], ['gif', 9], ['bmp', 1]]), width, height, bytes, frames: 1, violations: [],
      download: { status: 200, hops: 1, elapsed_ms: Math.round(Math.min(3050, bell(host === 'a.slow.example' ? 1800 : 320, 0.6))), bytes },
      error: null, data_id: `photo-${n}`, task_id: null, outcome: 'not-submitted', results: [],
    };
    const isSmall = Math.min(width, height) < 256;
    if (isSmall || random() < (failing[host] ?? 0.07)) {
      const [code, message] = isSmall ? ['image/too-small', `${width}x${height} pixels, at least 256x256: send a larger version`]
        : host === 'dead.example' ? ['download/dns', 'the host has no address: check its name']
        : host === 'a.slow.example' ? ['download/too-slow', 'more than 3000 ms: use a faster host'] : pick(faults);
      const unseen = code.startsWith('download/') && { format: null, width: null, height: null, bytes: null };
      return { ...line, ...unseen, decision: 'reject', violations: [{ code, severity: 'reject', message }] };
    }
    if (random() < 0.01) {
      return { ...line, decision: 'inconclusive', error: 'not decidable, unknown: frames' };
    }
    if (random() < 0.06) {
      const code = pick([['image/trailing-bytes', 3], ['image/type-mismatch', 2], ['download/content-type', 2]]);
      line.violations = [{ code, severity: 'warn', message: 'decoders usually tolerate it' }];
    }
    line.results = ['porn', 'terrorism'].map(scene => ({
      scene, suggestion: pick([['pass', 93], ['review', 5], ['block', 2]]), label: 'any', rate: 99,
    }));
    const says = suggestion => line.results.some(result => result.suggestion === suggestion);
    line.outcome = says('block') ? 'block' : says('review') ? 'review' : 'pass';
    return line;
  });
}
