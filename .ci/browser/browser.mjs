// Debian's Chromium, and checks that are counted.

import { chromium } from 'playwright-core';

/** Opens the browser with a profile of its own. */
export function open(profile, viewport) {
  return chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
    ],
    viewport,
  });
}

let passed = 0;

/** Runs a check; the first that throws ends the script. */
export async function check(what, run) {
  await run();
  passed += 1;
  console.log(`ok: ${what}`);
}

/** Says how many checks there were. */
export function finish() {
  console.log(`${passed} passed, 0 failed`);
}

/** How light a page's background is, from 0 to 255. */
export function luminance(page) {
  return page.evaluate(() => {
    const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  });
}
