// The report of a catalog in a real browser, as a file: node --test tests/e2e/data_report.test.mjs with
// TEPAL_MAKE_DATA_REPORT set, after npm ci here. CHROMIUM is the browser. Screenshots go to TEPAL_SHOTS.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const MAKE = path.resolve(process.env.TEPAL_MAKE_DATA_REPORT ?? "build/asan/tests/make_data_report");
const SHOTS = path.resolve(process.env.TEPAL_SHOTS ?? "build/data-report");
const PATIENCE = 120_000; // ms
const HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=alert(1)> & \"q\" 'too'";
const SECTIONS = ["verdicts", "sources", "tail", "groups", "time", "place", "people", "quality", "sheets", "pairs", "splits",
	"names", "about"];
const CHARTS = ["by-verdict", "rank", "families", "organs", "years", "months", "map", "licences", "authors", "width", "height",
	"short-side", "aspect", "file-size", "brightness", "sharpness", "by-split"];

let browser, folder;
const reports = {}; // "clean", "bare" -> file

before(async () => {
	mkdirSync(SHOTS, { recursive: true });
	folder = mkdtempSync(path.join(tmpdir(), "tepal-data-report-"));
	for (const kind of ["clean", "bare"]) {
		const dir = path.join(folder, kind);
		const { status, stderr } = spawnSync(MAKE, [dir, kind], { encoding: "utf8" });
		assert.equal(status, 0, stderr);
		reports[kind] = path.join(dir, "report.html");
	}
	browser = await chromium.launch({
		executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
		timeout: PATIENCE,
		args: ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
			"--disable-component-update", "--disable-sync", ...(process.getuid() === 0 ? ["--no-sandbox"] : [])],
	});
});

after(async () => {
	await browser?.close();
	rmSync(folder, { recursive: true, force: true });
});

// Runs fn with a report; then nothing was logged and nothing but the file was asked for.
async function open(kind, fn, options = {}) {
	const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, locale: "en-GB", offline: true, ...options });
	context.setDefaultTimeout(PATIENCE);
	try {
		const page = await context.newPage(), problems = [], url = pathToFileURL(reports[kind]).href;
		page.on("console", (m) => problems.push(m.text()));
		page.on("pageerror", (e) => problems.push(String(e)));
		page.on("dialog", (d) => problems.push(d.message()));
		page.on("request", (r) => {
			if (r.url().split("#")[0] !== url && !r.url().startsWith("data:")) problems.push(`asked ${r.url()}`);
		});
		await page.goto(url);
		await fn(page);
		assert.deepEqual(problems, []);
	} finally {
		await context.close();
	}
}

// Charts with a picture in them that has marks, in the order of the page.
const drawn = async (page) => {
	await page.waitForFunction(() => [...document.querySelectorAll("figure.chart")]
		.every((f) => f.querySelector(".plot svg") || !f.querySelector("tbody tr:not([data-apart])")));
	return page.locator("figure.chart").evaluateAll((all) => all.filter((f) => {
		const svg = [...f.querySelectorAll(".plot svg")].at(-1);
		return svg && svg.querySelectorAll("rect, path, circle").length > 1 && svg.getBoundingClientRect().width > 100;
	}).map((f) => f.id));
};
const numbers = (row) => row.locator("data").evaluateAll((all) => all.map((d) => Number(d.value)));
const noSidewaysScroll = async (page) => assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));

test("every section, every chart, and figures that are the catalog's", async () => {
	await open("clean", async (page) => {
		assert.equal(await page.title(), "a <b>set & 'more' – a photo set of tepal");
		assert.deepEqual(await page.locator("main > section[id]").evaluateAll((all) => all.map((s) => s.id)), SECTIONS);
		assert.deepEqual(await page.locator("nav a").evaluateAll((all) => all.map((a) => a.getAttribute("href").slice(1))), SECTIONS);
		assert.deepEqual(await drawn(page), CHARTS);

		const cards = await page.locator(".cards").first().locator("dt + dd data").evaluateAll((all) => all.map((d) => Number(d.value)));
		assert.deepEqual(cards, [20, 13, 7, 2, 1]);
		const verdicts = await page.locator("#by-verdict tbody tr").evaluateAll((all) =>
			Object.fromEntries(all.map((r) => [r.cells[0].textContent, Number(r.querySelector("data").value)])));
		assert.equal(verdicts.kept, 13);
		assert.equal(verdicts.dark, 2);
		assert.equal(Object.values(verdicts).reduce((a, b) => a + b), 20);
		assert.match(await page.locator("#sums").textContent(), /^The sums agree: .* there are 20 photos\.$/);
		assert.equal(await page.locator("#tail .cards data").first().getAttribute("value"), "0.038462");
		assert.deepEqual(await numbers(page.locator("#by-split tbody tr").first()), [7, 2]);
		assert.match(await page.locator("#torn").textContent(), /1 of 11 plants seen/);
		assert.match(await page.locator("#unmatched + .wide").textContent(), /Nearest <b>name<\/b>/);
		assert.match(await page.locator("#placeholders").textContent(), /of 3 there is only a placeholder/);
	});
});

// What is drawn is what the table says.
test("a chart has a bar for each row of its table", async () => {
	await open("clean", async (page) => {
		await drawn(page);
		for (const id of ["families", "by-verdict", "organs"]) {
			const wanted = await page.locator(`#${id} tbody tr:not([data-apart])`).evaluateAll((rows) => {
				const of = (r, i) => Number(r.cells[i].querySelector("data").value);
				const two = rows[0].closest("table").querySelectorAll("th[data-series]").length > 1;
				return rows.flatMap((r) => (two ? [of(r, 1), of(r, 2)] : [of(r, 1)])).filter((n) => n > 0);
			});
			const bars = await page.locator(`#${id} .plot g[aria-label=bar] rect`).evaluateAll((all) =>
				all.map((r) => ({ n: Number(/: ([\d,]+)/.exec(r.querySelector("title").textContent)[1].replaceAll(",", "")), w: Number(r.getAttribute("width")) })));
			assert.deepEqual(bars.map((b) => b.n).sort(), wanted.sort(), id);
			for (const b of bars) assert.ok(Math.abs(b.w / b.n - bars[0].w / bars[0].n) < 0.5, `${id}: ${b.w} pixels for ${b.n}`);
		}
		assert.match(await page.locator("#brightness .plot svg").last().textContent(), /dark 0\.098/);
		assert.match(await page.locator("#sharpness .plot svg").last().textContent(), /blurred 4\.5/);
		const cells = await page.evaluate(() => JSON.parse(document.getElementById("cells").textContent));
		assert.equal(cells.reduce((n, c) => n + c[2] + c[3], 0), 19);
		assert.equal(await page.locator("#map .plot svg").last().locator("path:has(title)").count(), cells.length);
	});
});

test("photos of each rule, the most extreme first, and copies beside what they copy", async () => {
	await open("clean", async (page) => {
		const sheet = page.locator("#sheet-dark ~ ul.sheet").first();
		assert.deepEqual(await sheet.locator("b").allTextContents(), ["5", "20"]);
		for (const img of await page.locator("main img").all())
			assert.ok(await img.evaluate((i) => i.decode().then(() => i.naturalWidth === i.width || i.naturalWidth > 0)), "a picture that is none");
		const pairs = page.locator("#pairs-near-duplicate ~ ul.pairs").first();
		assert.deepEqual(await pairs.locator("b").allTextContents(), ["6", "3"]);
		assert.equal(await pairs.locator("li").first().locator("img").count(), 2);
		assert.match(await pairs.locator("li").first().textContent(), /Aloe vera 5 4\.jpg.*Aloe vera 1 <b>'0'\.jpg/);
		assert.equal(await page.locator(".none", { hasText: "damaged file" }).count(), 1);
		assert.equal(await page.locator(".none", { hasText: "file not found" }).count(), 1);
		assert.equal(await page.locator("#kept-0 ~ ul.sheet li").count(), 13);
		assert.equal(await page.locator("main img[alt='']").count() + await page.locator("main img:not([alt])").count(), 0);
	});
});

test("no markup from data, no word of another host", async () => {
	await open("clean", async (page) => {
		await drawn(page);
		assert.equal(await page.locator("script[src], link[rel=stylesheet], img:not([src^='data:image/jpeg;'])").count(), 0);
		assert.equal(await page.locator("main b b, main u").count(), 0);
		assert.ok((await page.locator("#by-verdict").textContent()).includes(HOSTILE.slice(0, 60)));
		assert.ok((await page.locator("#sources").textContent()).includes(HOSTILE));
		assert.ok((await page.locator("#by-verdict .plot").textContent()).includes("</script>"));
	});
	// comments of the libraries, and names of XML
	const html = readFileSync(reports.clean, "utf8").replace(/data:image\/jpeg;base64,[\w+/=]+/g, "");
	const hosts = html.match(/(https?:)?\/\/[\w-]+\.[\w.]+/g) ?? [];
	assert.deepEqual([...new Set(hosts)].sort(), ["http://www.w3.org", "https://d3js.org", "https://github.com"]);
});

test("a catalog nobody has looked at says so", async () => {
	await open("bare", async (page) => {
		const charts = await drawn(page), text = await page.locator("main").textContent();
		assert.ok(charts.includes("rank") && charts.includes("map") && !charts.includes("brightness"), charts.join());
		assert.match(text, /No photo has been looked at yet/);
		assert.match(text, /Nobody has looked for copies yet/);
		assert.match(text, /No photo is left out\./);
		assert.match(text, /No photo that is kept has been given to a split yet/);
		assert.match(text, /No name has been looked up yet/);
		assert.match(await page.locator("#unmeasured").textContent(), /brightness, contrast, sharpness/);
	});
});

test("by keyboard, and without JavaScript", async () => {
	await open("clean", async (page) => {
		await drawn(page);
		await page.keyboard.press("Tab");
		assert.equal(await page.evaluate(() => document.activeElement.textContent), "To the text");
		const summary = page.locator("#families summary");
		await summary.focus();
		await page.keyboard.press("Enter");
		assert.ok(await page.locator("#families table").isVisible());
		await page.setViewportSize({ width: 320, height: 700 });
		await page.waitForFunction(() => [...document.querySelectorAll(".wide")].some((w) => w.tabIndex === 0));
	});
	await open("clean", async (page) => {
		assert.equal(await page.locator(".plot svg").count(), 0);
		assert.ok(await page.locator("noscript").count() && await page.locator("#families details").isVisible());
		await page.locator("#families summary").click();
		assert.ok(await page.locator("#families table").isVisible());
	}, { javaScriptEnabled: false });
});

for (const colorScheme of ["light", "dark"])
	test(`${colorScheme}, wide and on a phone`, async () => {
		await open("clean", async (page) => {
			await drawn(page);
			await page.screenshot({ path: path.join(SHOTS, `wide-${colorScheme}.png`), fullPage: true });
			await page.setViewportSize({ width: 700, height: 900 });
			await page.waitForFunction(() => [...document.querySelectorAll(".plot svg")].every((s) => s.getBoundingClientRect().right <= innerWidth));
			await noSidewaysScroll(page);
		}, { colorScheme });
		await open("clean", async (page) => {
			assert.deepEqual(await drawn(page), CHARTS);
			await noSidewaysScroll(page);
			await page.screenshot({ path: path.join(SHOTS, `phone-${colorScheme}.png`), fullPage: true });
		}, { colorScheme, viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
	});

test("light on paper, with all charts", async () => {
	await open("clean", async (page) => {
		await drawn(page);
		const ink = () => page.evaluate(() => getComputedStyle(document.querySelector("#families .plot g[aria-label=bar] rect")).fill);
		await page.emulateMedia({ colorScheme: "light" });
		const light = await ink();
		await page.emulateMedia({ colorScheme: "dark" });
		assert.notEqual(await ink(), light);
		await page.emulateMedia({ colorScheme: "dark", media: "print" });
		assert.equal(await ink(), light);
		await page.emulateMedia({ media: null, colorScheme: "dark" });
		await page.pdf({ path: path.join(SHOTS, "paper.pdf"), format: "A4" });
		await page.emulateMedia({ media: "print" });
		await page.setViewportSize({ width: 720, height: 1000 });
		await noSidewaysScroll(page);
		assert.deepEqual(await drawn(page), CHARTS);
		await page.screenshot({ path: path.join(SHOTS, "paper.png"), fullPage: true });
	});
});
