// tepal data fetch against servers that behave badly: each photo ends as fetched, failed for a reason, or left, and the
// files are the bytes that were served. node --test tests/e2e/data_fetch.test.mjs with TEPAL_BIN set; SEED=N repeats a run.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { drawPhoto, png } from "./draw.mjs";

const BIN = path.resolve(process.env.TEPAL_BIN ?? "build/dev/src/cli/tepal");
const SEED = Number(process.env.SEED ?? Date.now() % 1e6);

let dir, made = 0;
before(() => (dir = mkdtempSync(path.join(os.tmpdir(), "tepal-fetch-"))));
after(() => rmSync(dir, { recursive: true }));

// mulberry32
let state = SEED;
function random() {
	state = (state + 0x6d2b79f5) | 0;
	let t = Math.imul(state ^ (state >>> 15), 1 | state);
	t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
	return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}

const photo = (n) => drawPhoto("Rubra_rotunda", n);
// Noise cannot be packed: 3 * side * side bytes and a little.
function noise(side) {
	const rgb = Buffer.alloc(3 * side * side);
	for (let i = 0; i < rgb.length; i++) rgb[i] = random() * 256;
	return png(side, side, rgb, 0);
}

function start(args, { env = {}, under = [] } = {}) {
	const [cmd, ...rest] = [...under, BIN, ...args];
	const child = spawn(cmd, rest, { cwd: dir, stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
	child.out = child.err = "";
	child.stdout.on("data", (d) => (child.out += d));
	child.stderr.on("data", (d) => (child.err += d));
	child.done = once(child, "close").then(([code, signal]) => ({ code, signal, out: child.out, err: child.err }));
	return child;
}

async function works(args, o) {
	const r = await start(args, o).done;
	assert.equal(r.code, 0, `${args.join(" ")}\n${r.out}\n${r.err}`);
	return r;
}

// A catalog of photos known by their URLs; photo n is the n-th of them.
async function catalog(urls) {
	const name = `set${++made}`;
	writeFileSync(path.join(dir, `${name}.csv`), `url,species\n${urls.map((u) => `${u},Aloe vera\n`).join("")}`);
	await works(["data", "import", "csv", `${name}.csv`, "--to", name, "--quiet"]);
	return name;
}

const QUICK = ["--allow-private", "--quiet", "--pause", "0", "--backoff", "20", "--list"];
const fetching = (name, ...more) => start(["data", "fetch", name, ...QUICK, ...more]);
const fetches = (name, ...more) => works(["data", "fetch", name, ...QUICK, ...more]);

const place = (name, n, ending = "png") => path.join(dir, name, "photos", String(Math.floor(n / 1000)).padStart(6, "0"),
	`${String(n).padStart(9, "0")}.${ending}`);
const files = (name) => {
	const all = path.join(dir, name, "photos");
	return existsSync(all) ? readdirSync(all, { recursive: true }).filter((f) => f.includes(".")).sort() : [];
};

function sums(r, want) {
	const m = /^(\d+) photos wanted: (\d+) fetched, (\d+) here already, (\d+) failed, (\d+) left; /m.exec(r.out);
	assert.ok(m, r.out + r.err);
	const [wanted, fetched, here, failed, left] = m.slice(1).map(Number);
	assert.equal(fetched + here + failed + left, wanted);
	const by = {};
	for (const [, n, rule] of r.out.matchAll(/^ +(\d+) {2}(fetch_\w+): /gm)) by[rule] = Number(n);
	assert.equal(Object.values(by).reduce((a, b) => a + b, 0), failed);
	for (const [key, value] of Object.entries(want))
		assert.deepEqual({ wanted, fetched, here, failed, left, by }[key], value, `${key}\n${r.out}`);
}

// Every request is noted, then given to `answer`. What it holds open is closed at the end.
async function serve(t, answer, { listen = ["127.0.0.1"], tls } = {}) {
	const server = tls ? https.createServer(tls) : http.createServer();
	const log = [], sockets = new Set();
	let now = 0, most = 0;
	server.on("connection", (s) => {
		sockets.add(s);
		s.on("error", () => {});
		s.on("close", () => sockets.delete(s));
	});
	server.on("request", (req, res) => {
		log.push({ url: req.url, headers: req.headers, at: performance.now() });
		most = Math.max(most, ++now);
		res.on("close", () => now--);
		res.on("error", () => {});
		answer(req, res, log.filter((r) => r.url === req.url).length);
	});
	server.listen(0, ...listen);
	await once(server, "listening");
	const { port } = server.address();
	t.after(() => {
		for (const s of sockets) s.destroy();
		server.close();
	});
	return { port, log, url: (p) => `http://127.0.0.1:${port}/${p}`, most: () => most,
		asked: (p) => log.filter((r) => r.url === `/${p}`).length };
}

function send(res, bytes, headers = {}) {
	res.writeHead(200, { "Content-Type": "image/png", "Content-Length": bytes.length, ...headers });
	res.end(bytes);
}

// Serves a range where one is asked for and the photo is still the same.
function sendRange(req, res, bytes, etag) {
	const m = /^bytes=(\d+)-$/.exec(req.headers.range ?? "");
	if (!m || req.headers["if-range"] !== etag) return send(res, bytes, { ETag: etag });
	const from = Number(m[1]);
	res.writeHead(206, { "Content-Range": `bytes ${from}-${bytes.length - 1}/${bytes.length}`, ETag: etag,
		"Content-Length": bytes.length - from });
	res.end(bytes.subarray(from));
}

// Says it sends all, sends a part, and hangs up.
function cut(res, bytes, at, headers = {}) {
	res.writeHead(200, { "Content-Length": bytes.length, ...headers });
	res.write(bytes.subarray(0, at), () => setTimeout(() => res.socket?.destroy(), 50));
}

test("photos are fetched once, and nothing of this machine goes out with the requests", async (t) => {
	const s = await serve(t, (req, res) => send(res, photo(Number(req.url.slice(1))), { "Set-Cookie": "a=b" }));
	const home = path.join(dir, "home");
	mkdirSync(home);
	writeFileSync(path.join(home, ".netrc"), "default login me password secret\n", { mode: 0o600 });
	const name = await catalog([1, 2, 3, 4, 5].map(s.url));
	const env = { HOME: home, http_proxy: "http://127.0.0.1:1", ALL_PROXY: "http://127.0.0.1:1" };
	const first = await works(["data", "fetch", name, ...QUICK, "--contact", "ann@example.org", "--jobs", "1"], { env });
	sums(first, { wanted: 5, fetched: 5 });
	assert.equal(first.err, "");
	for (let n = 1; n <= 5; n++) assert.deepEqual(readFileSync(place(name, n)), photo(n));
	for (const { headers } of s.log) {
		assert.match(headers["user-agent"], /^tepal\/\d.* \(ann@example\.org\)$/);
		assert.deepEqual(Object.keys(headers).sort(), ["accept", "host", "user-agent"]);
	}
	sums(await fetches(name), { wanted: 0 });
	assert.equal(s.log.length, 5);
	assert.equal(files(name).length, 5);
	assert.match((await works(["data", "show", name])).out, /^ +5 {2}kept$/m);
});

test("no address but those of the open Internet is connected to", async (t) => {
	const s = await serve(t, (req, res) => send(res, photo(1)), { listen: ["::"] }); // and IPv4
	const hosts = ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "0.0.0.0", "[::1]", "[::]",
		"[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "0x7f000001", "10.0.0.1", "169.254.169.254", "192.168.1.1",
		"[fe80::1]", "[fd00::1]", "[ff02::1]", "224.0.0.1", "100.64.0.1"];
	const name = await catalog(hosts.map((h) => `http://${h}:${s.port}/1`));
	const args = ["data", "fetch", name, "--quiet", "--pause", "0", "--tries", "1"];
	sums(await works(args), { wanted: hosts.length, failed: hosts.length, by: { fetch_address: hosts.length } });
	assert.equal(s.log.length, 0);
	const again = await works(args);
	sums(again, { wanted: 0 });
	assert.match(again.out, new RegExp(`^${hosts.length} more failed in an earlier run`, "m"));
	assert.match((await works(["data", "show", name])).out, /^ +20 {2}excluded: fetch_address$/m);
	const one = await catalog([s.url(1)]);
	sums(await works(["data", "fetch", one, "--quiet"]), { failed: 1 });
	sums(await fetches(one), { wanted: 1, fetched: 1 }); // allowed now, and no longer excluded
	assert.match((await works(["data", "show", one])).out, /^ +1 {2}kept$/m);
	assert.doesNotMatch((await works(["data", "show", one])).out, /excluded/);
});

// The same where the first host has an address of the open Internet: in a network of its own, if one can be made.
if (process.env.TEPAL_INNER) {
	test("a redirect to a private address is not followed", async (t) => {
		const inside = await serve(t, (req, res) => send(res, photo(1)), { listen: ["127.0.0.1"] });
		const outside = await serve(t, (req, res) => {
			if (req.url === "/good") return send(res, photo(1));
			res.writeHead(302, { Location: req.url === "/name" ? `http://localhost:${inside.port}/`
				: req.url === "/mapped" ? `http://[::ffff:127.0.0.1]:${inside.port}/` : `http://127.0.0.1:${inside.port}/` });
			res.end();
		}, { listen: ["8.8.4.4"] });
		const name = await catalog(["good", "number", "name", "mapped"].map((p) => `http://8.8.4.4:${outside.port}/${p}`));
		sums(await works(["data", "fetch", name, "--quiet", "--pause", "0", "--tries", "1"]),
			{ wanted: 4, fetched: 1, by: { fetch_address: 3 } });
		assert.equal(outside.log.length, 4);
		assert.equal(inside.log.length, 0);
	});
} else {
	const net8 = "ip link set lo up && ip addr add 8.8.4.4/32 dev lo";
	const can = spawnSync("unshare", ["--map-root-user", "--net", "sh", "-c", net8]).status === 0;
	test("a redirect to a private address, in a network of its own", { skip: !can && "no network namespaces here" }, () => {
		const r = spawnSync("unshare", ["--map-root-user", "--net", "sh", "-c", `${net8} && exec "$@"`, "sh",
			process.execPath, "--test", "--test-name-pattern", "is not followed", fileURLToPath(import.meta.url)],
			{ env: { ...process.env, TEPAL_INNER: "1", NODE_TEST_CONTEXT: undefined }, encoding: "utf8" });
		assert.equal(r.status, 0, r.stdout + r.stderr);
		assert.match(r.stdout, /pass 1\b/);
	});
}

test("redirects: a few are followed, none to another scheme, no loop", async (t) => {
	const to = { a: "/b", b: "c?x=1", loop: "/loop", file: "file:///etc/passwd", ftp: "ftp://127.0.0.1/x", none: "",
		password: "//me:secret@127.0.0.1/x" };
	const s = await serve(t, (req, res) => {
		const p = req.url.slice(1);
		if (p === "c?x=1") return send(res, photo(1));
		res.writeHead(301, to[p] ? { Location: to[p] } : {});
		res.end("moved");
	});
	const name = await catalog(["a", "loop", "file", "ftp", "none", "password"].map(s.url));
	const r = await fetches(name);
	sums(r, { wanted: 6, fetched: 1, by: { fetch_url: 4, fetch_status: 1 } });
	assert.equal(s.asked("loop"), 6); // five redirects are followed
	assert.match(r.out, /^5\tfetch_status\thttp/m);
	assert.deepEqual(files(name), ["000000/000000001.png"]);
	sums(await fetches(await catalog([s.url("a")]), "--redirects", "1"), { by: { fetch_url: 1 } });
});

test("a URL with a password is not fetched", async (t) => {
	const s = await serve(t, (req, res) => send(res, photo(1)));
	const name = await catalog([`http://me:secret@127.0.0.1:${s.port}/1`, `http://127.0.0.1:${s.port}/a b/é`]);
	sums(await fetches(name), { fetched: 1, by: { fetch_url: 1 } });
	assert.deepEqual(s.log.map((r) => r.url), ["/a%20b/%c3%a9"]);
});

test("what is not there any more is asked for once, and again only when told to", async (t) => {
	let there = false;
	const s = await serve(t, (req, res) => {
		if (there) return send(res, photo(1));
		res.writeHead(Number(req.url.slice(1)));
		res.end("<h1>no</h1>");
	});
	const codes = [400, 401, 403, 404, 410, 451, 501];
	const name = await catalog(codes.map(s.url));
	sums(await fetches(name), { wanted: 7, failed: 7, by: { fetch_status: 7 } });
	assert.equal(s.log.length, 7);
	assert.match((await works(["data", "show", name])).out, /^ +7 {2}excluded: fetch_status$/m);
	sums(await fetches(name), { wanted: 0 });
	assert.equal(s.log.length, 7);
	there = true;
	sums(await fetches(name, "--again"), { wanted: 7, fetched: 7 });
	assert.match((await works(["data", "show", name])).out, /^ +7 {2}kept$/m);
});

test("what may pass is tried again, and left alone after a few times", async (t) => {
	const s = await serve(t, (req, res, n) => {
		if (req.url === "/recovers" && n === 3) return send(res, photo(1));
		res.writeHead(req.url === "/recovers" ? 502 : 500);
		res.end();
	});
	const name = await catalog([s.url("recovers"), s.url("never")]);
	const r = await fetches(name, "--tries", "4");
	sums(r, { fetched: 1, by: { fetch_busy: 1 } });
	assert.equal(s.asked("recovers"), 3);
	assert.equal(s.asked("never"), 4);
	assert.match(r.out, /fetch_busy: .*; tried again in the next run$/m);
	sums(await fetches(name, "--tries", "1"), { wanted: 1, failed: 1 }); // the next run does try again
	assert.equal(s.asked("never"), 5);
});

test("a host that asks to be left alone is, all of it", async (t) => {
	let said;
	const s = await serve(t, (req, res) => {
		if (said) return send(res, photo(1));
		said = performance.now();
		res.writeHead(429, { "Retry-After": "1" });
		res.end();
	});
	const name = await catalog([1, 2, 3, 4].map(s.url));
	sums(await fetches(name, "--per-host", "1", "--backoff", "1"), { wanted: 4, fetched: 4 });
	assert.equal(s.log.length, 5);
	assert.ok(s.log[1].at - said > 950, `asked again after ${s.log[1].at - said} ms`);
	const dated = await serve(t, (req, res) => {
		res.writeHead(503, { "Retry-After": new Date(Date.now() + 3600e3).toUTCString() });
		res.end();
	});
	const later = await catalog([1, 2, 3, 4].map(dated.url));
	const r = await fetches(later, "--per-host", "1", "--max-wait", "60");
	sums(r, { wanted: 4, left: 4 });
	assert.equal(dated.log.length, 1);
	assert.match(r.out, /^1 hosts .* given up/m);
	assert.match(r.out, /^1\tleft\thttp/m);
});

test("a host that answers nobody, or forbids everything, is given up", async (t) => {
	for (const code of [500, 403]) {
		const s = await serve(t, (req, res) => (res.writeHead(code), res.end()));
		const name = await catalog(Array.from({ length: 60 }, (_, i) => s.url(i)));
		const r = await fetches(name, "--tries", "1", "--per-host", "1");
		sums(r, { wanted: 60, failed: 20, left: 40 });
		assert.equal(s.log.length, 20);
	}
});

test("a connection that is cut: the rest alone is fetched, if it is the same photo still", async (t) => {
	const bytes = noise(100), other = noise(100), seen = {};
	const s = await serve(t, (req, res, n) => {
		const p = req.url.slice(1);
		if (n === 1) return cut(res, bytes, 20000, p === "nothing" ? {} : { ETag: '"1"' });
		seen[p] = req.headers.range;
		if (p === "changed") return sendRange(req, res, other, '"2"');
		if (p === "whole" || p === "nothing") return send(res, bytes);
		if (p === "liar" && n === 2) {
			const n = bytes.length - Number(/\d+/.exec(req.headers.range)[0]); // as many as are missing, but others
			res.writeHead(206, { "Content-Range": `bytes 0-${n - 1}/${bytes.length}`, "Content-Length": n });
			return res.end(bytes.subarray(0, n));
		}
		if (p === "bits") { // a server may send less than it was asked for
			const from = Number(/\d+/.exec(req.headers.range)[0]), part = bytes.subarray(from, from + 4000);
			res.writeHead(206, { "Content-Range": `bytes ${from}-${from + part.length - 1}/${bytes.length}`, ETag: '"1"',
				"Content-Length": part.length });
			return res.end(part);
		}
		sendRange(req, res, bytes, '"1"');
	});
	const names = ["range", "changed", "whole", "nothing", "liar", "bits"];
	const name = await catalog(names.map(s.url));
	const r = await fetches(name, "--tries", "9");
	sums(r, { wanted: 6, fetched: 6 });
	assert.match(r.out, /^2 of those fetched went on from a part$/m); // range, bits
	for (let n = 1; n <= 6; n++) assert.deepEqual(readFileSync(place(name, n)), n === 2 ? other : bytes, names[n - 1]);
	assert.match(seen.range, /^bytes=\d+-$/);
	assert.equal(seen.nothing, undefined); // nothing to know the photo by
	assert.equal(files(name).length, 6);
});

test("lengths that are not true", async (t) => {
	const bytes = noise(40);
	const s = await serve(t, (req, res) => {
		if (req.url === "/more") return cut(res, bytes, bytes.length - 5, {});
		res.writeHead(200, { "Content-Length": "10" }); // and sends more
		res.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n`);
		res.socket.end(bytes);
	});
	const name = await catalog(["more", "less"].map(s.url));
	sums(await fetches(name, "--tries", "2"), { failed: 2, by: { fetch_cut: 1, fetch_no_photo: 1 } });
	assert.equal(s.asked("more"), 2);
	assert.deepEqual(files(name), []);
});

test("what is no photo is not taken, and not read to its end", async (t) => {
	let sent = 0;
	const s = await serve(t, (req, res) => {
		if (req.url === "/page") return send(res, Buffer.from(`<!DOCTYPE html>${" ".repeat(500)}`));
		if (req.url === "/short") return send(res, Buffer.from("no"));
		if (req.url === "/empty") return send(res, Buffer.alloc(0));
		if (req.url === "/torn") return send(res, photo(1).subarray(0, 12));
		res.writeHead(200, { "Content-Type": "image/jpeg" }); // it says so, and never ends
		const more = () => {
			while (!res.destroyed && sent < 1e8) {
				sent += 65536;
				if (!res.write("<html>".padEnd(65536))) return res.once("drain", more);
			}
		};
		more();
	});
	const name = await catalog(["page", "short", "empty", "torn", "endless"].map(s.url));
	sums(await fetches(name), { failed: 5, by: { fetch_no_photo: 5 } });
	assert.equal(s.log.length, 5);
	assert.ok(sent < 5e7, `${sent} bytes were sent`);
	assert.deepEqual(files(name), []);
});

test("too large, said or not", async (t) => {
	let sent = 0;
	const bytes = noise(200); // 120 KB
	const s = await serve(t, (req, res) => {
		if (req.url === "/said") return send(res, bytes);
		res.writeHead(200);
		const more = () => {
			while (!res.destroyed && sent < 1e9) {
				sent += bytes.length;
				if (!res.write(bytes)) return res.once("drain", more);
			}
		};
		more();
	});
	const name = await catalog(["said", "endless"].map(s.url));
	sums(await fetches(name, "--max-photo", "100"), { failed: 2, by: { fetch_large: 2 } });
	assert.equal(s.log.length, 2);
	assert.deepEqual(files(name), []);
	sums(await fetches(name, "--max-photo", "100"), { wanted: 0 });
	sums(await fetches(name, "--max-photo", "200"), { wanted: 2, fetched: 1, by: { fetch_large: 1 } }); // the limit has grown
	assert.ok(sent < 1e8, `${sent} bytes were sent`);
});

test("a limit for all", async (t) => {
	const bytes = noise(200);
	const s = await serve(t, (req, res) => sendRange(req, res, bytes, '"x"'));
	const name = await catalog(Array.from({ length: 20 }, (_, i) => s.url(i)));
	const r = await fetches(name, "--max-total", "1", "--jobs", "1");
	sums(r, { wanted: 20, fetched: 8, failed: 0, left: 12 });
	assert.match(r.out, /^stopped at --max-total$/m);
	sums(await fetches(name), { wanted: 12, fetched: 12 });
	for (let n = 1; n <= 20; n++) assert.deepEqual(readFileSync(place(name, n)), bytes);
});

test("slow: a try ends, the next goes on", async (t) => {
	const bytes = noise(60);
	const s = await serve(t, (req, res) => {
		if (req.headers.range) return sendRange(req, res, bytes, '"s"');
		res.writeHead(200, { "Content-Length": bytes.length, ETag: '"s"' });
		res.write(bytes.subarray(0, 3000));
		if (req.url === "/drips") setInterval(() => res.write("x"), 300).unref(); // never enough
	});
	const name = await catalog(["stops", "drips"].map(s.url));
	sums(await fetches(name, "--stall", "1", "--tries", "1", "--timeout", "20"), { failed: 2, by: { fetch_slow: 2 } });
	assert.equal(files(name).filter((f) => f.endsWith(".part")).length, 2);
	const r = await fetches(name, "--stall", "1");
	sums(r, { wanted: 2, fetched: 2 });
	assert.match(r.out, /^2 of those fetched went on from a part$/m);
	assert.deepEqual(readFileSync(place(name, 1)), bytes);
	assert.deepEqual(files(name), ["000000/000000001.png", "000000/000000002.png"]);
	const silent = await serve(t, () => {});
	sums(await fetches(await catalog([silent.url(1)]), "--timeout", "1", "--tries", "2"), { by: { fetch_slow: 1 } });
	assert.equal(silent.log.length, 2);
});

test("no host is asked by more than a few at one time, and with a pause between", async (t) => {
	const s = await serve(t, (req, res) => setTimeout(() => send(res, photo(1)), 150));
	const name = await catalog(Array.from({ length: 30 }, (_, i) => s.url(i)));
	sums(await fetches(name, "--jobs", "16", "--per-host", "3"), { fetched: 30 });
	assert.ok(s.most() > 1 && s.most() <= 3, `${s.most()} at one time`);
	const slowly = await serve(t, (req, res) => send(res, photo(1)));
	const paced = await catalog(Array.from({ length: 11 }, (_, i) => slowly.url(i)));
	sums(await works(["data", "fetch", paced, "--allow-private", "--quiet", "--pause", "100"]), { fetched: 11 });
	const took = slowly.log.at(-1).at - slowly.log[0].at;
	assert.ok(took > 900, `eleven requests within ${took} ms`);
	const wide = await serve(t, (req, res) => setTimeout(() => send(res, photo(1)), 150), { listen: ["0.0.0.0"] });
	const both = await catalog(Array.from({ length: 20 }, (_, i) => `http://127.0.0.${1 + (i % 2)}:${wide.port}/${i}`));
	sums(await fetches(both, "--per-host", "2"), { fetched: 20 });
	assert.ok(wide.most() > 2 && wide.most() <= 4, `${wide.most()} at one time`);
});

test("stopped with Ctrl-C, it says what it did, and goes on from there", async (t) => {
	let slow = true;
	const bytes = noise(100);
	const s = await serve(t, (req, res) => {
		if (!slow || Number(req.url.slice(1)) < 4) return sendRange(req, res, bytes, '"c"');
		res.writeHead(200, { "Content-Length": bytes.length, ETag: '"c"' });
		res.write(bytes.subarray(0, 5000));
	});
	const name = await catalog(Array.from({ length: 8 }, (_, i) => s.url(i)));
	const child = fetching(name);
	const here = (ending, size) => files(name).filter((f) => f.endsWith(ending)
		&& statSync(path.join(dir, name, "photos", f), { throwIfNoEntry: false })?.size >= size).length;
	while (here(".png", bytes.length) < 4 || here(".part", 5000) < 4) await new Promise((r) => setTimeout(r, 20));
	child.kill("SIGINT");
	const r = await child.done;
	assert.equal(r.code, 130);
	sums(r, { wanted: 8, fetched: 4, left: 4 });
	slow = false;
	const again = await fetches(name);
	sums(again, { wanted: 4, fetched: 4 });
	assert.match(again.out, /^4 of those fetched went on from a part$/m);
	for (let n = 1; n <= 8; n++) assert.deepEqual(readFileSync(place(name, n)), bytes);
});

test(`killed at random moments, it fetches only what is missing (SEED=${SEED})`, async (t) => {
	const N = 80, bytes = Array.from({ length: N }, (_, i) => (i % 10 ? photo(i) : noise(150)));
	const s = await serve(t, (req, res) => {
		const i = Number(req.url.slice(1));
		setTimeout(() => sendRange(req, res, bytes[i], `"${i}"`), 5);
	});
	const name = await catalog(Array.from({ length: N }, (_, i) => s.url(i)));
	let killed = 0;
	for (let round = 0; round < 200; round++) {
		const whole = new Set(files(name).filter((f) => f.endsWith(".png")).map((f) => Number(path.basename(f, ".png")) - 1));
		const before = s.log.length;
		const child = fetching(name, "--per-host", "2");
		const after = 1 + Math.floor(random() * 10); // requests: how long they take depends on the machine
		let timer = setInterval(() => {
			if (s.log.length < before + after) return;
			clearInterval(timer);
			timer = setTimeout(() => child.kill("SIGKILL"), random() * 20);
		}, 1);
		const r = await child.done;
		clearTimeout(timer); // an interval too
		for (const { url } of s.log.slice(before))
			assert.ok(!whole.has(Number(url.slice(1))), `SEED=${SEED}: photo ${url} was here and was fetched again`);
		killed += r.signal === "SIGKILL";
		if (r.code === 0) break;
		assert.equal(r.signal, "SIGKILL", r.err);
	}
	const r = await fetches(name);
	sums(r, { wanted: 0 });
	assert.ok(killed > 5, `killed only ${killed} times while it ran`);
	for (let n = 1; n <= N; n++) assert.deepEqual(readFileSync(place(name, n)), bytes[n - 1]);
	assert.equal(files(name).length, N, files(name).join(" "));
});

test("a disk that is full", async (t) => {
	const bytes = noise(200);
	const s = await serve(t, (req, res) => send(res, bytes, { ETag: '"d"' }));
	const name = await catalog(Array.from({ length: 20 }, (_, i) => s.url(i)));
	// a limit for files, below the photos
	const limited = await start(["data", "fetch", name, ...QUICK], { under: ["sh", "-c", 'ulimit -f 200; exec "$@"', "sh"] }).done;
	assert.equal(limited.code, 1, limited.err);
	assert.match(limited.err, /photo \d+ cannot be written: File too large/);
	sums(limited, { wanted: 20, left: 20 });
	assert.deepEqual(files(name), []);
	// a disk of 1.5 MB, if one can be mounted; the catalog lies on it too
	const small = "mount -t tmpfs -o size=1500k none";
	if (spawnSync("unshare", ["--map-root-user", "--mount", "sh", "-c", `${small} /mnt`]).status) {
		t.diagnostic("no disk can be mounted here");
	} else {
		mkdirSync(path.join(dir, "small"));
		const script = `${small} small && cp -r ${name} small/s && { "$@" small/s; echo "status $?"; find small/s -name '*.part'; ` +
			`mount -o remount,size=20m small; "$@" small/s; find small/s -name '*.png' | wc -l; }`;
		const r = await start(["data", "fetch", ...QUICK], { under: ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh"] }).done;
		assert.match(r.err, /No space left on device/);
		assert.match(r.out, /^20 photos wanted: ([1-9]\d*) fetched, 0 here already, 0 failed, (\d+) left;.*\nstatus 1\n(\d+) photos/m, r.out + r.err);
		const left = /status 1\n(\d+) photos wanted: (\d+) fetched, (\d+) here already/.exec(r.out);
		assert.ok(Number(left[2]) + Number(left[3]) === Number(left[1]), r.out);
		assert.match(r.out, /^20$/m);
	}
	sums(await fetches(name), { wanted: 20, fetched: 20 });
});

test("a certificate that nobody vouches for", async (t) => {
	const made = spawnSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "2",
		"-keyout", path.join(dir, "key.pem"), "-out", path.join(dir, "cert.pem")]);
	if (made.error || made.status) return t.skip("no openssl here");
	const s = await serve(t, (req, res) => send(res, photo(1)), { tls: { key: readFileSync(path.join(dir, "key.pem")),
		cert: readFileSync(path.join(dir, "cert.pem")) } });
	const name = await catalog([s.url(1).replace("http:", "https:")]);
	sums(await fetches(name), { by: { fetch_tls: 1 } });
	assert.equal(s.log.length, 0);
});

test("a server that speaks no HTTP, and headers without end", async (t) => {
	const raw = net.createServer((c) => {
		c.on("error", () => {});
		c.once("data", (d) => {
			if (String(d).startsWith("GET /junk")) return c.end("220 mail.example.org ESMTP\r\n");
			c.write("HTTP/1.1 200 OK\r\n");
			const more = setInterval(() => c.destroyed ? clearInterval(more) : c.write(`X: ${"y".repeat(8000)}\r\n`), 5);
		});
	});
	raw.listen(0, "127.0.0.1");
	await once(raw, "listening");
	t.after(() => raw.close());
	const name = await catalog(["junk", "headers"].map((p) => `http://127.0.0.1:${raw.address().port}/${p}`));
	sums(await fetches(name, "--tries", "1"), { failed: 2, by: { fetch_cut: 2 } });
});

test("a catalog that another process works on, and options that cannot be", async (t) => {
	const s = await serve(t, (req, res) => setTimeout(() => send(res, photo(1)), 3000));
	const name = await catalog([s.url(1)]);
	const child = fetching(name);
	while (!s.log.length) await new Promise((r) => setTimeout(r, 20));
	const second = await fetching(name).done;
	assert.equal(second.code, 1);
	assert.match(second.err, /another process works on it/);
	sums(await child.done, { fetched: 1 });
	assert.equal((await start(["data", "fetch", "nowhere"]).done).code, 1);
	assert.equal((await start(["data", "fetch", name, "--jobs", "0"]).done).code, 2);
	assert.match((await start(["data", "fetch", name, "--contact", "é"]).done).err, /ASCII/);
});
