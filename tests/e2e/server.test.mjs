// The real server, spoken to over raw sockets: every kind of bad input, and that it lives on after each.
// node --test tests/e2e/server.test.mjs with TEPAL_BIN and TEPAL_MODEL set. Needs no package.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { createInterface } from "node:readline";
import zlib from "node:zlib";

const BIN = path.resolve(process.env.TEPAL_BIN ?? "build/dev/src/cli/tepal");
const MODEL = path.resolve(process.env.TEPAL_MODEL ?? "models/plants83.safetensors");

// A drawn picture of 96 x 64 pixels, once as a baseline JPEG and once progressive.
const JPEG = Buffer.from(
	"/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7" +
	"gYKBTmCNl4x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8" +
	"fHx8fHx8fHz/wAARCABAAGADASIAAhEBAxEB/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUF" +
	"BAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVW" +
	"V1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi" +
	"4+Tl5ufo6erx8vP09fb3+Pn6/8QAHwEAAwEBAQEBAQEBAQAAAAAAAAECAwQFBgcICQoL/8QAtREAAgECBAQDBAcFBAQAAQJ3AAEC" +
	"AxEEBSExBhJBUQdhcRMiMoEIFEKRobHBCSMzUvAVYnLRChYkNOEl8RcYGRomJygpKjU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVm" +
	"Z2hpanN0dXZ3eHl6goOEhYaHiImKkpOUlZaXmJmaoqOkpaanqKmqsrO0tba3uLm6wsPExcbHyMnK0tPU1dbX2Nna4uPk5ebn6Onq" +
	"8vP09fb3+Pn6/9oADAMBAAIRAxEAPwClS0lLXpyPJiLSikpRXPI3iKKcKbS5rilViaKokOFKKYDTgc1k5Jm8KkXoOFLSClrGR1RF" +
	"p1Np1c0jeJSpaSlr6mR85EUU6kWlry8TNuXKahRRRXIIKKKKAJFOfrTqiU4YVLUyPTw83KOotOptOrnkdkSlS0lLX1Mj5yI5aWmi" +
	"nV5OJi1Pm7mgUUUVzAFFFFACr94VLTEHen1Mj0cNFxjd9RadTadXPI7olKlpKWvqZHzkRaUUlKK5ppNWZvEWigU4VwyopbMv2dxM" +
	"UoX1pRSis3GxtClFasUUtIKWspHZEWnU2nVzSN4n/9k=",
	"base64");
const PROGRESSIVE = Buffer.from(
	"/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7" +
	"gYKBTmCNl4x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8" +
	"fHx8fHx8fHz/wgARCABAAGADASIAAhEBAxEB/8QAFwABAQEBAAAAAAAAAAAAAAAAAQACA//EABkBAAIDAQAAAAAAAAAAAAAAAAID" +
	"AAQFAf/aAAwDAQACEAMQAAAB4I2akis5FJMIMagaorPgjqZ01VKqVKqTTnXLKit3BHUzmGoVUuVUjoeWFFb+COpnSKzqUFTCbUDl" +
	"FZ//xAAUEAEAAAAAAAAAAAAAAAAAAABg/9oACAEBAAEFAkH/xAAaEQEBAAIDAAAAAAAAAAAAAAABAAIDERIg/9oACAEDAQE/ASLt" +
	"GRER41vJEeNZwREXWMSIv//EABoRAQEAAgMAAAAAAAAAAAAAAAEAAhEDECH/2gAIAQIBAT8BZnItzM3I+67Zm5D3fbMzOFqZv//E" +
	"ABQQAQAAAAAAAAAAAAAAAAAAAGD/2gAIAQEABj8CQf/EABoQAAICAwAAAAAAAAAAAAAAAAEgMDERQFD/2gAIAQEAAT8h4AYMLYML" +
	"kEeNH//aAAwDAQACAAMAAAAQqr5SWBq3881Bqe88VBqp8UWB/8QAGhEBAAIDAQAAAAAAAAAAAAAAASAhABARQf/aAAgBAwEBPxDQ" +
	"AxlTC2SG6PsBbDW7P//EABoRAQACAwEAAAAAAAAAAAAAAAEAIBARMWH/2gAIAQIBAT8QyJDQO2Ax7WBE0wDjHTJ//8QAHRABAQAC" +
	"AgMBAAAAAAAAAAAAAQARIBAwMUFRcf/aAAgBAQABPxDkiIiNzjMMOY2Nln97CwOx4NjY+9znEfUbkRERp//Z",
	"base64");

function chunk(type, data) {
	const b = Buffer.alloc(12 + data.length);
	b.writeUInt32BE(data.length, 0);
	b.write(type, 4, "latin1");
	data.copy(b, 8);
	b.writeUInt32BE(crc32(b.subarray(4, 8 + data.length)), 8 + data.length);
	return b;
}

function crc32(b) {
	let c = 0xffffffff;
	for (const x of b) {
		c ^= x;
		for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
	}
	return (c ^ 0xffffffff) >>> 0;
}

function png(w, h, rows = h) {
	const head = Buffer.alloc(13);
	head.writeUInt32BE(w, 0);
	head.writeUInt32BE(h, 4);
	head.set([8, 2, 0, 0, 0], 8);
	const raw = Buffer.alloc((w < 1000 ? w * 3 + 1 : 1) * Math.min(rows, 1000), 0);
	return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", head),
		chunk("IDAT", zlib.deflateSync(raw)), chunk("IEND", Buffer.alloc(0))]);
}

// The progressive picture with another size in its header.
function hugeProgressive(w, h) {
	const b = Buffer.from(PROGRESSIVE);
	const at = b.indexOf(Buffer.from([0xff, 0xc2]));
	b.writeUInt16BE(h, at + 5);
	b.writeUInt16BE(w, at + 7);
	return b;
}

const PHOTO = { name: "images", filename: "leaf.jpg", data: JPEG };
const field = (name, value) => ({ name, data: Buffer.from(value) });

function form(parts) {
	const out = [];
	for (const p of parts) {
		const file = p.filename === undefined ? "" : `; filename="${p.filename}"`;
		const type = p.type ? `\r\nContent-Type: ${p.type}` : "";
		out.push(Buffer.from(`--XX\r\nContent-Disposition: form-data; name="${p.name}"${file}${type}\r\n\r\n`),
			p.data, Buffer.from("\r\n"));
	}
	out.push(Buffer.from("--XX--\r\n"));
	return Buffer.concat(out);
}

class Server {
	async start(...more) {
		this.tmp = mkdtempSync(path.join(os.tmpdir(), "tepal-e2e-"));
		this.log = "";
		this.child = spawn(BIN, ["serve", "--model", MODEL, "--port", "0", ...more],
			{ cwd: this.tmp, env: { ...process.env, TMPDIR: this.tmp }, stdio: ["ignore", "pipe", "pipe"] });
		this.exit = once(this.child, "close");
		this.child.stderr.on("data", (d) => (this.log += d));
		for await (const line of createInterface({ input: this.child.stdout })) {
			const m = /^listening http:\/\/127\.0\.0\.1:(\d+)$/.exec(line);
			if (m) {
				this.port = Number(m[1]);
				this.child.stdout.resume();
				return;
			}
		}
		throw new Error(`the server does not start: ${this.log}`);
	}

	// The log comes by another way than the answers, so it is waited for.
	async logged(pattern) {
		while (!pattern.test(this.log)) await once(this.child.stderr, "data", { signal: AbortSignal.timeout(60_000) });
	}

	async stop() {
		this.child.kill("SIGTERM");
		const [code, signal] = await this.exit;
		assert.deepEqual([code, signal], [0, null], this.log);
		assert.deepEqual(readdirSync(this.tmp), [], "files were left behind");
		rmSync(this.tmp, { recursive: true });
	}

	// Sends bytes as they are; resolves with the parsed answer, or null when the connection ends without one.
	raw(...pieces) {
		const socket = net.connect(this.port, "127.0.0.1");
		const answer = readAnswer(socket);
		for (const p of pieces) socket.write(p);
		return answer;
	}

	ask(method, target, headers = {}, body = Buffer.alloc(0)) {
		const lines = [`${method} ${target} HTTP/1.1`, "Host: plants.example:99", "Connection: close"];
		if (body.length || method === "POST") headers = { "Content-Length": body.length, ...headers };
		for (const [k, v] of Object.entries(headers)) lines.push(`${k}: ${v}`);
		return this.raw(`${lines.join("\r\n")}\r\n\r\n`, body);
	}

	post(parts, query = "", project = "all") {
		return this.ask("POST", `/v2/identify/${project}${query}`,
			{ "Content-Type": "multipart/form-data; boundary=XX" }, form(parts));
	}
}

// The first final answer on a socket: status, headers, body, JSON where it is.
function readAnswer(socket) {
	return new Promise((resolve) => {
		let got = Buffer.alloc(0), continued = false;
		const done = (a) => {
			socket.destroy();
			resolve(a && { ...a, continued });
		};
		socket.on("error", () => {});
		socket.on("close", () => done(parse(got)));
		socket.on("data", (d) => {
			got = Buffer.concat([got, d]);
			if (got.toString("latin1").startsWith("HTTP/1.1 100 ")) {
				continued = true;
				got = got.subarray(got.indexOf("\r\n\r\n") + 4);
				socket.emit("continue");
			}
			const a = parse(got);
			if (a && a.complete) done(a);
		});
	});
}

function parse(b) {
	const end = b.indexOf("\r\n\r\n");
	if (end < 0) return null;
	const [first, ...lines] = b.subarray(0, end).toString("latin1").split("\r\n");
	const headers = Object.fromEntries(lines.map((l) => [l.slice(0, l.indexOf(":")).toLowerCase(),
		l.slice(l.indexOf(":") + 1).trim()]));
	const body = b.subarray(end + 4);
	const a = { status: Number(first.split(" ")[1]), headers, body };
	a.complete = headers["content-length"] !== undefined && body.length >= Number(headers["content-length"]);
	if (a.complete && /json/.test(headers["content-type"] ?? "")) a.json = JSON.parse(body.toString());
	return a;
}

const REASONS = { 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 413: "Request Entity Too Large",
	414: "Request-URI Too Long", 415: "Unsupported Media Type" };

// An error as documented, with CORS, and a server that still answers.
async function refused(a, status, message) {
	assert.ok(a, "no answer came");
	assert.equal(a.status, status, a.body.toString());
	assert.equal(a.headers["content-type"], "application/json; charset=utf-8");
	assert.equal(a.headers["access-control-allow-origin"], "*");
	assert.deepEqual(Object.keys(a.json), ["statusCode", "error", "message"]);
	assert.equal(a.json.statusCode, status);
	assert.equal(a.json.error, REASONS[status]);
	if (message instanceof RegExp) assert.match(a.json.message, message);
	else if (message) assert.equal(a.json.message, message);
	const alive = await server.ask("GET", "/v2/_status");
	assert.deepEqual(alive?.json, { status: "ok" });
}

const server = new Server();
before(() => server.start());
after(() => server.stop());

const UNSUPPORTED = "Unsupported file type for image[0] (jpeg or png)";
const bad = (name, parts, message, query, status = 400, project) =>
	test(name, async () => refused(await server.post(parts, query, project), status, message));

test("one photo is named", async () => {
	const a = await server.post([PHOTO, field("organs", "leaf")], "?no-reject=true&nb-results=3&api-key=secret");
	assert.equal(a.status, 200, a.body.toString());
	assert.deepEqual(Object.keys(a.json), ["query", "predictedOrgans", "language", "preferedReferential", "bestMatch",
		"results", "version", "remainingIdentificationRequests"]);
	assert.equal(a.json.results.length, 3);
	assert.deepEqual(a.json.query.organs, ["leaf"]);
	assert.match(a.json.query.images[0], /^[0-9a-f]{32}$/);
	const scores = a.json.results.map((r) => r.score);
	assert.deepEqual(scores, [...scores].sort((x, y) => y - x));
	assert.equal(a.json.bestMatch, a.json.results[0].species.scientificName);
	await server.logged(/info req=[0-9a-f]{4} POST \/v2\/identify\/all 200 ms=\d+ top=".*\n/);
	assert.doesNotMatch(server.log, /secret|leaf\.jpg/);
});

test("a PNG, a progressive JPEG, five photos", async () => {
	for (const parts of [[{ ...PHOTO, data: png(40, 30) }], [{ ...PHOTO, data: PROGRESSIVE }], Array(5).fill(PHOTO)]) {
		const a = await server.post(parts, "?no-reject=true");
		assert.equal(a.status, 200, a.body.toString());
		assert.equal(a.json.query.images.length, parts.length);
	}
});

test("file names are never paths", async () => {
	for (const filename of ["../../etc/passwd", "C:\\photos\\", "été 🌿.jpg", "/dev/zero"]) {
		const a = await server.post([{ ...PHOTO, filename }], "?no-reject=true");
		assert.equal(a.status, 200, filename);
	}
});

bad("not an image", [{ ...PHOTO, data: Buffer.from([1, 2, 3, 4, 5, 6, 7, 8]) }], UNSUPPORTED);
bad("text called .jpg", [{ ...PHOTO, data: Buffer.from("I am a photo, honestly.\n") }], UNSUPPORTED);
bad("0 bytes", [{ ...PHOTO, data: Buffer.alloc(0) }], UNSUPPORTED);
bad("a GIF", [{ ...PHOTO, data: Buffer.from("GIF89a\x01\0\x01\0\0\0\0;") }], UNSUPPORTED);
bad("only the second is bad", [PHOTO, { ...PHOTO, data: Buffer.from("x") }],
	"Unsupported file type for image[1] (jpeg or png)");
bad("only the first bytes of a JPEG", [{ ...PHOTO, data: JPEG.subarray(0, 20) }], /image\[0\]/);
bad("a JPEG whose header breaks off", [{ ...PHOTO, data: JPEG.subarray(0, 200) }], /image\[0\]/);
bad("a PNG that claims 60000 x 60000", [{ ...PHOTO, data: png(60000, 60000) }], /image\[0\]/);
bad("a progressive JPEG that claims 65500 x 65500", [{ ...PHOTO, data: hugeProgressive(65500, 65500) }],
	/image\[0\]/);
bad("six photos", Array(6).fill(PHOTO), /images/);
bad("no photo", [field("organs", "leaf")], '"images" is required');
bad("more organs than photos", [PHOTO, field("organs", "leaf"), field("organs", "bark")], /organs/);
bad("fewer organs than photos", [PHOTO, PHOTO, field("organs", "leaf")], /organs/);
bad("unknown organ", [PHOTO, field("organs", "wing")], /^"organs\[0\]" must be one of \[auto, leaf/);
bad("unknown language", [PHOTO], /^"lang" must be one of \[en, fr/, "?lang=tlh");
bad("no results wanted", [PHOTO], /nb-results/, "?nb-results=0");
bad("unknown project", [PHOTO], "Project not found", "", 404, "mars");
bad("project that is a path", [PHOTO], "Project not found", "", 404, "..%2f..%2fetc");

test("a JPEG cut in the middle is answered, whole or not at all", async () => {
	const a = await server.post([{ ...PHOTO, data: JPEG.subarray(0, JPEG.length - 200) }], "?no-reject=true");
	if (a.status !== 200) await refused(a, 400, /image\[0\]/);
});

test("wrong content type", async () => {
	for (const type of ["application/json", "image/jpeg", "multipart/mixed; boundary=XX"])
		await refused(await server.ask("POST", "/v2/identify/all", { "Content-Type": type }, JPEG), 415);
	await refused(await server.ask("POST", "/v2/identify/all", {}, JPEG), 415);
});

test("malformed multipart", async () => {
	const type = { "Content-Type": "multipart/form-data; boundary=XX" };
	const whole = form([PHOTO]);
	for (const body of [Buffer.from("hello"), whole.subarray(0, whole.length - 8), Buffer.from("--XX\r\nContent-Dis"),
		Buffer.alloc(0)])
		await refused(await server.ask("POST", "/v2/identify/all", type, body), 400, /multipart/);
	await refused(await server.ask("POST", "/v2/identify/all", { "Content-Type": "multipart/form-data" }, whole), 400,
		/boundary/);
});

test("unknown routes, methods, long addresses", async () => {
	await refused(await server.ask("GET", "/v3/nothing"), 404);
	await refused(await server.ask("GET", "/../../etc/passwd"), 404);
	await refused(await server.ask("GET", "/image/o/0123456789abcdef0123456789abcdef01234567"), 404);
	await refused(await server.ask("GET", "/v2/identify/all?images=http://127.0.0.1/a.jpg"), 400, /POST/);
	const a = await server.ask("DELETE", "/v2/identify/all");
	await refused(a, 405);
	assert.equal(a.headers.allow, "GET, HEAD, POST, OPTIONS");
	await refused(await server.ask("GET", `/v2/_status?a=${"x".repeat(9000)}`), 414);
});

test("OPTIONS", async () => {
	const a = await server.ask("OPTIONS", "/v2/identify/all", { Origin: "https://a.example" });
	assert.equal(a.status, 204);
	assert.equal(a.headers["access-control-allow-origin"], "*");
	assert.match(a.headers["access-control-allow-methods"], /POST/);
	assert.match(a.headers["access-control-allow-headers"], /Content-Type/);
});

test("the page", async () => {
	const a = await server.ask("GET", "/");
	assert.equal(a.status, 200);
	assert.match(a.headers["content-type"], /^text\/html/);
	assert.match(a.headers["content-security-policy"], /^default-src 'self'; img-src 'self' blob: data:/);
	assert.equal(a.headers["x-content-type-options"], "nosniff");
	assert.doesNotMatch(a.body.toString(), /https?:\/\/(?!www\.w3\.org)/, "the page names another host");
	const head = await server.raw("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	assert.equal(head.status, 200);
	assert.equal(head.body.length, 0);
	const same = await server.ask("GET", "/", { "If-None-Match": a.headers.etag });
	assert.equal(same.status, 304);
});

test("languages, projects, species", async () => {
	assert.ok((await server.ask("GET", "/v2/languages")).json.includes("en"));
	const [project] = (await server.ask("GET", "/v2/projects")).json;
	assert.equal(project.id, "all");
	const all = (await server.ask("GET", "/v2/projects/all/species?pageSize=&page=")).json;
	assert.equal(all.length, project.speciesCount);
	assert.equal((await server.ask("GET", "/v2/projects/all/species?pageSize=7&page=2")).json.length,
		Math.min(7, Math.max(0, all.length - 7)));
});

const HEAD = "POST /v2/identify/all?no-reject=true HTTP/1.1\r\nHost: a\r\n" +
	"Content-Type: multipart/form-data; boundary=XX\r\n";

test("a Content-Length over 50 MiB is refused before the body", async () =>
	refused(await server.raw(`${HEAD}Content-Length: 52428801\r\n\r\n`), 413, /52428800/));

test("and with Expect: 100-continue", async () => {
	const a = await server.raw(`${HEAD}Content-Length: 60000000\r\nExpect: 100-continue\r\n\r\n`);
	assert.equal(a.continued, false);
	await refused(a, 413, /52428800/);
});

test("a chunked body over 50 MiB is refused", async () => {
	const mib = Buffer.alloc(1 << 20, 65);
	const pieces = [`${HEAD}Transfer-Encoding: chunked\r\n\r\n`];
	for (let i = 0; i < 52; i++) pieces.push("100000\r\n", mib, "\r\n");
	await refused(await server.raw(...pieces, "0\r\n\r\n"), 413, /52428800/);
});

test("a chunked body and Expect: 100-continue are taken", async () => {
	const body = form([PHOTO]);
	const a = await server.raw(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`, `${body.length.toString(16)}\r\n`, body,
		"\r\n0\r\n\r\n");
	assert.equal(a.status, 200, a.body.toString());
	const socket = net.connect(server.port, "127.0.0.1");
	const answer = readAnswer(socket);
	socket.on("continue", () => socket.write(body));
	socket.write(`${HEAD}Content-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`);
	const b = await answer;
	assert.equal(b.status, 200);
	assert.equal(b.continued, true);
});

// A request of which the server is known to have read the headers, since it asked for the body, and a part of it.
async function begun(to, body) {
	const socket = net.connect(to.port, "127.0.0.1");
	socket.on("error", () => {});
	socket.write(`${HEAD}Content-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`);
	const [said] = await once(socket, "data");
	assert.match(said.toString(), /^HTTP\/1\.1 100 /);
	socket.write(body.subarray(0, 300));
	return socket;
}

test("a body that stops half way holds nobody up", async () => {
	const body = form([PHOTO]);
	const stalled = await Promise.all(Array.from({ length: 20 }, () => begun(server, body)));
	const a = await server.post([PHOTO], "?no-reject=true");
	assert.equal(a.status, 200);
	for (const s of stalled) s.destroy();
	assert.equal((await server.post([PHOTO], "?no-reject=true")).status, 200);
});

test("a client that leaves before its answer", async () => {
	for (let i = 0; i < 5; i++) {
		const socket = net.connect(server.port, "127.0.0.1");
		socket.on("error", () => {});
		const body = form([PHOTO]);
		socket.write(`${HEAD}Content-Length: ${body.length}\r\n\r\n`);
		await new Promise((done) => socket.write(body, done));
		socket.destroy();
	}
	assert.equal((await server.post([PHOTO], "?no-reject=true")).status, 200);
});

test("bytes that are no HTTP", async () => {
	const garbage = net.connect(server.port, "127.0.0.1"); // no line that is one, so no answer
	garbage.on("error", () => {});
	await new Promise((done) => garbage.write("\0\x01\x02\r\n\r\n", done));
	await server.raw("GET / HTTP/9.9\r\n\r\n");
	await server.raw("POST /v2/identify/all HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n");
	assert.deepEqual((await server.ask("GET", "/v2/_status")).json, { status: "ok" });
	garbage.destroy();
});

test("two requests on one connection", async () => {
	const one = "GET /v2/_status HTTP/1.1\r\nHost: a\r\n\r\n";
	const socket = net.connect(server.port, "127.0.0.1");
	let got = "";
	socket.write(one + one);
	for await (const d of socket) {
		got += d;
		if (got.split('{"status":"ok"}').length === 3) break;
	}
	socket.destroy();
	assert.equal(got.split('{"status":"ok"}').length, 3, got);
});

test("eight at once get the same answer", async () => {
	const all = await Promise.all(Array.from({ length: 8 }, () => server.post([PHOTO], "?no-reject=true")));
	for (const a of all) {
		assert.equal(a.status, 200);
		assert.deepEqual(a.json, all[0].json);
	}
});

// Everything the server does at once, and SIGTERM in the midst of it: each answer is whole, or there is none.
test("a crowd, and the end in the midst of it", async () => {
	const crowded = new Server();
	await crowded.start("--workers", "4");
	let stopping = false, answers = 0;
	const enough = new Promise((resolve) => { crowded.enough = resolve; });
	const asks = [
		[200, () => crowded.post([PHOTO], "?no-reject=true&detailed=true")],
		[200, () => crowded.post([PHOTO, { ...PHOTO, data: PROGRESSIVE }], "?no-reject=true")],
		[400, () => crowded.post([{ ...PHOTO, data: Buffer.from("x") }])],
		[200, () => crowded.ask("GET", "/v2/projects/all/species?pageSize=50&lang=fr")],
		[200, () => crowded.ask("GET", "/")],
		[404, () => crowded.ask("GET", "/v3/nothing")],
		[null, async () => (await begun(crowded, form([PHOTO])).catch(() => null))?.destroy()],
	];
	const crowd = Array.from({ length: 14 }, async (_, i) => {
		for (let n = i; !stopping; n++) {
			const [status, ask] = asks[n % asks.length];
			const a = await ask();
			if (!status || (stopping && !a)) continue;
			assert.equal(a?.status, status, a?.body.toString());
			if (++answers === 100) crowded.enough();
		}
	});
	await Promise.race([enough, Promise.all(crowd)]);
	const stopped = crowded.stop();
	stopping = true;
	await Promise.all([...crowd, stopped]);
	assert.ok(answers >= 100);
	assert.match(crowded.log, /broken off/);
	assert.doesNotMatch(crowded.log, /broken off ms=\d{5}/, "a client that left was waited for");
});

test("SIGTERM lets what is under way finish", async () => {
	const second = new Server();
	await second.start();
	const body = form([PHOTO]);
	const socket = await begun(second, body);
	const answer = readAnswer(socket);
	const stopped = second.stop();
	while (await connects(second.port)); // it takes nobody new
	socket.write(body.subarray(300));
	const a = await answer;
	assert.equal(a?.status, 200);
	await stopped;
});

test("a port that is taken, a model that is not there", async () => {
	for (const [args, words] of [[["--model", MODEL, "--port", String(server.port)], /port \d+ is in use: choose another/],
		[["--model", "/nowhere.safetensors", "--port", "0"], /nowhere\.safetensors/]]) {
		const child = spawn(BIN, ["serve", ...args]);
		let said = "";
		child.stderr.on("data", (d) => (said += d));
		const [code] = await once(child, "close");
		assert.equal(code, 1);
		assert.match(said, words);
	}
});

function connects(port) {
	return new Promise((resolve) => {
		const s = net.connect(port, "127.0.0.1");
		s.on("connect", () => (s.destroy(), resolve(true)));
		s.on("error", () => resolve(false));
	});
}
