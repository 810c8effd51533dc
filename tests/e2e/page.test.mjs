// The page in a real browser against the real server: node --test tests/e2e/page.test.mjs with TEPAL_BIN and
// TEPAL_MODEL set, after npm ci here. CHROMIUM is the browser. Screenshots go to TEPAL_SHOTS.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const BIN = path.resolve(process.env.TEPAL_BIN ?? "build/release/src/cli/tepal");
const MODEL = path.resolve(process.env.TEPAL_MODEL ?? "models/plants83.safetensors");
const SHOTS = path.resolve(process.env.TEPAL_SHOTS ?? "build/page");
const PHOTOS = process.env.TEPAL_PHOTOS;
const PATIENCE = 120_000; // ms until a state has to be there: a slow machine is no failure, one that hangs is

let server, url, browser, drawn, reference;

function startServer() {
	server = spawn(BIN, ["serve", "--model", MODEL, "--port", "0"], { stdio: ["ignore", "pipe", "pipe"] });
	let log = "";
	server.stderr.on("data", (d) => (log += d));
	return new Promise((resolve, reject) => {
		server.on("error", reject);
		server.on("exit", (code) => reject(new Error(`the server ended with ${code}: ${log}`)));
		createInterface({ input: server.stdout }).on("line", (line) => {
			const m = /^listening (http:\/\/127\.0\.0\.1:\d+)$/.exec(line);
			if (m) resolve(m[1]);
		});
	});
}

// A green leaf on a pale ground, drawn by the browser, as JPEG bytes.
async function drawPicture() {
	const page = await browser.newPage();
	const text = await page.evaluate(() => {
		const c = document.createElement("canvas");
		c.width = 320;
		c.height = 240;
		const g = c.getContext("2d");
		g.fillStyle = "#eee";
		g.fillRect(0, 0, 320, 240);
		g.fillStyle = "#3a7a35";
		g.beginPath();
		g.ellipse(160, 120, 110, 50, 0.4, 0, 7);
		g.fill();
		return c.toDataURL("image/jpeg", 0.9);
	});
	await page.close();
	return Buffer.from(text.split(",")[1], "base64");
}

const jpeg = (name = "leaf.jpg") => ({ name, mimeType: "image/jpeg", buffer: drawn });
const shot = (page, name) => page.screenshot({ path: path.join(SHOTS, `${name}.png`), fullPage: true });

before(async () => {
	mkdirSync(SHOTS, { recursive: true });
	url = await startServer();
	browser = await chromium.launch({
		executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
		timeout: PATIENCE,
		args: ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
			"--disable-component-update", "--disable-sync", ...(process.getuid() === 0 ? ["--no-sandbox"] : [])],
	});
	drawn = await drawPicture();
	// The API's own words for the drawn picture, which the page's are held against.
	reference = await ask(drawn);
});

after(async () => {
	await browser?.close();
	if (!url) return;
	server.removeAllListeners("exit");
	const exit = once(server, "exit");
	server.kill("SIGTERM");
	assert.deepEqual(await exit, [0, null]);
});

async function ask(bytes, query = "") {
	const form = new FormData();
	form.append("images", new Blob([bytes]), "a.jpg");
	const answer = await fetch(`${url}/v2/identify/all${query}`, { method: "POST", body: form });
	return { status: answer.status, body: await answer.json() };
}

// Runs fn with an open page; then no error was logged and no other host was asked. Answers of 4xx and 5xx that a
// test brings about are logged by the browser, so these tests name them.
function onPage(name, fn, { options = {}, expected = null, skip = false } = {}) {
	test(name, { skip }, async () => {
		const context = await browser.newContext({ viewport: { width: 1100, height: 900 }, locale: "en-GB", ...options });
		context.setDefaultTimeout(PATIENCE);
		const page = await context.newPage();
		const problems = [];
		page.on("console", (m) => {
			if (["error", "warning"].includes(m.type()) && !(expected && expected.test(m.text()))) problems.push(m.text());
		});
		page.on("pageerror", (e) => problems.push(String(e)));
		page.on("request", (r) => {
			if (!r.url().startsWith(`${url}/`) && !/^(blob|data):/.test(r.url())) problems.push(`asked ${r.url()}`);
		});
		try {
			await page.goto(url);
			await page.waitForFunction(() => document.getElementById("known-count").textContent !== "");
			await fn(page);
			assert.deepEqual(problems, []);
		} finally {
			await context.close();
		}
	});
}

const NOT_FOUND = { expected: /status of 404/ };
const REFUSED = { expected: /status of 400/ };
const choose = (page, ...files) => page.locator("#pick").setInputFiles(files);

// A page changes in its own time, so nothing is read once and judged: a check is made until it holds.
async function soon(check) {
	const end = Date.now() + PATIENCE;
	for (;;) {
		try {
			return await check();
		} catch (e) {
			if (!(e instanceof assert.AssertionError) || Date.now() > end) throw e;
		}
		await new Promise((again) => setTimeout(again, 20));
	}
}

const is = (got, wanted) => (wanted instanceof RegExp ? assert.match(got, wanted) : assert.deepEqual(got, wanted));
const shows = (page, selector, wanted) => soon(async () => is(await page.locator(selector).first().innerText(), wanted));
const lists = (page, selector, wanted) =>
	soon(async () => is((await page.locator(selector).allInnerTexts()).map((s) => s.trim()), wanted));
const counts = (page, selector, n) => soon(async () => is(await page.locator(selector).count(), n));
const holds = (page, selector, value) => soon(async () => is(await page.locator(selector).inputValue(), value));
const visible = (page, selector) => page.locator(selector).waitFor();
const hidden = (page, selector) => page.locator(selector).waitFor({ state: "hidden" });

// Waits for the answer to what was just asked: while one is awaited there is a button to cancel it.
async function answered(page) {
	await hidden(page, "#cancel");
	await page.waitForSelector("#answer:visible, #pick-error:visible");
}

async function identify(page) {
	await page.click("#identify");
	await answered(page);
}

async function guesses(page) {
	if (await page.locator("#guess").isVisible()) await page.click("#guess");
	await answered(page);
	await page.waitForSelector("#results > li");
}

async function noSidewaysScroll(page) {
	await soon(async () => {
		const [content, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
		assert.ok(content <= seen, `${content} pixels wide in a window of ${seen}`);
	});
}

onPage("the species list", async (page) => {
	const species = await (await fetch(`${url}/v2/projects/all/species?pageSize=`)).json();
	const [project] = await (await fetch(`${url}/v2/projects`)).json();
	assert.equal(species.length, project.speciesCount);
	await shows(page, "#known-count", `(${species.length} species)`);
	await page.click("#known summary");
	await counts(page, "#species > li", species.length);
	await page.fill("#filter", species[0].scientificNameWithoutAuthor.toUpperCase());
	await counts(page, "#species > li", 1);
	await shows(page, "#species i", species[0].scientificNameWithoutAuthor);
	await page.fill("#filter", "no such plant");
	await shows(page, "#known-status", "0 species found.");
	await shot(page, "species");
});

onPage("common names in another language", async (page) => {
	const codes = await (await fetch(`${url}/v2/languages`)).json();
	await soon(async () => is(await page.locator("#lang option").evaluateAll((o) => o.map((x) => x.value)), codes));
	const names = (lang) => fetch(`${url}/v2/projects/all/species?pageSize=&lang=${lang}`).then((r) => r.json());
	await page.click("#known summary");
	for (const lang of codes) {
		const wanted = (await names(lang)).map((s) => s.commonNames.join(", ")).filter(Boolean)[0];
		await page.selectOption("#lang", lang);
		await page.locator("#species").getByText(wanted, { exact: false }).first().waitFor();
	}
});

onPage("a language of the browser's own", async (page) => {
	await holds(page, "#lang", "fr");
}, { options: { locale: "fr-FR" } });

onPage("a photo gets what the API says of it", async (page) => {
	await choose(page, jpeg());
	await identify(page);
	if (reference.status === 404) {
		await shows(page, "#verdict", /^This does not look like any of the \d+ species this model knows\./);
		await shot(page, "none");
	} else {
		assert.equal(reference.status, 200);
	}
	await guesses(page);
	const { body } = await ask(drawn, "?no-reject=true");
	await lists(page, "#results h3 i", body.results.map((r) => r.species.scientificNameWithoutAuthor));
	await soon(async () => {
		const bars = await page.locator("#results .bar div").evaluateAll((b) => b.map((x) => [x.style.width, x.offsetWidth]));
		assert.equal(bars.length, body.results.length);
		bars.forEach(([width, pixels], i) => {
			assert.ok(Math.abs(parseFloat(width) - body.results[i].score * 100) < 0.01, `bar ${i}: ${width}`);
			assert.ok(pixels > 0, "a bar cannot be seen");
		});
	});
	if (reference.status === 404) await shows(page, "#verdict", /Only guesses/);
	await shot(page, "guesses");
}, NOT_FOUND);

// Which picture a model turns down is its own affair, so the first answer is put in its place; the second is real.
onPage("none of the species, then guesses", async (page) => {
	await page.route("**/v2/identify/**", (r) => (r.request().url().includes("no-reject=true") ? r.continue()
		: r.fulfill({ status: 404, json: { statusCode: 404, error: "Not Found", message: "Species not found" } })));
	await choose(page, jpeg());
	await identify(page);
	const [{ speciesCount }] = await (await fetch(`${url}/v2/projects`)).json();
	await shows(page, "#verdict", new RegExp(`^This does not look like any of the ${speciesCount} species this model knows\\.`));
	await counts(page, "#results > li", 0);
	await shot(page, "none");
	await guesses(page);
	await counts(page, "#results .bar div", 10);
	await shows(page, "#verdict", /^Only guesses\./);
	await shows(page, "#results .score", / guess$/);
	await shot(page, "guesses-anyway");
}, NOT_FOUND);

onPage("organs are sent in the photos' order", async (page) => {
	await choose(page, jpeg("a.jpg"), jpeg("b.jpg"));
	await page.locator("#tiles select").nth(1).selectOption("flower");
	// The form is looked at in the page: the browser does not hand out a body that holds files.
	await page.evaluate(() => {
		const real = window.fetch;
		window.fetch = (address, options) => {
			window.sent = [...options.body].map(([name, value]) => `${name}=${value.name ?? value}`);
			return real(address, options);
		};
	});
	const [request] = await Promise.all([page.waitForRequest("**/v2/identify/all?**"), identify(page)]);
	assert.deepEqual(await page.evaluate(() => window.sent), ["images=a.jpg", "images=b.jpg", "organs=auto", "organs=flower"]);
	assert.match(request.url(), /include-related-images=true/);
}, NOT_FOUND);

onPage("a text that is called a photo", async (page) => {
	await choose(page, jpeg("good.jpg"), { name: "notes.jpg", mimeType: "image/jpeg", buffer: Buffer.from("no photo") });
	await identify(page);
	await shows(page, "#pick-error", /Photo 2, “notes\.jpg”, is not a picture this server can read/);
	await visible(page, "#tiles li:nth-child(2).wrong");
	await shows(page, "#tiles .placeholder", "notes.jpg");
	await shot(page, "bad-photo");
}, REFUSED);

onPage("a photo that ends too early", async (page) => {
	await choose(page, { ...jpeg("half.jpg"), buffer: drawn.subarray(0, 200) });
	await identify(page);
	await shows(page, "#pick-error", /“half\.jpg”/);
}, REFUSED);

onPage("a file of another kind", async (page) => {
	await choose(page, { name: "list.txt", mimeType: "text/plain", buffer: Buffer.from("a") });
	await shows(page, "#pick-error", "Not a photo: “list.txt”.");
	await visible(page, "#identify:disabled");
});

onPage("a sixth photo", async (page) => {
	await choose(page, ...[1, 2, 3, 4, 5, 6].map((i) => jpeg(`${i}.jpg`)));
	await shows(page, "#pick-error", "Five photos are the most. Left out: “6.jpg”.");
	await counts(page, "#tiles li", 5);
	await page.locator(".remove").nth(1).click();
	await counts(page, "#tiles li", 4);
	await shot(page, "five");
});

onPage("photos too large together", async (page) => {
	let asked = 0;
	page.on("request", (r) => (asked += r.url().includes("/identify/")));
	// Made in the page: over 50 MB cannot be handed to it.
	await page.evaluate(() => {
		const data = new DataTransfer();
		for (const name of ["a.jpg", "b.jpg"])
			data.items.add(new File([new Uint8Array(27e6)], name, { type: "image/jpeg" }));
		document.getElementById("pick").files = data.files;
		document.getElementById("pick").dispatchEvent(new Event("change"));
	});
	await identify(page);
	await shows(page, "#pick-error", /52 MB together; 50 MB are the most/);
	assert.equal(asked, 0);
});

onPage("pasted and dropped photos", async (page) => {
	for (const kind of ["paste", "drop"])
		await page.evaluate((type) => {
			const data = new DataTransfer();
			data.items.add(new File(["x"], `${type}.png`, { type: "image/png" }));
			document.dispatchEvent(type === "paste" ? new ClipboardEvent(type, { clipboardData: data })
				: new DragEvent(type, { dataTransfer: data, cancelable: true }));
		}, kind);
	await counts(page, "#tiles li", 2);
	await lists(page, "#tiles .placeholder", ["paste.png", "drop.png"]); // once the browser finds that it cannot draw them
});

// What the server does not do at will is put in its place.
for (const [status, headers, words] of [[503, { "Retry-After": "5" }, /busy\. Try again in 5 seconds/], [500, {}, /its log says what/],
	[413, {}, /too large/]])
	onPage(`the server answers ${status}`, async (page) => {
		await page.route("**/v2/identify/**", (r) => r.fulfill({ status, headers, json: { statusCode: status, error: "", message: "" } }));
		await choose(page, jpeg());
		await identify(page);
		await shows(page, "#pick-error", words);
	}, { expected: /status of \d+/ });

onPage("the network is down", async (page) => {
	await page.route("**/v2/identify/**", (r) => r.abort("connectionrefused"));
	await choose(page, jpeg());
	await identify(page);
	await shows(page, "#pick-error", /The server cannot be reached/);
	await page.unroute("**/v2/identify/**");
	await identify(page);
	await visible(page, "#answer");
}, { expected: /CONNECTION_REFUSED|status of 404/ });

onPage("a request is cancelled", async (page) => {
	await page.route("**/v2/identify/**", () => {});
	await choose(page, jpeg());
	await page.click("#identify");
	await shows(page, "#status", "Looking at the photos …");
	await shot(page, "busy");
	await page.click("#cancel");
	await shows(page, "#status", "Cancelled.");
	await visible(page, "#identify:enabled");
});

onPage("another language while an answer is awaited", async (page) => {
	const asked = [];
	await page.route("**/v2/identify/**", (r) => {
		if (asked.push(new URL(r.request().url()).searchParams.get("lang")) > 1) return r.continue();
	});
	await choose(page, jpeg());
	await page.click("#identify");
	await soon(() => is(asked, ["en"]));
	await page.selectOption("#lang", "fr");
	await answered(page);
	assert.deepEqual(asked, ["en", "fr"]);
}, NOT_FOUND);

const species = (name, extra) => ({ scientificNameWithoutAuthor: name, scientificNameAuthorship: "L.", scientificName: `${name} L.`,
	genus: {}, family: { scientificNameWithoutAuthor: "Rosaceae" }, commonNames: [], ...extra });

onPage("scores in words, reference photos beside one's own, and no markup from data", async (page) => {
	const image = { organ: "leaf", author: "A. Gardener", license: "cc0", citation: "A. Gardener, cc0",
		url: { o: "http://elsewhere.example/icon.svg", m: "", s: "http://elsewhere.example/icon.svg" } };
	const scores = [0.95, 0.9, 0.6, 0.5, 0.3, 0.2, 0.1];
	await page.route("**/v2/identify/**", (r) => r.fulfill({ json: { results: scores.map((score, i) =>
		({ score, species: species(`<b>Genus</b> s${i}`), images: i ? [] : [image] })) } }));
	await choose(page, jpeg());
	await identify(page);
	await lists(page, "#results .score", ["95 % very likely", "90 % very likely", "60 % likely", "50 % likely", "30 % possible",
		"20 % possible", "10 % unlikely"]);
	await shows(page, "#verdict", "Very likely: <b>Genus</b> s0");
	await hidden(page, "#no-references");
	await page.click(".side button");
	await visible(page, "#compare[open]");
	await shows(page, "#theirs-text", "Reference: A. Gardener, cc0");
	await visible(page, "#mine[src^='blob:']");
	await page.screenshot({ path: path.join(SHOTS, "compare.png") });
	await page.keyboard.press("Escape");
	await hidden(page, "#compare");
});

onPage("a low score says that it is not sure", async (page) => {
	await page.route("**/v2/identify/**", (r) => r.fulfill({ json: { results: [{ score: 0.31, species: species("Rosa canina"), images: [] }] } }));
	await choose(page, jpeg());
	await identify(page);
	await shows(page, "#verdict", /^Not sure: the best match, Rosa canina, is possible at 31 %\./);
	await shows(page, "#no-references", /tepal index --model MODEL --photos FOLDER/);
});

onPage("the keyboard alone", async (page) => {
	const tabTo = async (selector) => {
		for (let i = 0; i < 40; i++) {
			if (await page.evaluate((s) => document.activeElement?.matches(s), selector)) return;
			await page.keyboard.press("Tab");
		}
		assert.fail(`Tab does not reach ${selector}`);
	};
	const opened = page.waitForEvent("filechooser"); // asked for early: the browser has to be told to hand it over
	await tabTo("#pick");
	await soon(async () => assert.notEqual(await page.locator("label[for=pick]").evaluate((e) => getComputedStyle(e).outlineStyle), "none"));
	await page.keyboard.press("Enter");
	await (await opened).setFiles([jpeg()]);
	await page.waitForSelector("#tiles li");
	await tabTo("#tiles select");
	await page.keyboard.press("l");
	await holds(page, "#tiles select", "leaf");
	await tabTo("#identify");
	await page.keyboard.press("Enter");
	await answered(page);
	await visible(page, "#answer:focus");
	if (reference.status === 404) {
		await tabTo("#guess");
		await page.keyboard.press("Enter");
		await answered(page);
	}
	await page.waitForSelector("#results > li");
	await tabTo("#known summary");
	await page.keyboard.press("Enter");
	await tabTo("#filter");
}, NOT_FOUND);

for (const colorScheme of ["light", "dark"])
	onPage(`a phone, ${colorScheme}`, async (page) => {
		await visible(page, "label[for=shoot]");
		await page.locator("#shoot[capture=environment]").waitFor({ state: "attached" });
		await noSidewaysScroll(page);
		await page.screenshot({ path: path.join(SHOTS, `phone-start-${colorScheme}.png`) });
		await choose(page, jpeg("a photo with quite a long name that has to break somewhere.jpg"), jpeg());
		await identify(page);
		await guesses(page);
		await noSidewaysScroll(page);
		await shot(page, `phone-${colorScheme}`);
		await page.click("#known summary");
		await noSidewaysScroll(page);
	}, { ...NOT_FOUND, options: { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, colorScheme, reducedMotion: "reduce" } });

// WCAG contrast of every text that is seen, computed from the colours the browser paints.
for (const colorScheme of ["light", "dark"])
	onPage(`contrast, ${colorScheme}`, async (page) => {
		await choose(page, jpeg());
		await identify(page);
		await guesses(page);
		await page.click("#known summary");
		await page.click("footer summary");
		await shot(page, `desktop-${colorScheme}`);
		const poor = await page.evaluate(() => {
			const parse = (c) => c.match(/[\d.]+/g).map(Number);
			const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
				.reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
			const behind = (e) => {
				for (; e; e = e.parentElement) {
					const c = parse(getComputedStyle(e).backgroundColor);
					if (c.length === 3 || c[3] === 1) return c;
				}
				return [255, 255, 255];
			};
			const found = [];
			for (const e of document.querySelectorAll("body *")) {
				if (!e.checkVisibility() || e.disabled || e.matches(".remove") || ![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
				const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))];
				const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
				if (ratio < 4.5) found.push(`${e.tagName} ${e.className} "${e.textContent.slice(0, 30)}" ${ratio.toFixed(2)}`);
			}
			return found;
		});
		assert.deepEqual(poor, []);
	}, { ...NOT_FOUND, options: { colorScheme, reducedMotion: "reduce" } });

test("the page forbids scripts of others", async () => {
	const answer = await fetch(url);
	assert.match(answer.headers.get("content-security-policy"), /default-src 'self'/);
	const html = await answer.text();
	assert.doesNotMatch(html, /\sstyle=|\son\w+=|<script>/);
});

const photo = (...parts) => {
	const file = path.join(PHOTOS, ...parts);
	assert.ok(existsSync(file), `${file} is missing`);
	return { name: path.basename(file), mimeType: "image/jpeg", buffer: readFileSync(file) };
};

// A leaf of the test split, and a rose, which the model does not know.
const NO_PHOTOS = PHOTOS ? false : "TEPAL_PHOTOS is not set";

onPage("a mango leaf is a mango leaf", async (page) => {
	const line = readFileSync(path.join(PHOTOS, "split.csv"), "utf8").split("\n")
		.find((l) => /Mangifera_indica/.test(l) && /leaf_/.test(l) && /\btest\b/.test(l));
	await choose(page, photo("main", "Mangifera_indica", /leaf_[\w-]+\.jpg/.exec(line)[0]));
	await identify(page);
	await shows(page, "#results h3 i", "Mangifera indica");
	await shows(page, "#verdict", /ikely: Mangifera indica/);
}, { skip: NO_PHOTOS });

onPage("a rose is none of them for sure", async (page) => {
	await choose(page, photo("originals", "swiftdemo_rose.jpg"));
	await identify(page);
	await shows(page, "#verdict", /^(This does not look like|Not sure)/);
}, { ...NOT_FOUND, skip: NO_PHOTOS });

// The picture in the README. Its photo is of the Grocery Store Dataset, whose licence (MIT) allows it;
// docs/images/page.png is a copy.
onPage("the picture for the README", async (page) => {
	await choose(page, photo("main", "Ananas_comosus", "fruit_grocery_test_Pineapple_001.jpg"));
	await page.locator("#tiles select").selectOption("fruit");
	await identify(page);
	await shows(page, "#results h3 i", "Ananas comosus");
	await page.mouse.move(0, 0);
	await page.evaluate(() => {
		document.activeElement.blur();
		scrollTo(0, 0);
	});
	await page.screenshot({ path: path.join(SHOTS, "page.png") });
}, { skip: NO_PHOTOS, options: { viewport: { width: 900, height: 1000 }, reducedMotion: "reduce" } });
