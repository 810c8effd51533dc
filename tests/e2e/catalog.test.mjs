// Catalogs with the real program: a split that leaks fails the leak test by name, hold-outs stay out of what is packed, and
// what is handed out can be taken in again. node --test tests/e2e/catalog.test.mjs with TEPAL_BIN set.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { drawGarden } from "./draw.mjs";

const BIN = path.resolve(process.env.TEPAL_BIN ?? "build/dev/src/cli/tepal");

let dir;
const run = (...args) => spawnSync(BIN, ["data", ...args], { cwd: dir, encoding: "utf8" });
// An official split: photos 1 and 2 of a species are one observation, and in Rubra they are torn apart.
before(() => {
	dir = mkdtempSync(path.join(os.tmpdir(), "tepal-catalog-"));
	drawGarden(path.join(dir, "garden"));
	let csv = "path,species,observation,split,date\n";
	for (const species of readdirSync(path.join(dir, "garden")))
		for (let n = 1; n <= 5; n++)
			csv += `garden/${species}/${n}.png,${species.replace("_", " ")},${species}${n < 3 ? 1 : n},` +
				`${n === 2 && species === "Rubra_rotunda" ? "test" : n < 4 ? "train" : n === 4 ? "val" : "test"},` +
				`${2019 + n}-05-01\n`;
	writeFileSync(path.join(dir, "list.csv"), csv);
	assert.equal(run("import", "csv", "list.csv", "--to", "plants", "--quiet").status, 0);
});
after(() => rmSync(dir, { recursive: true }));

test("a leak of the source's own split is named, and fails", () => {
	for (const args of [["split", "plants", "--check"], ["split", "plants"], ["split", "plants", "--check"]]) {
		const r = run(...args);
		assert.equal(r.status, 1, r.stdout + r.stderr);
		assert.match(r.stdout, /^leak: photos \d+ \(garden\/Rubra_rotunda\/1.png\) and \d+ \(garden\/Rubra_rotunda\/2.png\) share a value of observation, but are in train and test$/m);
		assert.match(r.stdout, /^leak test: 1 leaks$/m);
		assert.match(r.stderr, /^tepal data split: 1 photos are in another split/m);
	}
	const mended = run("split", "plants", "--ignore-given");
	assert.equal(mended.status, 0, mended.stderr);
	assert.match(mended.stdout, /^leak test: 0 leaks$/m);
	assert.equal(run("split", "plants", "--check").status, 0);
});

test("what is held out is not packed, and is counted", () => {
	const s = run("split", "plants", "--ignore-given", "--hold-out", "years=2024", "--hold-out", "species=Viridis stellata");
	assert.equal(s.status, 0, s.stderr);
	assert.match(s.stdout, /^ +7 +held out/m); // five of a species, and one of each other
	const p = run("pack", "plants", "--output", "shards", "--quiet");
	assert.equal(p.status, 0, p.stderr);
	assert.match(p.stdout, /^15 files seen: 8 photos packed, 0 excluded/m);
	assert.match(p.stdout, /^0 excluded by the catalog's rules, 7 held out, 0 not on this disk$/m);
	const counts = JSON.parse(readFileSync(path.join(dir, "shards/shards.json"))).photos;
	assert.equal(counts.seen, counts.packed + counts.held_out);
	const out = run("export", "plants", "--csv", "unseen.csv", "--split", "held-out");
	assert.match(out.stdout, /^7 photos written/);
	assert.equal(run("import", "csv", "unseen.csv", "--to", "again", "--quiet").stdout,
		"7 rows seen: 7 added, 0 there already, 0 refused\n");
});

test("what is not understood is said", () => {
	for (const [status, says, ...args] of [[1, /countries/, "split", "plants", "--hold-out", "country=FR"],
		[1, /no species "Nemo"/, "split", "plants", "--hold-out", "species=Nemo"],
		[2, /--by/, "split", "plants", "--by", "colour"], [2, /nothing to train/, "split", "plants", "--val", "60", "--test", "40"],
		[1, /no catalog/, "split", "nowhere"], [2, /--backbone/, "match", "plants"],
		[1, /nowhere.csv/, "match", "plants", "--backbone", "nowhere.csv"], [2, /--csv/, "export", "plants"],
		[2, /--shards/, "export", "plants", "--croissant", "c.json"]]) {
		const r = run(...args);
		assert.equal(r.status, status, `${args.join(" ")}: ${r.stderr}`);
		assert.match(r.stderr, says);
	}
});
