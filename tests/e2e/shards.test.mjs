// Photos packed into shards with the real program: killed at random moments and started again, damaged, trained from.
// node --test tests/e2e/shards.test.mjs with TEPAL_BIN and TEPAL_MODEL set; SEED=N repeats a run.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync,
	writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { drawGarden, drawPhoto } from "./draw.mjs";

const BIN = path.resolve(process.env.TEPAL_BIN ?? "build/dev/src/cli/tepal");
const MODEL = path.resolve(process.env.TEPAL_MODEL ?? "models/plants83.safetensors");
const SEED = Number(process.env.SEED ?? Date.now() % 1e6);
const KILLS = 25;

let dir;
before(() => {
	dir = mkdtempSync(path.join(os.tmpdir(), "tepal-shards-"));
	drawGarden(path.join(dir, "garden"));
	drawGarden(path.join(dir, "field")); // more photos of the same, and two that are none
	for (const species of readdirSync(path.join(dir, "field")))
		for (let n = 6; n <= 120; n++)
			writeFileSync(path.join(dir, "field", species, `${n}.png`), drawPhoto(species, n));
	writeFileSync(path.join(dir, "field/Rubra_rotunda/cut.png"), drawPhoto("Rubra_rotunda", 1).subarray(0, 90));
	writeFileSync(path.join(dir, "field/Rubra_rotunda/empty.jpg"), "");
});
after(() => rmSync(dir, { recursive: true }));

function start(args) {
	const child = spawn(BIN, args, { cwd: dir, stdio: ["ignore", "pipe", "pipe"],
		env: { ...process.env, XDG_CACHE_HOME: path.join(dir, "cache"), TMPDIR: dir } });
	child.out = child.err = "";
	child.stdout.on("data", (d) => (child.out += d));
	child.stderr.on("data", (d) => (child.err += d));
	child.done = once(child, "close").then(([code, signal]) => ({ code, signal, out: child.out, err: child.err }));
	return child;
}
const run = (...args) => start(args).done;

async function works(...args) {
	const r = await run(...args);
	assert.equal(r.code, 0, `${args.join(" ")}\n${r.err}`);
	return r;
}

// Every file of a folder with the checksum of its bytes, hidden ones too.
const files = (name) => readdirSync(path.join(dir, name)).sort()
	.map((f) => `${f} ${createHash("sha256").update(readFileSync(path.join(dir, name, f))).digest("hex")}`);

// mulberry32
let state = SEED;
function random() {
	state = (state + 0x6d2b79f5) | 0;
	let t = Math.imul(state ^ (state >>> 15), 1 | state);
	t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
	return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}

const packs = (photos, out, ...more) => ["data", "pack", photos, "--output", out, "--short-side", "48", "--shards", "3",
	"--quiet", ...more];

test("sums agree, and what cannot be read is listed", async () => {
	const r = await works(...packs("field", "whole"));
	assert.match(r.out, /^362 files seen: 360 photos packed, 2 excluded/);
	const rows = readFileSync(path.join(dir, "whole/excluded.csv"), "utf8").trim().split("\n");
	assert.equal(rows.length, 3);
	assert.match(rows.join("\n"), /"Rubra_rotunda\/cut\.png","Rubra rotunda","\w+","PNG: .+"/);
	assert.match(rows.join("\n"), /"Rubra_rotunda\/empty\.jpg","Rubra rotunda","\w+","not a JPEG/);
	assert.match((await works("data", "verify", "whole", "--quiet")).out, /360 photos, .* MiB: 0 damaged$/m);
});

test("killed at random moments, it ends with the same bytes", async () => {
	console.log(`seed ${SEED}`);
	const t0 = Date.now();
	await works(...packs("field", "reference"));
	const takes = Date.now() - t0;
	let killed = 0, rounds = 0;
	for (; killed < KILLS && rounds < 20 * KILLS; rounds++) {
		for (let whole = false; !whole;) {
			const child = start(packs("field", "killed", "--threads", String(1 + Math.floor(random() * 3))));
			const timer = setTimeout(() => child.kill("SIGKILL"), random() * takes * 0.8);
			const r = await child.done;
			clearTimeout(timer);
			whole = r.signal !== "SIGKILL";
			assert.ok(!whole || r.code === 0, r.err);
			if (!whole && !existsSync(path.join(dir, "killed/shards.json"))) // not to be taken for a whole one
				assert.notEqual((await run("data", "verify", "killed", "--quiet")).code, 0);
			killed += !whole;
		}
		assert.deepEqual(files("killed"), files("reference"), `seed ${SEED}, ${killed} kills`);
		rmSync(path.join(dir, "killed"), { recursive: true });
	}
	assert.ok(killed >= KILLS, `only ${killed} of ${rounds} runs were killed before they ended`);
	console.log(`${killed} kills in ${rounds} packings`);
});

test("Ctrl-C keeps finished work", async () => {
	const child = start(packs("field", "stopped", "--threads", "1"));
	while (!existsSync(path.join(dir, "stopped/.work/plan"))) await new Promise((r) => setTimeout(r, 1));
	child.kill("SIGINT");
	const r = await child.done;
	assert.ok(r.code === 130 || r.code === 0, r.err);
	await works(...packs("field", "stopped"));
	assert.deepEqual(files("stopped"), files("whole"));
});

test("training, evaluation and fine-tuning from shards", async () => {
	await works(...packs("garden", "shards"));
	const trains = ["train", "--backbone", MODEL, "--side", "64", "--threads", "2", "--name", "g"];
	const head = await works(...trains, "--output", "a.safetensors", "shards");
	assert.match(head.out, /^3 species; 9 photos to train with, 3 to validate, 3 to test$/m);
	const again = await works(...trains, "--output", "b.safetensors", "shards");
	assert.doesNotMatch(again.err, /^features/m, "features were computed twice");
	const tuned = await works(...trains, "--finetune", "--epochs", "1", "--set", "batch=4", "--run", "run", "--output",
		"c.safetensors", "shards");
	assert.match(tuned.out, /fine-tuned: epoch 1 was best/);
	assert.match((await works("eval", "a.safetensors", "shards")).out, /^ +all +3 /m);
	const index = await run("index", "--model", "a.safetensors", "--photos", "shards");
	assert.equal(index.code, 1);
	assert.match(index.err, /packed photos; name the folder/);
});

test("damage is named", async () => {
	cpSync(path.join(dir, "whole"), path.join(dir, "bad"), { recursive: true });
	const tar = path.join(dir, "bad/train-000001.tar"), bytes = readFileSync(tar);
	bytes[bytes.length >> 1] ^= 1;
	writeFileSync(tar, bytes);
	const v = await run("data", "verify", "bad", "--quiet");
	assert.equal(v.code, 1);
	assert.match(v.out, /^damaged: train-000001\.tar: its SHA-256/m);
	assert.equal(v.out.match(/^damaged/gm).length, 1);
	truncateSync(tar, 5000);
	const t = await run("train", "--backbone", MODEL, "--side", "64", "--output", "x.safetensors", "bad");
	assert.equal(t.code, 1);
	assert.match(t.err, /train-000001\.tar: 5000 bytes, \d+ were packed/);
});

test("wrong usage", async () => {
	for (const [args, says] of [[["data"], /tepal data COMMAND/], [["data", "pock"], /no command of data/],
		[["data", "pack", "garden"], /--output DIR is wanted/],
		[["data", "pack", "garden", "-o", "x", "--shards", "3", "--ranks", "2"], /no multiple of --ranks 2/]]) {
		const r = await run(...args);
		assert.equal(r.code, 2);
		assert.match(r.err, says);
	}
	mkdirSync(path.join(dir, "mine"));
	writeFileSync(path.join(dir, "mine/letter.txt"), "dear");
	const r = await run(...packs("garden", "mine"));
	assert.equal(r.code, 1);
	assert.match(r.err, /not empty \(letter\.txt\)/);
});
