// The page: takes photos of one plant, asks the server, shows what it may be. Everything that came from outside
// is written with textContent, and nothing is asked of any other host.

const MAX_PHOTOS = 5;
const MAX_BYTES = 52428800;
const PAGE_SIZE = 1000;
const MAX_ROWS = 500; // species drawn at once in "What it knows"
const ORGANS = [["auto", "Any part"], ["flower", "Flower"], ["leaf", "Leaf"], ["fruit", "Fruit"], ["bark", "Bark"],
	["habit", "Whole plant"], ["other", "Other"]];

const $ = (id) => document.getElementById(id);
const photos = []; // {file, url, organ, broken: the browser cannot draw it, wrong: the server could not read it}
let known = null;  // species the model knows, once loaded
let running = null; // AbortController of the request under way, and whether it asks for guesses
let shown = null;  // {guesses} while an answer is on the page

function el(tag, props = {}, ...children) {
	const { attr, ...rest } = props;
	const e = Object.assign(document.createElement(tag), rest);
	for (const [k, v] of Object.entries(attr ?? {})) e.setAttribute(k, v);
	e.append(...children.filter((c) => c !== null && c !== undefined));
	return e;
}

const lang = () => $("lang").value || "en";
const latin = (text) => el("i", { lang: "la", textContent: text });
const quoted = (name) => `“${name}”`;
const plural = (n, one, many) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

function say(text, busy = false) {
	$("status").textContent = text;
	$("status").classList.toggle("busy", busy);
}

function complain(text) {
	$("pick-error").textContent = text;
	$("pick-error").hidden = !text;
}

// ---- photos ------------------------------------------------------------------------------------------------

const looksLikePhoto = (f) => f.type.startsWith("image/") || /\.(jpe?g|png|webp|hei[cf])$/i.test(f.name);

function addPhotos(files) {
	const all = [...files];
	const good = all.filter(looksLikePhoto);
	const room = MAX_PHOTOS - photos.length;
	const problems = [];
	if (good.length < all.length)
		problems.push(`Not a photo: ${all.filter((f) => !looksLikePhoto(f)).map((f) => quoted(f.name)).join(", ")}.`);
	if (good.length > room)
		problems.push(`Five photos are the most. Left out: ${good.slice(room).map((f) => quoted(f.name)).join(", ")}.`);
	for (const file of good.slice(0, room))
		photos.push({ file, url: URL.createObjectURL(file), organ: "auto", broken: false, wrong: false });
	photosChanged();
	complain(problems.join(" "));
}

function removePhoto(i) {
	URL.revokeObjectURL(photos[i].url);
	photos.splice(i, 1);
	photosChanged();
	const next = $("tiles").querySelectorAll(".remove")[Math.min(i, photos.length - 1)];
	(next ?? $("pick")).focus();
}

// An answer belongs to the photos it was given for.
function photosChanged() {
	running?.abort();
	setBusy(null);
	shown = null;
	$("answer").hidden = true;
	complain("");
	drawTiles();
	say(photos.length ? `${plural(photos.length, "photo", "photos")} ready.` : "");
}

function preview(photo, alt) {
	const none = () => el("div", { className: "placeholder", textContent: photo.file.name });
	if (photo.broken) return none();
	const img = el("img", { src: photo.url, alt });
	img.addEventListener("error", () => {
		photo.broken = true; // HEIC, in most browsers: the server can read what the browser cannot draw
		img.replaceWith(none());
	});
	return img;
}

function organSelect(photo, i) {
	const select = el("select", { attr: { "aria-label": `What photo ${i + 1} shows` } },
		...ORGANS.map(([value, text]) => el("option", { value, textContent: text })));
	select.value = photo.organ;
	select.addEventListener("change", () => (photo.organ = select.value));
	return select;
}

function drawTiles() {
	$("tiles").replaceChildren(...photos.map((photo, i) => {
		const remove = el("button", { type: "button", className: "remove", textContent: "×",
			attr: { "aria-label": `Remove photo ${i + 1}, ${photo.file.name}` } });
		remove.addEventListener("click", () => removePhoto(i));
		return el("li", { className: photo.wrong ? "wrong" : "" },
			preview(photo, `Your photo ${i + 1}: ${photo.file.name}`), remove, organSelect(photo, i));
	}));
	$("tiles").hidden = !photos.length;
	$("drop").classList.toggle("filled", photos.length > 0);
	$("identify").disabled = !photos.length || running !== null;
}

function listenForPhotos() {
	for (const input of [$("pick"), $("shoot")])
		input.addEventListener("change", () => {
			addPhotos(input.files);
			input.value = ""; // so that the same file can be chosen again
		});
	document.addEventListener("paste", (e) => {
		if (!e.clipboardData?.files.length) return;
		e.preventDefault();
		addPhotos(e.clipboardData.files);
	});
	const drop = $("drop");
	// Beside the box a dropped photo would replace the page, so it is taken everywhere.
	document.addEventListener("dragover", (e) => {
		e.preventDefault();
		drop.classList.add("over");
	});
	document.addEventListener("dragleave", (e) => {
		if (!e.relatedTarget) drop.classList.remove("over");
	});
	document.addEventListener("drop", (e) => {
		e.preventDefault();
		drop.classList.remove("over");
		if (e.dataTransfer.files.length) addPhotos(e.dataTransfer.files);
	});
}

// ---- asking ------------------------------------------------------------------------------------------------

function setBusy(controller) {
	running = controller;
	$("cancel").hidden = controller === null;
	$("identify").disabled = controller !== null || !photos.length;
	$("answer").setAttribute("aria-busy", String(controller !== null));
}

function post(guesses, signal) {
	const form = new FormData();
	for (const p of photos) form.append("images", p.file, p.file.name);
	for (const p of photos) form.append("organs", p.organ);
	const args = new URLSearchParams({ "include-related-images": "true", "nb-results": "10", lang: lang() });
	if (guesses) args.set("no-reject", "true");
	return fetch(`/v2/identify/all?${args}`, { method: "POST", body: form, signal });
}

async function identify(guesses) {
	complain("");
	const total = photos.reduce((n, p) => n + p.file.size, 0);
	if (total > MAX_BYTES) {
		say("");
		complain(`The photos have ${Math.ceil(total / 1048576)} MB together; 50 MB are the most. Remove one, or make them smaller.`);
		return;
	}
	running?.abort();
	const mine = Object.assign(new AbortController(), { guesses });
	for (const p of photos) p.wrong = false;
	setBusy(mine);
	drawTiles();
	say("Looking at the photos …", true);
	try {
		const answer = await post(guesses, mine.signal);
		const body = await answer.json().catch(() => null);
		if (running !== mine) return;
		setBusy(null);
		if (answer.ok && Array.isArray(body?.results)) showResults(body.results, guesses);
		else if (answer.status === 404 && body?.message === "Species not found") showNone();
		else fail(problem(answer, body));
	} catch {
		if (running !== mine) return; // cancelled, or newer photos took its place
		setBusy(null);
		fail("The server cannot be reached. Is it still running? Check the network, then try again.");
	}
}

function fail(text) {
	say("");
	shown = null;
	$("answer").hidden = true;
	drawTiles();
	complain(text);
}

// What went wrong, in words; a photo is called by its name.
function problem(answer, body) {
	const message = String(body?.message ?? "");
	const at = /image\[(\d+)\](?::\s*(.*))?/s.exec(message);
	const photo = at && photos[Number(at[1])];
	if (photo) {
		photo.wrong = true;
		const which = `Photo ${Number(at[1]) + 1}, ${quoted(photo.file.name)}`;
		if (/unsupported file type/i.test(message))
			return `${which}, is not a picture this server can read. Try a JPEG or PNG file.`;
		return `${which}, cannot be read${at[2] ? `: ${at[2]}` : ""}. Remove it, or choose another.`;
	}
	if (answer.status === 413) return "The photos are too large: 50 MB together are the most. Remove one, or make them smaller.";
	if (answer.status === 503) {
		const wait = Number(answer.headers.get("Retry-After"));
		return `The server is busy. Try again ${wait > 0 ? `in ${plural(wait, "second", "seconds")}` : "soon"}.`;
	}
	if (answer.status >= 500) return "Something broke in the server; its log says what. Your photos are fine: try again.";
	return message ? `The server refused this: ${message}` : `The server refused this (${answer.status}).`;
}

// ---- the answer --------------------------------------------------------------------------------------------

const percent = (score) => (score >= 0.995 ? "over 99 %" : score < 0.01 ? "under 1 %" : `${Math.round(score * 100)} %`);

function likelihood(score) {
	if (score >= 0.9) return "very likely";
	if (score >= 0.5) return "likely";
	return score >= 0.2 ? "possible" : "unlikely";
}

function openAnswer(kind, parts, spoken) {
	$("verdict").className = `verdict ${kind}`;
	$("verdict").replaceChildren(...parts);
	$("answer").hidden = false;
	say(spoken);
	$("answer").focus({ preventScroll: true });
	const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
	$("answer").scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
}

const capital = (s) => s[0].toUpperCase() + s.slice(1);
const big = (...children) => el("p", { className: "big" }, ...children);

function verdict(top, guesses) {
	const name = top.species.scientificNameWithoutAuthor;
	if (guesses)
		return ["unsure", [big(el("b", { textContent: "Only guesses." })),
			el("p", { textContent: "None of the species this model knows is likely. These are the closest, whatever their percentages say." })],
		"Closest guesses are shown."];
	const word = likelihood(top.score);
	if (top.score < 0.5)
		return ["unsure", [big(el("b", { textContent: "Not sure: " }), `the best match, `, latin(name), `, is ${word} at ${percent(top.score)}.`),
			el("p", { textContent: "Another photo of the same plant may help: closer, sharper, or of a flower or fruit." })],
		`Not sure. Best match: ${name}, ${word}.`];
	return ["", [big(el("b", { textContent: `${capital(word)}: ` }), latin(name))], `${capital(word)}: ${name}, ${percent(top.score)}.`];
}

function showResults(results, guesses) {
	shown = { guesses };
	$("results").classList.toggle("guesses", guesses);
	$("results").replaceChildren(...results.map((r) => resultRow(r, guesses)));
	$("legend").hidden = false;
	$("no-references").hidden = results.some((r) => r.images?.length);
	if (results.length) openAnswer(...verdict(results[0], guesses));
	else openAnswer("unsure", [big("The server gave no species.")], "No species.");
}

function showNone() {
	shown = { guesses: false };
	$("results").replaceChildren();
	$("legend").hidden = $("no-references").hidden = true;
	const which = known ? `any of the ${plural(known.length, "species", "species")}` : "any of the species";
	const text = `This does not look like ${which} this model knows.`;
	const more = el("button", { type: "button", className: "button", id: "guess", textContent: "Show the closest guesses anyway" });
	more.addEventListener("click", () => identify(true));
	openAnswer("unsure", [big(el("b", { textContent: text })),
		el("p", { textContent: "It may be another plant, no plant at all, or a photo too far away or too blurred to tell." }),
		more], text);
}

function bar(score) {
	const fill = el("div");
	fill.style.width = `${Math.max(0, Math.min(1, score)) * 100}%`;
	return el("div", { className: "bar", attr: { "aria-hidden": "true" } }, fill);
}

function resultRow(r, guesses) {
	const s = r.species;
	const common = (s.commonNames ?? []).join(", ");
	const row = el("div", { className: "row" },
		el("h3", {}, latin(s.scientificNameWithoutAuthor), " ",
			el("span", { className: "author", textContent: s.scientificNameAuthorship })),
		el("span", { className: "score" }, el("b", { textContent: percent(r.score) }), " ",
			el("span", { textContent: guesses ? "guess" : likelihood(r.score) })));
	const names = el("p", { className: "names" }, common ? el("span", { lang: lang(), textContent: common }) : null,
		el("span", { className: "fam", textContent: `${common ? " · " : ""}${s.family?.scientificNameWithoutAuthor ?? ""}` }));
	return el("li", {}, row, bar(r.score), names, r.images?.length ? sideBySide(r) : null);
}

// Only the path of an address is used, so that no other host is ever asked.
const here = (url) => new URL(url, location.href).pathname;
const credit = (image) => image.citation || [image.author, image.license].filter(Boolean).join(", ");

function sideBySide(r) {
	const name = r.species.scientificNameWithoutAuthor;
	const own = el("figure", { className: "own" }, preview(photos[0], "Your photo"), el("figcaption", { textContent: "Yours" }));
	return el("div", { className: "side" }, own, ...r.images.map((image, i) => {
		const button = el("button", { type: "button", attr: { "aria-label": `Compare with reference photo ${i + 1} of ${name}` } },
			el("img", { src: here(image.url.s), alt: "", loading: "lazy" }));
		button.addEventListener("click", () => compare(image, name));
		return el("figure", {}, button, el("figcaption", { textContent: credit(image) }));
	}));
}

function compare(image, name) {
	const own = photos.find((p) => p.organ === image.organ) ?? photos[0];
	$("compare-title").replaceChildren("Is it ", latin(name), "?");
	$("mine").hidden = own.broken;
	$("mine-none").hidden = !own.broken;
	$("mine-none").textContent = own.file.name;
	$("mine").src = own.url;
	$("mine").alt = `Your photo, ${own.file.name}`;
	$("theirs").src = here(image.url.o);
	$("theirs").alt = `Reference photo of ${name}, ${image.organ}`;
	$("theirs-text").textContent = `Reference: ${credit(image)}`;
	$("compare").showModal();
}

// ---- what it knows -----------------------------------------------------------------------------------------

const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

async function getJson(path) {
	const answer = await fetch(path);
	if (!answer.ok) throw new Error(String(answer.status));
	return answer.json();
}

async function loadSpecies() {
	const asked = lang();
	const all = [];
	try {
		for (let page = 1; ; page++) {
			const part = await getJson(`/v2/projects/all/species?${new URLSearchParams({ lang: asked, pageSize: PAGE_SIZE, page })}`);
			all.push(...part);
			if (part.length < PAGE_SIZE) break;
		}
	} catch {
		$("known-status").textContent = "The list of species could not be loaded.";
		return;
	}
	if (asked !== lang()) return; // another language was chosen meanwhile
	for (const s of all)
		s.words = plain([s.scientificNameWithoutAuthor, s.genus, s.family, ...(s.commonNames ?? [])].join(" "));
	known = all.sort((a, b) => a.scientificNameWithoutAuthor.localeCompare(b.scientificNameWithoutAuthor));
	$("known-count").textContent = `(${plural(known.length, "species", "species")})`;
	drawSpecies();
}

function drawSpecies() {
	if (!known) return;
	const words = plain($("filter").value).split(/\s+/).filter(Boolean);
	const found = known.filter((s) => words.every((w) => s.words.includes(w)));
	$("species").replaceChildren(...found.slice(0, MAX_ROWS).map((s) => el("li", {},
		latin(s.scientificNameWithoutAuthor), " ", el("small", { textContent: s.scientificNameAuthorship ?? "" }),
		el("span", { textContent: [(s.commonNames ?? []).join(", "), s.family].filter(Boolean).join(" · ") }))));
	const more = found.length > MAX_ROWS ? ` The first ${MAX_ROWS} are shown.` : "";
	$("known-status").textContent = words.length ? `${plural(found.length, "species", "species")} found.${more}` : more;
}

async function loadLanguages() {
	let codes = [];
	try {
		codes = await getJson("/v2/languages");
	} catch { /* English is always understood */ }
	if (!codes.length) codes = ["en"];
	const own = (code) => {
		try {
			return capital(new Intl.DisplayNames([code], { type: "language" }).of(code));
		} catch {
			return code;
		}
	};
	$("lang").replaceChildren(...codes.map((code) => el("option", { value: code, lang: code, textContent: own(code) })));
	const wanted = navigator.languages.map((l) => l.toLowerCase().split("-")[0]).find((l) => codes.includes(l));
	$("lang").value = wanted ?? (codes.includes("en") ? "en" : codes[0]);
}

// ---- start -------------------------------------------------------------------------------------------------

listenForPhotos();
$("form").addEventListener("submit", (e) => {
	e.preventDefault();
	if (photos.length) identify(false);
});
$("cancel").addEventListener("click", () => {
	running?.abort();
	setBusy(null);
	say("Cancelled.");
	$("identify").focus();
});
$("filter").addEventListener("input", drawSpecies);
$("lang").addEventListener("change", () => {
	loadSpecies();
	// The same answer with other names; one that is under way would come with those of before.
	if (running) identify(running.guesses);
	else if (shown && $("results").children.length) identify(shown.guesses);
});
$("compare").addEventListener("click", (e) => {
	if (e.target === $("compare")) $("compare").close(); // a click beside it
});
$("curl").textContent = `curl -F images=@photo.jpg '${location.origin}/v2/identify/all'`;
loadLanguages().then(loadSpecies);
