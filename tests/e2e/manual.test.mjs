// The examples of docs/manual.md, run in their order in one folder: what is printed there is what one sees. "..." in a
// line stands for anything, a line of it for any lines; "[exit N]" is the status when it is not 0; blocks marked
// "norun" are left out. node --test tests/e2e/manual.test.mjs with TEPAL_BIN and TEPAL_MODEL set.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { drawGarden } from "./draw.mjs";

const BIN = path.resolve(process.env.TEPAL_BIN ?? "build/dev/src/cli/tepal");
const MODEL = path.resolve(process.env.TEPAL_MODEL ?? "models/plants83.safetensors");
const MANUAL = readFileSync(new URL("../../docs/manual.md", import.meta.url), "utf8");

let dir;
before(() => {
	dir = mkdtempSync(path.join(os.tmpdir(), "tepal-manual-"));
	mkdirSync(path.join(dir, "models"));
	symlinkSync(MODEL, path.join(dir, "models/plants83.safetensors"));
	drawGarden(path.join(dir, "photos"));
});
after(() => rmSync(dir, { recursive: true }));

// [{ command, expected }] of all blocks.
function examples() {
	const all = [];
	for (const [, block] of MANUAL.matchAll(/^```console\n([^]*?)^```$/gm))
		for (const line of block.trimEnd().split("\n"))
			if (line.startsWith("$ ")) all.push({ command: line.slice(2), expected: [] });
			else all.at(-1).expected.push(line);
	return all;
}

function pattern(lines) {
	const quoted = (s) => s.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
	return new RegExp(`^${lines.map((l) => l === "..." ? "(?:.*\n)*?"
		: `${l.trimEnd().split("...").map(quoted).join(".*")}\n`).join("")}$`);
}

// What a terminal shows. A server is stopped as soon as it says how; it takes a free port instead of the one named.
async function show(command) {
	const port = /^tepal serve .*--port (\d+)/.exec(command)?.[1];
	const child = spawn("sh", ["-c", `exec 2>&1; ${port ? "exec " : ""}${command.replace(/--port \d+/, "--port 0")}`], {
		cwd: dir, stdio: ["ignore", "pipe", "ignore"],
		env: { ...process.env, PATH: `${path.dirname(BIN)}:${process.env.PATH}`, XDG_CACHE_HOME: path.join(dir, "cache") } });
	let text = "";
	child.stdout.on("data", (d) => {
		text += d;
		if (port && /^Stop with/m.test(text)) child.kill("SIGTERM");
	});
	const [code] = await once(child, "close");
	if (port) text = text.replace(/127\.0\.0\.1:\d+/g, `127.0.0.1:${port}`).replace(/^finishing .*\n/m, "");
	if (code) text += `[exit ${code}]\n`;
	// progress: a slow machine prints more lines than the last
	return text.replace(/^(features|head)  .*\n(?=\1  )/gm, "").replace(/[ \t]+$/gm, "");
}

for (const { command, expected } of examples())
	test(command, async () => {
		const shown = await show(command);
		assert.ok(pattern(expected).test(shown), `shown:\n${shown}\nin the manual:\n${expected.join("\n")}`);
	});

test("every command has an example", () => {
	for (const c of ["identify", "serve", "train", "eval", "index", "model fetch", "model list", "model show"])
		assert.match(MANUAL, new RegExp(`^\\$ tepal ${c}\\b`, "m"));
});
