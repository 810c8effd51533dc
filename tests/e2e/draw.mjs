// Photos for tests, drawn: PNG files, and a small garden of three species that are easy to tell apart.
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import zlib from "node:zlib";

const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
	for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
	return n >>> 0;
});

function chunk(type, data) {
	const b = Buffer.alloc(12 + data.length);
	b.writeUInt32BE(data.length, 0);
	b.write(type, 4, "latin1");
	data.copy(b, 8);
	let c = 0xffffffff;
	for (let i = 4; i < 8 + data.length; i++) c = crcTable[(c ^ b[i]) & 255] ^ (c >>> 8);
	b.writeUInt32BE((c ^ 0xffffffff) >>> 0, 8 + data.length);
	return b;
}

// w x h pixels, R G B, as a PNG; level 0 stores them as they are.
export function png(w, h, rgb, level = 6) {
	const head = Buffer.alloc(13);
	head.writeUInt32BE(w, 0);
	head.writeUInt32BE(h, 4);
	head.set([8, 2, 0, 0, 0], 8);
	const raw = Buffer.alloc((3 * w + 1) * h);
	for (let y = 0; y < h; y++) rgb.copy(raw, (3 * w + 1) * y + 1, 3 * w * y, 3 * w * (y + 1));
	return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", head),
		chunk("IDAT", zlib.deflateSync(raw, { level })), chunk("IEND", Buffer.alloc(0))]);
}

const SIDE = 64;
const SPECIES = {
	Caerulea_quadrata: { colour: [40, 60, 200], inside: (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 18 },
	Rubra_rotunda: { colour: [220, 40, 60], inside: (x, y) => x * x + y * y < 20 * 20 },
	Viridis_stellata: { colour: [60, 180, 60], inside: (x, y) => Math.abs(x) < 6 || Math.abs(y) < 6 },
};

// The n-th photo of a species: its shape in its colour, each time at another place and in another light.
export function drawPhoto(species, n) {
	const { colour, inside } = SPECIES[species];
	const rgb = Buffer.alloc(SIDE * SIDE * 3);
	const dx = (n * 7) % 11 - 5, dy = (n * 5) % 9 - 4, light = 0.7 + ((n * 3) % 7) / 20;
	for (let y = 0; y < SIDE; y++)
		for (let x = 0; x < SIDE; x++) {
			const c = inside(x - SIDE / 2 - dx, y - SIDE / 2 - dy) ? colour : [230, 225, 200];
			for (let k = 0; k < 3; k++) rgb[(y * SIDE + x) * 3 + k] = Math.min(255, c[k] * light);
		}
	return png(SIDE, SIDE, rgb);
}

// A folder with a folder for each species, five photos in each: 1.png to 5.png.
export function drawGarden(dir) {
	for (const species of Object.keys(SPECIES)) {
		mkdirSync(path.join(dir, species), { recursive: true });
		for (let n = 1; n <= 5; n++) writeFileSync(path.join(dir, species, `${n}.png`), drawPhoto(species, n));
	}
}
