// Fine-tuning with the real program: a run that is killed, stopped or short of disk ends as the one that was not; what a
// tuned model is good for; what is said of poor photos, of a loss that is no number, of a checkpoint that does not fit.
// The photos are drawn here. node --test tests/e2e/tune.test.mjs with TEPAL_BIN and TEPAL_MODEL set.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { drawGarden, drawPhoto } from "./draw.mjs";

const BIN = path.resolve(process.env.TEPAL_BIN ?? "build/dev/src/cli/tepal");
const MODEL = path.resolve(process.env.TEPAL_MODEL ?? "models/plants83.safetensors");
const STEPS = 3; // an epoch: 9 photos to train with, 3 at once

let dir;
const children = new Set();
const here = (...names) => path.join(dir, ...names);
before(() => {
	dir = mkdtempSync(path.join(os.tmpdir(), "tepal-tune-"));
	drawGarden(here("garden"));
});
after(() => {
	for (const c of children) c.kill("SIGKILL"); // a test that failed half way
	rmSync(dir, { recursive: true });
});

function start(args, { cache = here("cache"), through = [] } = {}) {
	const [program, ...rest] = [...through, BIN, ...args];
	const child = spawn(program, rest, { cwd: dir, stdio: ["ignore", "pipe", "pipe"],
		env: { ...process.env, XDG_CACHE_HOME: cache, TMPDIR: dir } });
	children.add(child);
	child.out = child.err = "";
	child.stdout.on("data", (d) => (child.out += d));
	child.stderr.on("data", (d) => (child.err += d));
	child.done = once(child, "close").then(([code, signal]) => {
		children.delete(child);
		return { code, signal, out: child.out, err: child.err };
	});
	return child;
}
const run = (args, o) => start(args, o).done;

async function works(args, o) {
	const r = await run(args, o);
	assert.equal(r.code, 0, `${args.join(" ")}\n${r.err}`);
	return r;
}

async function fails(args, words, o) {
	const r = await run(args, o);
	assert.equal(r.code, 1, r.err);
	assert.match(r.err, words);
	assert.equal(r.out, "");
	return r;
}

// One thread and small inputs: quick. All models have one name, so that they can be compared.
const base = (name, photos = "garden") => ["train", "--backbone", MODEL, "--side", "32", "--threads", "1", "--quiet",
	"--name", "tuned", "--run", `${name}.run`, "--output", `${name}.safetensors`, photos];
const tunes = (name, ...more) => [...base(name), "--finetune", "--epochs", "2", "--set", "batch=3", ...more];
const SAVE_ALWAYS = ["--set", "save_minutes=0"]; // a checkpoint after every step

const read = (file) => readFileSync(here(file));
const lines = (name) => existsSync(here(`${name}.run/metrics.jsonl`))
	? read(`${name}.run/metrics.jsonl`).toString().split("\n").slice(0, -1).map((l) => JSON.parse(l)) : [];

// A run's log without what time it took.
const losses = (name) => lines(name).map(({ time, "train/images_per_s": rate, "train/wait": wait, ...rest }) => rest);

function header(file) {
	const b = read(file), size = Number(b.readBigUInt64LE(0));
	const { __metadata__: meta, ...tensors } = JSON.parse(b.subarray(8, 8 + size).toString());
	return { meta, tensors, data: b.subarray(8 + size) };
}

// A model without what differs between two equal runs: dates and times, and so the checksum.
function essence(name) {
	const { meta, tensors, data } = header(`${name}.safetensors`);
	const { Seconds, Date, ModelPerformanceMonitoringStrategy: { seconds, share_waiting, epochs, ...history },
		...record } = JSON.parse(meta.record);
	delete meta["tepal.sha256"];
	delete meta.version;
	return { meta: { ...meta, record }, history, epochs: epochs.map(({ seconds, waited, ...e }) => e), tensors,
		data: data.toString("base64") };
}

function same(name, whole = "whole") {
	assert.deepEqual(losses(name), losses(whole));
	assert.deepEqual(essence(name), essence(whole));
}

// The program as on a disk where no file can have more than so many bytes.
const fullDisk = (bytes) => ["sh", "-c", `trap '' XFSZ; ulimit -f ${bytes / 512}; exec "$0" "$@"`];

// Resolves when the run's log has so many lines.
async function atLine(child, name, n) {
	let over = false;
	child.done.then(() => (over = true));
	while (lines(name).length < n) {
		if (over) assert.fail(`the program ended too early: ${(await child.done).err}`);
		await new Promise((later) => setTimeout(later, 2));
	}
}

test("a run and what it leaves", async () => {
	const r = await works(tunes("whole"));
	assert.match(r.out, /^3 species; 9 photos to train with, 3 to validate, 3 to test$/m);
	assert.match(r.out, /^fine-tuned: epoch \d was best on validation, 6 steps, blend 0.75; temperature/m);
	assert.deepEqual(losses("whole").map((l) => l.step), [1, 2, 3, 3, 4, 5, 6, 6]);
	for (const file of ["last.safetensors", "best.safetensors", "recipe.json", "report.html"])
		assert.ok(existsSync(here("whole.run", file)), file);
});

test("the settings that tepal recipe prints are the same run", async () => {
	const text = (await works(["recipe"])).out;
	const edited = text.replace(/^epochs = \d+$/m, "epochs = 2").replace(/^batch = \d+$/m, "batch = 3");
	assert.notEqual(edited, text);
	writeFileSync(here("edited.conf"), `\ufeff${edited.replaceAll("\n", "\r\n")}`); // as some editors leave it
	await works([...base("config"), "--config", "edited.conf"]);
	same("config");
});

test("the model holds the whole recipe", async () => {
	const keys = [...(await works(["recipe"])).out.matchAll(/^(\w+) = (.*)$/gm)];
	const record = JSON.parse((await works(["model", "show", "--json", "whole.safetensors"])).out);
	const { recipe } = record.Hyperparameter;
	assert.deepEqual(Object.keys(recipe), keys.map(([, key]) => key));
	for (const [, key, value] of keys) {
		const want = { epochs: "2", batch: "3" }[key] ?? value, got = recipe[key];
		assert.equal(typeof got === "boolean" ? (got ? "yes" : "no") : String(got), want, key);
	}
	assert.deepEqual(JSON.parse(read("whole.run/recipe.json").toString()), recipe);
});

test("a tuned model is evaluated, indexed, asked and served", async () => {
	const photo = "garden/Rubra_rotunda/1.png";
	const e = JSON.parse((await works(["eval", "--json", "-t1", "whole.safetensors", "garden"])).out);
	assert.equal(e.photos, 3);
	await works(["index", "-t1", "--model", "whole.safetensors", "--photos", here("garden")]);
	const named = JSON.parse((await works(["identify", "--json", "--model", "whole.safetensors", photo])).out);
	assert.equal(named.model, "tuned");
	assert.equal(named.results.length, 3);
	assert.ok(named.results[0].images.length > 0, "no reference photos beside the answer");
	const child = start(["serve", "--model", "whole.safetensors", "--port", "0"]);
	while (!/^Stop with/m.test(child.out)) await Promise.race([once(child.stdout, "data"), child.done.then(() => {
		throw new Error(child.err);
	})]);
	const body = new FormData();
	body.append("images", new Blob([read(photo)], { type: "image/png" }), "1.png");
	const url = /^listening (\S+)$/m.exec(child.out)[1];
	const answer = await (await fetch(`${url}/v2/identify/all?nb-results=3`, { method: "POST", body })).json();
	assert.deepEqual(answer.results.map((r) => r.species.scientificNameWithoutAuthor),
		named.results.map((r) => r.species));
	child.kill("SIGTERM");
	assert.equal((await child.done).code, 0);
});

test("killed in two epochs and before the last checkpoint, a run ends as if it had not been", async () => {
	const moments = [2, STEPS + 2, 2 * (STEPS + 1)]; // the last: right after its last epoch's line
	for (const [i, n] of moments.entries()) {
		const child = start(tunes("killed", ...SAVE_ALWAYS, ...(i ? ["--resume"] : [])));
		await atLine(child, "killed", n);
		child.kill("SIGKILL");
		assert.equal((await child.done).signal, "SIGKILL");
		assert.ok(existsSync(here("killed.run/last.safetensors")));
		assert.ok(!existsSync(here("killed.safetensors")));
	}
	writeFileSync(here("killed.run/last.safetensors.tmpAbCdEf"), "of a killed writer");
	await works(tunes("killed", "--resume"));
	same("killed");
	assert.ok(!existsSync(here("killed.run/last.safetensors.tmpAbCdEf")));
});

test("Ctrl-C writes a checkpoint and says how to go on; a full disk then keeps it", async () => {
	const child = start(tunes("stopped"));
	await atLine(child, "stopped", STEPS + 2);
	child.kill("SIGINT");
	const r = await child.done;
	assert.equal(r.code, 130);
	assert.equal(r.out, "");
	assert.match(r.err, /^tepal train: stopped; stopped\.run holds the run as it was after step \d+: --resume goes on$/m);
	assert.ok(!existsSync(here("stopped.safetensors")));
	await fails(tunes("stopped"), /stopped\.run holds a run: --resume goes on with it/);

	// Too little for a checkpoint, enough for weights and for the model.
	const before = read("stopped.run/last.safetensors");
	const full = await works(tunes("stopped", "--resume"), { through: fullDisk(20 << 20) });
	assert.match(full.err, /no checkpoint was written, the one before is kept: stopped\.run\/last\.safetensors: File too large/);
	assert.ok(read("stopped.run/last.safetensors").equals(before), "the checkpoint changed");
	same("stopped");
	await works(tunes("stopped", "--resume"));
	same("stopped");
});

test("a checkpoint is refused with other photos, species, settings; the message says which", async () => {
	const again = (...more) => tunes("whole", "--resume", ...more);
	await fails(again("--seed", "2"), /last\.safetensors: a checkpoint for other photos: 9 to train with and 3 to validate/);
	await fails(again("--set", "lr=0.5"), /the run was started with lr = 0\.0002, not 0\.5$/m);
	await fails(again("--backbone", "whole.run/best.safetensors"), /a checkpoint of a run that began with other weights: --backbone has to be/);
	await fails(again("--side", "64"), /a checkpoint for photos of 32 pixels, not 64/);
	cpSync(here("garden"), here("renamed"), { recursive: true });
	cpSync(here("renamed/Rubra_rotunda"), here("renamed/Sativa_nova"), { recursive: true });
	rmSync(here("renamed/Rubra_rotunda"), { recursive: true });
	await fails([...again().map((a) => (a === "garden" ? "renamed" : a))], /a checkpoint for another list of species/);
	await fails(tunes("none", "--resume"), /none\.run holds no run to go on with; without --resume one is begun/);
});

test("a run is mixed with what it began with, and mixed anew when it is over", async () => {
	await works(base("frozen"));
	const r = await works(tunes("blend", "--set", "blend=0"));
	assert.match(r.out, /^fine-tuned: epoch \d was best on validation, 6 steps, blend 0; temperature/m);
	const asked = (model) => works(["identify", "--json", "--model", `${model}.safetensors`, "garden/Rubra_rotunda/1.png"]);
	const answers = async (model) => JSON.parse((await asked(model)).out).results;
	assert.deepEqual(await answers("blend"), await answers("frozen"));
	const frozen = header("frozen.safetensors"), none = header("blend.safetensors");
	assert.deepEqual(none.tensors, frozen.tensors);
	assert.ok(none.data.equals(frozen.data), "a blend of 0 is not the frozen model");
	assert.equal(none.meta.calibration, frozen.meta.calibration);
	await works(tunes("blend", "--resume", "--set", "blend=0.75"));
	same("blend");
	assert.ok(!header("blend.safetensors").data.equals(frozen.data), "nothing was learned");
	await works(tunes("blend", "--resume", "--set", "blend=0.5"));
	const { ModelPerformanceMonitoringStrategy: { blend } } =
		JSON.parse((await works(["model", "show", "--json", "blend.safetensors"])).out);
	assert.equal(blend, 0.5);
	await fails([...base("never").filter((a) => a !== "--backbone" && a !== MODEL), "--network", "resnet18", "--set", "blend=0.5"],
		/blend = 0\.5 mixes with the weights before the first step, which are random here/);
});

test("a loss that is no number stops the run, names the step and leaves the checkpoint of the step before", async () => {
	const wild = ["--set", "lr=100", "--set", "weight_decay=10", "--epochs", "9"];
	const message = /tepal train: the last checkpoint, after step (\d+), is kept in nan\.run: step (\d+): the (?:loss is (?:nan|inf)|gradient of \S+ is not finite)/;
	const r = await fails(tunes("nan", ...wild, ...SAVE_ALWAYS), message);
	const [, kept, at] = message.exec(r.err).map(Number);
	assert.equal(at, kept + 1);
	assert.ok(kept > 0);
	const before = read("nan.run/last.safetensors");
	const again = await fails(tunes("nan", ...wild, ...SAVE_ALWAYS, "--resume"), message);
	assert.equal(message.exec(again.err)[0], message.exec(r.err)[0]);
	assert.ok(read("nan.run/last.safetensors").equals(before), "the checkpoint changed");
	assert.ok(!existsSync(here("nan.safetensors")));
});

test("one photo of a species, an empty folder, a batch for more photos than there are", async () => {
	cpSync(here("garden"), here("poor"), { recursive: true });
	mkdirSync(here("poor/Singularis_una"));
	writeFileSync(here("poor/Singularis_una/1.png"), drawPhoto("Rubra_rotunda", 7));
	mkdirSync(here("poor/Vacua_vacua"));
	const r = await works([...base("poor", "poor"), "--epochs", "1", "--set", "batch=64"]);
	assert.match(r.out, /^4 species; 10 photos to train with, 3 to validate, 3 to test$/m);
	assert.match(r.err, /^warn folder="Vacua_vacua" holds no photos: it is no species$/m);
	assert.match(r.err, /^warn batch=64 there are only 10 photos to train with/m);
	assert.equal(r.err.match(/^warn species="Singularis una" has only 1 photos to train with$/gm)?.length, 1, r.err);
});

test("photos that cannot be read are left out, counted and named, and a species none is left of to train with", async () => {
	cpSync(here("garden"), here("torn"), { recursive: true });
	for (const n of [1, 2, 3, 4, 5])
		writeFileSync(here(`torn/Rubra_rotunda/${n}.png`), drawPhoto("Rubra_rotunda", n).subarray(0, 100));
	const r = await works([...base("torn", "torn"), "--epochs", "2", "--set", "batch=3", "--set", "head=random", "--set", "blend=1",
		"--set", "sampling=1"]);
	const left = [...r.err.matchAll(/^warn photo="Rubra_rotunda\/(\d)\.png" left out: (.+)$/gm)];
	assert.equal(left.length, 3, r.err); // of all that train, in the order of their names
	assert.match(r.err, /^warn species="Rubra rotunda" has only 0 photos to train with$/m);
	const record = JSON.parse((await works(["model", "show", "--json", "torn.safetensors"])).out);
	assert.equal(record.ModelPerformanceMonitoringStrategy.bad_photos, 3);
	assert.equal(record.ModelPerformanceMonitoringStrategy.steps, 4);
	assert.equal(record.RawData.unreadable, 5);
});

test("a cache that cannot be written is said once, and the work is done without", async () => {
	const said = (r) => [...r.err.matchAll(/^warn features are not kept for the next time: (.*)$/gm)].map((m) => m[1]);
	writeFileSync(here("file"), "");
	const r = await works([...base("uncached"), "--epochs", "1", "--set", "batch=9"], { cache: here("file") });
	assert.equal(said(r).length, 1, r.err);
	assert.match(said(r)[0], /\/file.*: Not a directory$/);
	const evaluates = ["eval", "--json", "-t1", "whole.safetensors", "garden"];
	const full = await works(evaluates, { cache: here("tight"), through: fullDisk(32 << 10) });
	assert.equal(said(full).length, 1, full.err);
	assert.match(said(full)[0], /\.safetensors: File too large$/);
	assert.equal(full.out, (await works(evaluates)).out);
});

test("a file of settings that is no text is refused by its line", async () => {
	writeFileSync(here("latin1.conf"), Buffer.from("batch = 3\nfreeze = st\xe9m\n", "latin1"));
	await fails([...base("never"), "--config", "latin1.conf"], /latin1\.conf:2: byte 0xe9 is not UTF-8 text$/m);
	writeFileSync(here("twice.conf"), "batch = 3\nbatch = 4\n");
	await fails([...base("never"), "--config", "twice.conf"], /twice\.conf:2: batch is set on line 1 already$/m);
	await fails([...base("never"), "--set", "freeze=stem, stag1"], /there is no stage "stag1"; .*; did you mean "stage1"\?$/m);
	assert.ok(!existsSync(here("never.run")));
});
