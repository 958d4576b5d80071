// Starts Debian's Chromium, and counts checks.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
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

/** The widths that the pages are made for, with the height of a usual screen. */
export const SCREENS = [[390, 844], [768, 1024], [1280, 900]];

/** Runs on every screen, light and dark, and restores the first size. */
export async function onEveryScreen(page, run) {
  const before = page.viewportSize();
  for (const [width, height] of SCREENS) {
    await page.setViewportSize({ width, height });
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await run(`${width}-${colorScheme}`);
    }
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize(before);
}

/** Returns the accessibility violations of a page, as axe-core finds them. */
export async function violations(page) {
  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  // Evaluated by the debugger: the page's policy allows no other script.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run());
  return violations.flatMap(({ id, nodes }) => nodes.map(node => `${id}: ${node.target} ${node.failureSummary}`));
}

/** Writes a picture of every screen to a folder. */
export function photograph(page, folder, name) {
  return onEveryScreen(page, screen => page.screenshot({ path: join(folder, `${name}-${screen}.png`) }));
}
