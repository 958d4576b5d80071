// Starts Debian's Chromium, and counts checks.

import { chromium } from 'playwright-core';

/** Opens the browser with a separate profile. */
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

/** Prints the number of checks. */
export function finish() {
  console.log(`${passed} passed, 0 failed`);
}

/** Returns the luminance of a page's background, from 0 to 255. */
export function luminance(page) {
  return page.evaluate(() => {
    const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  });
}
