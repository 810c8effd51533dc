// The report of a run in a real browser, as a file: node --test tests/e2e/report.test.mjs with TEPAL_MAKE_REPORT set,
// after npm ci here. CHROMIUM is the browser. Screenshots go to TEPAL_SHOTS.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const MAKE = path.resolve(process.env.TEPAL_MAKE_REPORT ?? "build/asan/tests/make_report");
const SHOTS = path.resolve(process.env.TEPAL_SHOTS ?? "build/report");
const PATIENCE = 120_000; // ms
const HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=alert(1)> & \"quotes\" 'too'";

let browser, folder;

before(async () => {
	mkdirSync(SHOTS, { recursive: true });
	folder = mkdtempSync(path.join(tmpdir(), "tepal-report-"));
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

// A run of that many steps and 20 epochs, the same each time. Its loss is not finite once, and has one spike.
function log(steps) {
	let state = 1;
	const noise = () => ((state = (state * 16807) % 2147483647) / 2147483647) - 0.5;
	const lines = [], epoch = Math.max(1, Math.floor(steps / 20));
	for (let s = 1; s <= steps; s++) {
		const t = s / steps, at = { step: s, epoch: s / epoch, time: 1764000000 + 0.7 * s };
		const line = { ...at, "train/loss": 0.35 + 4 * Math.exp(-5 * t) + 0.4 * noise() * Math.exp(-2 * t),
			"train/lr": 5e-4 * (1 + Math.cos(Math.PI * t)), "train/grad_norm": 1 + noise(), "train/images_per_s": 31 + 6 * noise(),
			"train/wait": 0.03 + 0.05 * noise() };
		if (s === Math.floor(steps / 3)) Object.assign(line, { "train/loss": null, nonfinite: { "train/loss": "nan" } });
		if (s === Math.floor(steps / 2)) line["train/loss"] = 9.5;
		lines.push(line);
		const top1 = 0.83 * (1 - Math.exp(-6 * t)) + 0.01 * noise();
		if (s % epoch === 0)
			lines.push({ ...at, "val/loss": 0.6 + 3 * Math.exp(-5 * t), "val/top1": top1, "val/macro_top1": 0.93 * top1,
				"val/top5": 0.4 + 0.7 * top1, "own/number": 1e5 * top1 });
	}
	return lines;
}

const RECORD = {
	Hyperparameter: { optimiser: "adamw", lr: 0.001, betas: [0.9, 0.999], schedule: { kind: "cosine", warmup_epochs: 1.5 } },
	Dataset: { photos_by_licence: { cc0: 1204, "<b>cc by</b>": 7 } },
	trials: [{ penalty: 0.1, val_nll: 0.5 }, { penalty: 1, val_nll: 0.6 }],
	note: HOSTILE,
	empty: {},
};

function make(name, text, record) {
	const dir = path.join(folder, name);
	mkdirSync(dir, { recursive: true });
	const [metrics, recorded, out] = ["metrics.jsonl", "record.json", "report.html"].map((f) => path.join(dir, f));
	writeFileSync(metrics, text);
	if (record) writeFileSync(recorded, JSON.stringify(record));
	const { status, stderr } = spawnSync(MAKE, [metrics, record ? recorded : "-", out], { encoding: "utf8" });
	assert.equal(status, 0, stderr);
	return out;
}

const text = (lines) => lines.map((l) => JSON.stringify(l) + "\n").join("");

// Runs fn with a report; then nothing was logged and nothing but the file was asked for.
async function open(file, fn, options = {}) {
	const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, locale: "en-GB", ...options });
	context.setDefaultTimeout(PATIENCE);
	try {
		const page = await context.newPage(), problems = [];
		page.on("console", (m) => problems.push(m.text()));
		page.on("pageerror", (e) => problems.push(String(e)));
		page.on("dialog", (d) => problems.push(d.message()));
		page.on("request", (r) => {
			if (r.url() !== pathToFileURL(file).href && !r.url().startsWith("data:")) problems.push(`asked ${r.url()}`);
		});
		await page.goto(pathToFileURL(file).href);
		await fn(page);
		assert.deepEqual(problems, []);
	} finally {
		await context.close();
	}
}

// How many colours each chart has: an empty canvas has one.
const colours = (page) => page.locator("#charts canvas").evaluateAll((all) => all.map((c) => {
	const seen = new Set(new Uint32Array(c.getContext("2d").getImageData(0, 0, c.width, c.height).data.buffer));
	return c.width > 100 && c.height > 100 ? seen.size : 0;
}));

async function drawn(page, n) {
	const found = await colours(page);
	assert.equal(found.length, n);
	found.forEach((k, i) => assert.ok(k > 10, `chart ${i} has ${k} colours`));
}

const noSidewaysScroll = async (page) => assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
const data = (page) => page.evaluate(() => JSON.parse(document.getElementById("data").textContent).charts);

// What the table must say, from the log itself.
function expected(lines, tag) {
	const values = lines.filter((l) => tag in l), finite = values.filter((l) => l[tag] !== null);
	const better = /loss/.test(tag) ? -1 : /top/.test(tag) ? 1 : 0;
	const best = finite.reduce((a, l) => ((l[tag] - a[tag]) * better > 0 ? l : a), finite[0]);
	const last = finite.at(-1);
	return { last: last[tag], lastStep: last.step, best: better ? best[tag] : null, bestStep: better ? best.step : null, n: values.length };
}

for (const steps of [10, 400, 30_000])
	test(`a run of ${steps} steps: charts, and the log's own numbers`, async () => {
		const lines = log(steps);
		const file = make(`run-${steps}`, text(lines), RECORD);
		await open(file, async (page) => {
			assert.equal(await page.title(), `run-${steps} – a training run of tepal`);
			await drawn(page, 7);
			const rows = await page.locator("#numbers tbody tr").evaluateAll((all) => all.map((r) => {
				const cells = [...r.cells].map((c) => Number(c.querySelector("data")?.value ?? c.firstChild.textContent.replaceAll(",", "")));
				return [r.querySelector("code").textContent, ...cells.slice(1)];
			}));
			const tags = new Set(lines.flatMap((l) => Object.keys(l).filter((k) => k.includes("/"))));
			assert.equal(rows.length, tags.size);
			for (const [tag, last, lastStep, best, bestStep, n] of rows) {
				const want = expected(lines, tag);
				assert.deepEqual([last, lastStep, n], [want.last, want.lastStep, want.n], tag);
				if (want.best !== null) assert.deepEqual([best, bestStep], [want.best, want.bestStep], tag);
			}
			await page.locator("#numbers", { hasText: /1 not finite, the first at step/ }).waitFor();
			await page.screenshot({ path: path.join(SHOTS, `run-${steps}.png`), fullPage: true });
		});
	});

test("curves are whole in a short run, and keep their extremes in a long one", async () => {
	for (const [steps, thin] of [[400, false], [30_000, true]]) {
		const lines = log(steps), losses = lines.filter((l) => "train/loss" in l);
		await open(make(`curve-${steps}`, text(lines)), async (page) => {
			const [loss] = (await data(page)).find((c) => c.title === "Loss").curves;
			assert.equal(await page.locator("#thinned").count(), thin ? 1 : 0);
			if (thin) {
				assert.ok(loss.x.length <= 512 && loss.x.length >= 256, `${loss.x.length} points`);
				assert.equal(Math.max(...loss.max), 9.5);
				const least = Math.min(...losses.map((l) => l["train/loss"] ?? Infinity));
				assert.equal(Math.min(...loss.min), least);
			} else {
				assert.deepEqual(loss.x, losses.map((l) => l.step));
				assert.deepEqual(loss.y, losses.map((l) => l["train/loss"]));
			}
		});
	}
});

test("no markup from data, and no word of another host", async () => {
	const lines = [{ step: 1, epoch: 1, time: 1764000000, "train/loss": 1, [HOSTILE]: 2 }, { step: 2, "train/loss": 0.5, [HOSTILE]: 3 }];
	const file = make("a <b>name & 'more'", text(lines), { ...RECORD, [HOSTILE]: [1, HOSTILE, null, true] });
	await open(file, async (page) => {
		await drawn(page, 2);
		assert.equal(await page.title(), "a <b>name & 'more' – a training run of tepal");
		assert.equal(await page.locator("h1").textContent(), "a <b>name & 'more'");
		assert.equal(await page.locator("#charts h3").nth(1).textContent(), HOSTILE);
		assert.equal(await page.locator("img, script[src], link[rel=stylesheet]").count(), 0);
		assert.equal(await page.locator("#record tr", { hasText: /^note/ }).locator("td").textContent(), HOSTILE);
		assert.equal(await page.locator("#record tr", { hasText: "betas" }).locator("td").textContent(), "0.9, 0.999");
		assert.equal(await page.locator("#record th", { hasText: "trials[1].val_nll" }).count(), 1);
	});
	// uPlot's own comment names its home; nothing else may.
	const hosts = readFileSync(file, "utf8").match(/(https?:)?\/\/[\w-]+\.[\w.]+/g) ?? [];
	assert.deepEqual([...new Set(hosts)], ["https://github.com"]);
});

test("a log that has just begun, one without values, one with rubbish", async () => {
	await open(make("one", text([{ step: 1, epoch: 0.1, time: 1764000000, "train/loss": 4.6 }])), (page) => drawn(page, 1));
	await open(make("none", ""), async (page) => {
		assert.match(await page.locator("main").textContent(), /The log has no values yet/);
		assert.equal(await page.locator("#charts *").count(), 0);
	});
	await open(make("rubbish", `${text(log(40))}{"step":41,"tra`), async (page) => {
		await drawn(page, 7);
		assert.match(await page.locator("main").textContent(), /One line of the log could not be read/);
	});
	await open(make("nan", text([1, 2].map((step) => ({ step, "train/loss": null })))), (page) => drawn(page, 0));
});

for (const colorScheme of ["light", "dark"])
	test(`${colorScheme}, wide and on a phone`, async () => {
		const file = make(`look-${colorScheme}`, text(log(3000)), RECORD);
		await open(file, async (page) => {
			await page.locator(".u-over").first().hover();
			await page.locator(".u-legend .u-value").first().filter({ hasText: /\d/ }).waitFor();
			await page.screenshot({ path: path.join(SHOTS, `wide-${colorScheme}.png`), fullPage: true });
			await page.setViewportSize({ width: 700, height: 900 });
			await page.waitForFunction(() => document.querySelector(".u-over").closest(".uplot").offsetWidth <= 700);
			await noSidewaysScroll(page);
		}, { colorScheme });
		await open(file, async (page) => {
			await noSidewaysScroll(page);
			await page.screenshot({ path: path.join(SHOTS, `phone-${colorScheme}.png`), fullPage: true });
		}, { colorScheme, viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
	});

test("it changes with the system's colours, and is light on paper", async () => {
	await open(make("paper", text(log(3000)), RECORD), async (page) => {
		const ink = () => page.evaluate(() => getComputedStyle(document.body).color);
		await page.emulateMedia({ colorScheme: "light" });
		const light = await ink();
		await page.emulateMedia({ colorScheme: "dark" });
		assert.notEqual(await ink(), light);
		await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
		assert.equal(await ink(), light);
		await page.evaluate(() => dispatchEvent(new Event("afterprint")));
		await drawn(page, 7);
		await page.pdf({ path: path.join(SHOTS, "paper.pdf"), format: "A4" });
		await page.emulateMedia({ media: "print" });
		await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
		await page.setViewportSize({ width: 720, height: 1000 });
		await noSidewaysScroll(page);
		await drawn(page, 7);
		await page.screenshot({ path: path.join(SHOTS, "paper.png"), fullPage: true });
	});
});
