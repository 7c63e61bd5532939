// What a reader of report.html sees and can do: drives Chromium over the pages of a run, a comparison and a sweep.
// Usage: node report-test.js CHROMIUM FOLDER, where FOLDER/{run,compare,sweep}/report.html are.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { chromium } = require('playwright-core');

const [executablePath, folder] = process.argv.slice(2);
const pictures = process.env.SCREENSHOTS;
let passed = 0;
let failed = 0;
const check = (name, found) => {
  const wrong = Array.isArray(found) ? found.length > 0 : found !== true;
  if (wrong) failed += 1;
  else passed += 1;
  console.log(`${wrong ? 'FAIL' : 'ok  '} ${name}`);
  if (wrong) console.log(JSON.stringify(found, null, 1).slice(0, 2000));
};

// These run inside the page; each returns what is wrong.

// What moves when a chart is zoomed is an svg of its own within it.
const chartsWithoutSize = () =>
  [...document.querySelectorAll('svg:not(svg svg)')]
    .map((svg) => ({ chart: svg.getAttribute('aria-label'), box: svg.getBoundingClientRect() }))
    .filter(({ chart, box }) => !chart || box.width < 250 || box.height < 100)
    .map(({ chart, box }) => `${chart}: ${box.width} × ${box.height}`);

const chartTexts = () => {
  const found = [];
  for (const svg of document.querySelectorAll('svg:not(svg svg)')) {
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll('text')]
      .map((text) => ({ words: text.textContent.trim(), box: text.getBoundingClientRect() }))
      .filter(({ words, box }) => words && box.width > 0);
    texts.forEach(({ words, box }, index) => {
      const chart = svg.getAttribute('aria-label');
      // A pixel for what rounding does.
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1) {
        found.push(`${chart}: "${words}" leaves the chart`);
      }
      for (const other of texts.slice(index + 1)) {
        const wide = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
        const high = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
        // Boxes have the height of a line; letters overlap only where a third of it is shared.
        if (wide > 1 && high > Math.min(box.height, other.box.height) / 3) {
          found.push(`${chart}: "${words}" and "${other.words}" overlap`);
        }
      }
    });
  }
  return found;
};

const overflow = () => {
  const { scrollWidth, clientWidth } = document.documentElement;
  return scrollWidth > clientWidth ? [`${scrollWidth} wide in ${clientWidth}`] : [];
};

const brokenLinks = () =>
  [...document.querySelectorAll('a[href]')]
    .map((link) => link.getAttribute('href'))
    .filter((target) => !target.startsWith('#') || !document.getElementById(target.slice(1)));

// WCAG 2.2, 1.4.3: 4.5 to 1. Only colours without transparency are used on the page.
const faintTexts = () => {
  const parts = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = (color) => {
    const [red, green, blue] = parts(color).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const background = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (parts(color)[3] !== 0) return color;
    }
    return matchMedia('(prefers-color-scheme: dark)').matches && getComputedStyle(document.documentElement).colorScheme.includes('dark')
      ? 'rgb(18, 18, 18)'
      : 'rgb(255, 255, 255)';
  };
  const found = new Set();
  for (const element of document.body.querySelectorAll('*')) {
    const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
    if (!own || element.closest('script, metadata, title, desc') || !element.checkVisibility()) continue;
    // Texts on the coloured cells of a heat map have colours of their own, for every page.
    if (element.closest('svg') && !element.matches('text[class]')) continue;
    const inChart = element.matches('text');
    const color = inChart ? getComputedStyle(element).fill : getComputedStyle(element).color;
    const ground = inChart ? getComputedStyle(element.closest('svg:not(svg svg)').querySelector('rect.paper')).fill : background(element);
    const [one, other] = [luminance(color), luminance(ground)];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) found.add(`${element.tagName} "${element.textContent.trim().slice(0, 40)}": ${contrast.toFixed(2)}`);
  }
  return [...found];
};

const tableTexts = () =>
  [...document.querySelectorAll('table')].map((table) => ({
    visible: table.checkVisibility() && table.getBoundingClientRect().height > 0,
    rows: [...table.tBodies[0].rows].map((row) => row.innerText.trim()),
  }));

const open = async (browser, kind, options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const [requests, complaints] = [[], []];
  const url = pathToFileURL(path.join(folder, kind, 'report.html')).href;
  page.on('request', (request) => {
    if (request.url() !== url) requests.push(request.url());
  });
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(url);
  return { context, page, requests, complaints };
};

const picture = async (page, name) => {
  if (!pictures) return;
  fs.mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: path.join(pictures, `${name}.png`), fullPage: true });
};

// A click on each heading sorts by it, a second one turns the order, and no row is lost.
const sorting = async (page) => {
  const found = [];
  for (const table of await page.locator('table').all()) {
    const cells = (column) =>
      table.evaluate(
        (it, at) => [...it.tBodies[0].rows].map((row) => [row.cells[at].dataset.value ?? null, row.cells[at].textContent]),
        column,
      );
    const headings = await table.locator('thead th').all();
    for (const [column, heading] of headings.entries()) {
      const name = await heading.innerText();
      const before = await cells(column);
      for (const press of ['mouse', 'keyboard']) {
        const button = heading.getByRole('button');
        if (press === 'mouse') await button.click();
        else {
          await button.focus();
          await page.keyboard.press('Enter');
        }
        const order = await heading.getAttribute('aria-sort');
        const after = await cells(column);
        const known = after.map(([value]) => value).filter((value) => value !== null).map(Number);
        const sorted = known.every((value, at) => at === 0 || (order === 'ascending' ? known[at - 1] <= value : known[at - 1] >= value));
        const unknownLast = after.slice(0, known.length).every(([value]) => value !== null);
        if (!order || !sorted || !unknownLast) found.push(`${name}, ${press}: ${order} ${JSON.stringify(after)}`);
        if (JSON.stringify([...after].sort()) !== JSON.stringify([...before].sort())) found.push(`${name}: rows differ`);
      }
      const distinct = new Set(before.map(([value]) => value).filter((value) => value !== null));
      if (distinct.size > 1) {
        const turned = (await cells(column))[0][0];
        await heading.getByRole('button').click();
        if ((await cells(column))[0][0] === turned) found.push(`${name}: another click does not turn the order`);
      }
    }
  }
  return found;
};

// A row that is pointed at is marked.
const pointing = async (page) => {
  const row = page.locator('tbody tr').first();
  const color = () => row.evaluate((it) => getComputedStyle(it).backgroundColor);
  await page.mouse.move(0, 0);
  const before = await color();
  await row.hover();
  return (await color()) === before ? ['the row under the mouse is not marked'] : [];
};

const CHARTS = 'figure > svg';
// What a chart's data says, as the reader is to be told.
const dataOf = (chart) => chart.evaluate((svg) => JSON.parse(svg.querySelector('metadata').textContent));
// The place of the window at which a place of the chart is drawn.
const onScreen = (chart, x, y) =>
  chart.evaluate(
    (svg, [across, down]) => {
      const place = new DOMPoint(across, down).matrixTransform(svg.getScreenCTM());
      return [place.x, place.y];
    },
    [x, y],
  );
const ticksOf = (chart) => chart.locator('g.x-axis text').allTextContents();

// Every chart says the value under the mouse, and the same by keyboard.
const hovering = async (page) => {
  const found = [];
  for (const chart of await page.locator(CHARTS).all()) {
    const name = await chart.getAttribute('aria-label');
    const data = await dataOf(chart);
    const tip = chart.locator('xpath=..').locator('.tip');
    await chart.scrollIntoViewIfNeeded();
    let [x, y, expected] = [0, 0, []];
    if (data.cells) {
      const cell = data.cells[Math.floor(data.cells.length / 2)];
      [x, y] = [(cell.box[0] + cell.box[2]) / 2, (cell.box[1] + cell.box[3]) / 2];
      expected = cell.lines;
    } else {
      // The last place at which something is known.
      const column = data.at.findLastIndex((_, at) => data.series.some((series) => series.text[at] != null));
      const [low, high] = [data.x.low, data.x.high];
      const place = data.x.log ? Math.log10(data.at[column]) : data.at[column];
      x = data.box[0] + ((place - low) / (high - low)) * (data.box[2] - data.box[0]);
      y = (data.box[1] + data.box[3]) / 2;
      expected = [data.names[column], ...data.series.map((series) => series.text[column]).filter((text) => text != null)];
    }
    await page.mouse.move(...(await onScreen(chart, x, y)));
    if (!(await tip.isVisible())) found.push(`${name}: says nothing`);
    else {
      if (pictures) await page.screenshot({ path: path.join(pictures, `pointed-at-${name.replace(/\W+/g, '-')}.png`) });
      const said = await tip.innerText();
      const missing = expected.filter((text) => !said.includes(text));
      if (missing.length) found.push(`${name}: says ${JSON.stringify(said)}, not ${JSON.stringify(missing)}`);
      const box = await tip.boundingBox();
      if (box.x < 0 || box.x + box.width > page.viewportSize().width) found.push(`${name}: what it says leaves the window`);
    }
    await page.mouse.move(0, 0);
    if (await tip.isVisible()) found.push(`${name}: goes on when it is left`);
    await chart.focus();
    await page.keyboard.press('ArrowRight');
    if (!(await tip.isVisible())) found.push(`${name}: says nothing by keyboard`);
    await chart.blur();
  }
  return found;
};

// A drag across shows that part of the axis, in which lines are cut off and values are still found; Escape shows all.
const zooming = async (page) => {
  const found = [];
  let zoomed = 0;
  for (const chart of await page.locator(CHARTS).all()) {
    const data = await dataOf(chart);
    if (!data.zoom) continue;
    zoomed += 1;
    const name = await chart.getAttribute('aria-label');
    await chart.scrollIntoViewIfNeeded();
    const before = await ticksOf(chart);
    const shapes = () => chart.locator('svg.plot').last().innerHTML();
    const drawn = await shapes();
    const [left, top, right, bottom] = data.box;
    const middle = (top + bottom) / 2;
    await page.mouse.move(...(await onScreen(chart, left + (right - left) * 0.25, middle)));
    await page.mouse.down();
    await page.mouse.move(...(await onScreen(chart, left + (right - left) * 0.5, middle + 4)), { steps: 4 });
    await page.mouse.up();
    const after = await ticksOf(chart);
    if (JSON.stringify(after) === JSON.stringify(before)) found.push(`${name}: the axis stays ${after}`);
    if (after.length < 1 && !data.x.ticks) found.push(`${name}: the axis has no labels left`);
    if (new Set(after).size !== after.length) found.push(`${name}: labels twice: ${after}`);
    if ((await shapes()) === drawn) found.push(`${name}: nothing moved`);
    if ((await chart.locator('svg.plot[overflow=visible]').count()) > 0) found.push(`${name}: what leaves the plot is shown`);
    const back = chart.locator('xpath=..').getByRole('button', { name: 'Show all' });
    if (!(await back.isVisible())) found.push(`${name}: no way back is shown`);
    await chart.focus();
    await page.keyboard.press('Escape');
    if (JSON.stringify(await ticksOf(chart)) !== JSON.stringify(before) || (await shapes()) !== drawn) found.push(`${name}: Escape does not show all`);
    await page.keyboard.press('+');
    if ((await shapes()) === drawn) found.push(`${name}: + does not enlarge`);
    await back.click();
    if ((await shapes()) !== drawn) found.push(`${name}: the button does not show all`);
    await page.mouse.move(0, 0);
  }
  if (zoomed === 0 && (await page.locator('svg.plot').count()) > 0) found.push('no chart can be zoomed');
  return found;
};

// What every report owes its reader.
const promises = async (page) => {
  const found = [];
  const headings = await page.locator('h2').allInnerTexts();
  for (const heading of ['Findings', 'Charts', 'How to reproduce it']) {
    if (!headings.includes(heading)) found.push(`no section "${heading}" among ${headings}`);
  }
  if ((await page.locator('.findings li').count()) === 0) found.push('no findings');
  const summaries = await page.locator('summary').allInnerTexts();
  for (const text of ['The scenario as written', 'The scenario with every default filled in']) {
    if (!summaries.some((summary) => summary.startsWith(text))) found.push(`no "${text}"`);
  }
  if (!(await page.locator('pre', { hasText: 'brownout ' }).count())) found.push('no command');
  return found;
};

const folding = async (page) => {
  const found = [];
  for (const details of await page.locator('details').all()) {
    const text = details.locator('pre');
    if (await text.isVisible()) found.push('unfolded from the beginning');
    await details.locator('summary').click();
    if (!(await text.isVisible())) found.push('cannot be unfolded');
    await details.locator('summary').click();
  }
  return found;
};

const reading = async (browser, kind) => {
  const { context, page, requests, complaints } = await open(browser, kind);
  await picture(page, kind);
  const count = await page.locator(CHARTS).count();
  check(`${kind}: there are charts and tables`, count > 0 && (await page.locator('table').count()) > 0);
  check(`${kind}: each of ${count} charts has a size and a name`, await page.evaluate(chartsWithoutSize));
  check(`${kind}: no text of a chart overlaps another or leaves the chart`, await page.evaluate(chartTexts));
  check(`${kind}: nothing is wider than the window`, await page.evaluate(overflow));
  check(`${kind}: every link leads somewhere in the page`, await page.evaluate(brokenLinks));
  check(`${kind}: texts stand out from their background`, await page.evaluate(faintTexts));
  check(`${kind}: it has findings, the scenario, what was resolved, and the command`, await promises(page));
  check(`${kind}: a row that is pointed at is marked`, await pointing(page));
  check(`${kind}: every chart says the value that is pointed at`, await hovering(page));
  check(`${kind}: a drag enlarges, and Escape shows all`, await zooming(page));
  check(`${kind}: tables are sorted by mouse and keyboard, and turned`, await sorting(page));
  check(`${kind}: what is folded can be unfolded`, await folding(page));

  await page.setViewportSize({ width: 390, height: 800 });
  await picture(page, `${kind}-narrow`);
  check(`${kind}: on a telephone, nothing is wider than the window`, await page.evaluate(overflow));
  await page.setViewportSize({ width: 1280, height: 900 });

  await page.emulateMedia({ colorScheme: 'dark' });
  await picture(page, `${kind}-dark`);
  check(`${kind}: where dark is preferred, texts stand out from their background`, await page.evaluate(faintTexts));

  await page.emulateMedia({ media: 'print', colorScheme: 'light' });
  await picture(page, `${kind}-print`);
  check(`${kind}: print has no navigation`, (await page.locator('nav:visible').count()) === 0);
  const paper = await page.pdf({ format: 'A4', ...(pictures && { path: path.join(pictures, `${kind}.pdf`) }) });
  check(`${kind}: it prints`, paper.subarray(0, 5).toString() === '%PDF-' && paper.length > 10000);
  const folded = await page.evaluate(() => [...document.querySelectorAll('details')].filter((it) => !it.open).length);
  check(`${kind}: nothing is folded on paper`, folded === 0);

  check(`${kind}: nothing was fetched`, requests);
  check(`${kind}: no complaint on the console`, complaints);
  await context.close();
};

const withoutScript = async (browser, kind) => {
  const { context, page, complaints } = await open(browser, kind);
  const expected = await page.evaluate(tableTexts);
  await context.close();
  const plain = await open(browser, kind, { javaScriptEnabled: false });
  const found = await plain.page.evaluate(tableTexts);
  const same = JSON.stringify(found) === JSON.stringify(expected) && found.every((table) => table.visible && table.rows.length > 0);
  check(`${kind}: without script, the tables can be read`, same);
  check(`${kind}: without script, nothing pretends to be a button`, (await plain.page.locator('button').count()) === 0);
  const titles = await plain.page.locator('figure > svg > title').count();
  check(`${kind}: without script, a chart says its title`, titles === (await plain.page.locator('figure > svg').count()));
  check(`${kind}: without script, charts have a size`, await plain.page.evaluate(chartsWithoutSize));
  check(`${kind}: without script, no complaint`, [...complaints, ...plain.requests]);
  await plain.context.close();
};

// The checks themselves: a page that is wrong in each way must be found to be.
const proof = async (browser) => {
  const page = await (await browser.newContext({ viewport: { width: 600, height: 400 } })).newPage();
  await page.setContent(`<body><a href="#nowhere">x</a><p style="color: #aaa">faint</p><div style="width: 900px">wide</div>
    <svg aria-label="bad" width="300" height="50"><text x="10" y="20">one text</text><text x="20" y="22">another</text></svg>`);
  const found = [];
  for (const complain of [chartsWithoutSize, chartTexts, overflow, brokenLinks, faintTexts]) {
    if ((await page.evaluate(complain)).length === 0) found.push(complain.name);
  }
  check('a page that is wrong in each way is found to be', found);
  await page.context().close();
};

async function main() {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  try {
    await proof(browser);
    for (const kind of ['run', 'compare', 'sweep']) {
      await reading(browser, kind);
      await withoutScript(browser, kind);
    }
  } finally {
    await browser.close();
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed ? 1 : 0;
}

const limit = setTimeout(() => {
  console.log('FAIL the browser did not finish within fifteen minutes');
  process.exit(1);
}, 900000);
limit.unref();
main().catch((error) => {
  console.log(`FAIL ${error.stack}`);
  process.exit(1);
});
