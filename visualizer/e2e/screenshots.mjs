// SPDX-License-Identifier: MIT
// All views at the four sizes the design is judged at, light and dark, into e2e/artefacts/. To be looked at.
import { artefacts, json, newPage, open, settled, startBrowser } from './browser.mjs';
import { makeSession } from './session.mjs';

const session = json('ingest.json', makeSession());
const next = json('next.json', makeSession({ spike: false, seed: 8, name: 'ingest-next' }));

for (const [width, height] of [[1440, 900], [1920, 1080], [1024, 768], [390, 844]]) {
  const browser = await startBrowser({ viewport: { width, height } });
  for (const colorScheme of ['light', 'dark']) {
    const page = await newPage(browser.context);
    await page.emulateMedia({ colorScheme });
    const shot = (name) => page.screenshot({ path: `${artefacts}${width}-${colorScheme}-${name}.png` });
    await shot('first-screen');
    await open(page, [session]);
    await shot('session');
    await page.keyboard.press(']');
    await settled(page);
    await page.evaluate(() => globalThis.rustscope.select(globalThis.rustscope.tab.info.funcs.names.indexOf('ingest::index::Index::insert')));
    await page.waitForTimeout(200);
    await shot('spike');
    if (width < 768) {
      for (const pane of ['Tables', 'Insights', 'Flame graph']) {
        await page.getByRole('button', { name: pane, exact: true }).click();
        await page.waitForTimeout(150);
        await shot(pane.toLowerCase().replace(' ', '-'));
      }
    } else {
      for (const table of ['crates', 'modules', 'memory', 'threads', 'scopes', 'benchmarks', 'functions']) {
        await page.locator(`[data-testid=tab-${table}]`).click();
        await page.waitForTimeout(80);
        await shot(table);
      }
      await page.keyboard.press('2');
      await settled(page);
      await shot('bottom-up');
      await page.keyboard.press('3');
      await settled(page);
      await shot('sandwich');
      await page.keyboard.press('?');
      await page.waitForTimeout(80);
      await shot('keys');
      await page.keyboard.press('Escape');
      await open(page, [next]);
      await page.locator('[data-testid=compare]').click();
      await page.waitForTimeout(500);
      await shot('compare');
    }
    await page.close();
  }
  await browser.close();
}
