// Draws the figures of a catalog's report with Observable Plot, each from the table in it: one number, one place. Colours
// are names of the style sheet's, so charts follow light, dark and paper without being drawn anew.
"use strict";
(() => {
	const json = (id) => JSON.parse(document.getElementById(id).textContent);
	const INK = { kept: "var(--curve-0)", out: "var(--curve-1)", all: "var(--curve-2)", n: "var(--curve-0)" };
	const NAME = { kept: "kept", out: "left out", all: "before cleaning" };
	const count = (v) => v.toLocaleString("en");
	const short = (v) => v.toLocaleString("en", { notation: "compact", maximumSignificantDigits: 3 });

	// The rows of a figure's table, without those that stand apart: { label, x, x1, x2, kept, out, ... }.
	function rows(figure) {
		const heads = [...figure.querySelectorAll("thead th")].map((th) => th.dataset.series);
		return [...figure.querySelectorAll("tbody tr:not([data-apart])")].map((tr) => {
			const row = { label: tr.querySelector("th").textContent };
			for (const k of ["x", "x1", "x2"]) if (k in tr.dataset) row[k] = Number(tr.dataset[k]);
			heads.forEach((series, i) => {
				if (series) row[series] = Number(tr.cells[i].querySelector("data").value);
			});
			return row;
		});
	}

	// One row a series, for marks that stack; `kept` comes first.
	const long = (data) => data.flatMap((d) => ["kept", "out"].filter((k) => d[k] !== undefined).map((k) => ({ ...d, series: k, value: d[k] })));
	const colour = (series) => ({ domain: series.map((s) => NAME[s]), range: series.map((s) => INK[s]), legend: series.length > 1 });
	const has = (data, series) => data.some((d) => d[series]);
	const shown = (data) => ["kept", "out"].filter((s) => has(data, s));
	const words = (d) => `${d.label}: ${count(d.value)} ${NAME[d.series] ?? ""}`.trim();

	// Powers of 2 for an axis, and halves between where there are few.
	function octaves([first, last]) {
		const steps = last / first < 8 ? [1, 1.25, 1.5, 1.75] : last / first < 64 ? [1, 1.5] : [1];
		const all = d3.range(0, 21).flatMap((k) => steps.map((s) => s * 2 ** k)).filter((v) => v >= first && v <= last);
		return all.filter((v, i) => i % Math.ceil(all.length / 9) === 0);
	}

	const draw = {
		bars(figure, width) {
			const data = rows(figure), narrow = width < 480, series = shown(data);
			const stacked = series.length > 0;
			const bars = stacked ? long(data).filter((d) => d.value) : data.map((d) => ({ ...d, value: d.n, series: "n" }));
			const name = (s) => (s.length > (narrow ? 18 : 34) ? `${s.slice(0, narrow ? 17 : 33)}…` : s);
			const total = new Map(data.map((d) => [d.label, d.n ?? d.kept + d.out]));
			const most = Math.max(1, ...total.values());
			return {
				height: 26 * data.length + 8, marginTop: 4, marginBottom: 4, marginLeft: narrow ? 120 : 220, marginRight: 52,
				x: { axis: null, domain: [0, most] },
				y: { label: null, domain: data.map((d) => d.label), tickFormat: name, tickSize: 0 },
				color: stacked ? colour(series) : undefined,
				marks: [
					Plot.barX(bars, { y: "label", x: "value", fill: stacked ? (d) => NAME[d.series] : INK.n, title: words, insetTop: 2, insetBottom: 2 }),
					Plot.text(data, { y: "label", x: (d) => total.get(d.label), text: (d) => count(total.get(d.label)), dx: 5, textAnchor: "start", fill: "var(--ink)" }),
				],
			};
		},
		hist(figure, width) {
			const data = rows(figure), series = shown(data), years = "years" in figure.dataset, log = "log" in figure.dataset;
			const first = data[0].x1, last = data.at(-1).x2;
			const lines = (figure.dataset.lines || "").split(";").filter(Boolean).map((s) => s.split(":")).map(([rule, at]) => ({ rule, at: Number(at) }));
			// a border far from all photos would squeeze them: it is told, not drawn
			const near = lines.filter(({ at }) => (log ? at >= first / 4 && at <= last * 4 : at >= first - (last - first) / 2 && at <= last + (last - first) / 2));
			const domain = [Math.min(first, ...near.map((l) => l.at)), Math.max(last, ...near.map((l) => l.at))];
			return {
				height: 230, marginLeft: 48, marginTop: near.length ? 28 : 12, marginRight: 24, marginBottom: figure.dataset.unit ? 40 : 28,
				x: { type: log ? "log" : "linear", base: 2, domain, label: figure.dataset.unit || null, labelAnchor: "center", labelArrow: "none",
					tickFormat: years ? "d" : log ? count : undefined,
					ticks: years ? data.filter((d, i) => i % Math.ceil(data.length / (width / 60)) === 0).map((d) => d.x1)
						: log ? octaves(domain) : Math.min(10, width / 60) },
				y: { label: null, grid: true, tickFormat: short, ticks: 5 },
				color: colour(series),
				marks: [
					Plot.rectY(long(data).filter((d) => d.value), { x1: "x1", x2: "x2", y: "value", fill: (d) => NAME[d.series], title: words, inset: data.length > 60 ? 0 : 0.5 }),
					Plot.ruleY([0], { stroke: "var(--soft)" }),
					Plot.ruleX(near, { x: "at", stroke: "var(--ink)", strokeDasharray: "5 4", strokeWidth: 1.5 }),
					Plot.text(near, { x: "at", frameAnchor: "top", dy: -14, text: (d) => `${d.rule} ${Number(d.at.toPrecision(3))}`, fill: "var(--ink)", fontWeight: 600 }),
				],
			};
		},
		columns(figure, width) {
			const data = rows(figure);
			return {
				height: 230, marginLeft: 48, marginTop: 12, x: { label: null, domain: data.map((d) => d.label), tickSize: 0, tickFormat: (s) => (width < 400 ? s[0] : s) },
				y: { label: null, grid: true, tickFormat: short, ticks: 5 }, color: colour(shown(data)),
				marks: [
					Plot.barY(long(data).filter((d) => d.value), { x: "label", y: "value", fill: (d) => NAME[d.series], title: words }),
					Plot.ruleY([0], { stroke: "var(--soft)" }),
				],
			};
		},
		rank(figure, width) {
			const data = rows(figure), series = data.some((d) => d.all !== d.kept) ? ["all", "kept"] : ["kept"];
			const points = series.flatMap((s) => data.filter((d) => d[s] > 0).map((d) => ({ x: d.x, y: d[s], series: s })));
			const most = Math.max(...points.map((d) => d.y), 10);
			const title = (d) => `rank ${count(d.x)}: ${count(d.y)} photos ${NAME[d.series]}`;
			return {
				height: 340, marginLeft: 56, marginRight: 24, marginBottom: 40,
				x: { type: "log", label: "rank of the species →", domain: [1, Math.max(10, data.at(-1).x)], tickFormat: short, ticks: width < 480 ? 4 : undefined },
				y: { type: "log", label: "↑ photos", domain: [1, most], grid: true, tickFormat: short, ticks: 5 },
				color: colour(series),
				marks: [
					Plot.ruleY([10].filter((v) => v < most), { stroke: "var(--ink)", strokeDasharray: "5 4" }),
					Plot.text([10].filter((v) => v < most), { x: 1, y: 10, text: () => "10 photos", textAnchor: "start", dx: 4, dy: 9, fill: "var(--ink)" }),
					Plot.line(points, { x: "x", y: "y", stroke: (d) => NAME[d.series], strokeWidth: 2 }),
					Plot.dot(points, { x: "x", y: "y", fill: (d) => NAME[d.series], r: 2.2, title }),
				],
			};
		},
		map(figure, width) {
			const topology = json("land"), land = topojson.feature(topology, topology.objects.land);
			const SIDE = 2, CLASS = [1, 10, 100, 1000, 10000], classed = (n) => CLASS.filter((c) => n >= c).length - 1;
			const name = (i) => (i + 1 < CLASS.length ? `${count(CLASS[i])}–${count(CLASS[i + 1] - 1)}` : `${count(CLASS[i])} and more`);
			const cells = json("cells").map(([down, across, kept, out]) => {
				const n = 90 - SIDE * down, s = n - SIDE, w = SIDE * across - 180, e = w + SIDE;
				return { type: "Feature", kept, out, level: classed(kept + out),
					geometry: { type: "Polygon", coordinates: [[[w, s], [w, n], [e, n], [e, s], [w, s]]] } };
			});
			const levels = d3.range(Math.max(...cells.map((c) => c.level)) + 1);
			return {
				height: Math.round(width * 0.49), margin: 2,
				projection: { type: "equal-earth", domain: { type: "Sphere" } },
				color: { domain: levels.map(name), range: levels.map((i) => `var(--heat-${i})`), legend: true },
				marks: [
					Plot.sphere({ fill: "var(--sea)" }),
					Plot.geo(land, { fill: "var(--land)" }),
					Plot.graticule({ stroke: "var(--soft)", strokeOpacity: 0.25 }),
					Plot.geo(cells, { fill: (c) => name(c.level), title: (c) => `${count(c.kept)} kept, ${count(c.out)} left out` }),
					Plot.geo(land, { stroke: "var(--soft)", strokeWidth: 0.6 }),
					Plot.sphere({ stroke: "var(--soft)" }),
				],
			};
		},
	};

	function make(figure, width) {
		const title = figure.querySelector("h3").textContent, place = figure.querySelector(".plot");
		const chart = Plot.plot({
			width, ...draw[figure.dataset.kind](figure, width),
			style: { background: "none", color: "var(--soft)", fontSize: "12px", fontFamily: "inherit", overflow: "visible" },
		});
		const svg = chart.matches("svg") ? chart : [...chart.querySelectorAll("svg")].at(-1);
		svg.setAttribute("role", "img");
		svg.setAttribute("aria-label", `${title}. The numbers are in the table ${figure.querySelector("details") ? "below" : "beside it"}.`);
		place.replaceChildren(chart);
	}

	const figures = [...document.querySelectorAll("figure.chart")].filter((f) => rows(f).length);
	const widths = new Map();
	const fit = new ResizeObserver((changes) => {
		for (const { target } of changes) {
			const width = Math.max(240, Math.floor(target.clientWidth));
			if (!target.clientWidth || widths.get(target) === width) continue;
			widths.set(target, width);
			make(target.closest("figure"), width);
		}
	});
	for (const figure of figures) fit.observe(figure.querySelector(".plot"));

	// Tables that are wider than the page can be scrolled with the keyboard.
	const wide = [...document.querySelectorAll(".wide")];
	const reach = () => wide.forEach((box) => {
		if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
		else box.removeAttribute("tabindex");
	});
	addEventListener("resize", reach);
	document.addEventListener("toggle", reach, true);
	reach();
})();
