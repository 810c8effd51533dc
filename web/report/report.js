// Draws the curves of #data with uPlot. Colours are the page's; a chart is made anew when they change.
"use strict";
(() => {
	const { charts } = JSON.parse(document.getElementById("data").textContent);
	const place = document.getElementById("charts");
	const HEIGHT = 240, PRINTED = 330; // pixels; PRINTED is half of a page's width
	const plots = new Map(); // the element a chart is in -> uPlot
	let printing = false;

	const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
	const count = (v) => v.toLocaleString("en", { maximumFractionDigits: 1 });
	const short = (v) => (Math.abs(v) >= 10000 ? v.toLocaleString("en", { notation: "compact", maximumSignificantDigits: 4 }) : count(v));
	const number = (v) => {
		const size = Math.abs(v);
		if (size >= 1e6) return v.toPrecision(4);
		return size >= 1000 ? count(v) : v === 0 || size >= 1e-4 ? String(Number(v.toPrecision(4))) : String(Number(v.toExponential(3)));
	};
	const text = (chart, v) => (chart.share ? `${Number((100 * v).toPrecision(4))} %` : number(v));

	// The y axis: shares stay within 0..1, what is never negative keeps to one side of 0.
	function range(chart, low, high) {
		if (low === null) return [0, 1];
		const room = (high - low || Math.abs(high) || 1) * 0.06;
		const bottom = low >= 0 ? Math.max(0, low - room) : low - room;
		return [bottom, chart.share ? Math.min(1, high + room) : high + room];
	}

	// A curve is its line and, where it is thinned, a band between two thin ones.
	function series(chart) {
		const out = [{ label: "Step", value: (u, v) => (v == null ? "–" : count(Math.round(v))) }], tables = [], bands = [];
		chart.curves.forEach((curve, i) => {
			const ink = colour(`--curve-${i % 3}`);
			const few = curve.x.length <= 60;
			out.push({
				label: curve.label, stroke: ink, width: few ? 2 : 1.25, dash: i % 3 === 2 ? [6, 4] : undefined,
				points: { show: few, size: 5, fill: ink },
				value: (u, v) => (v == null ? "–" : text(chart, v)),
			});
			const columns = [curve.x, curve.y];
			if (curve.min) {
				const edge = { class: "edge", label: "", stroke: `color-mix(in srgb, ${ink} 55%, transparent)`, width: 0.5, points: { show: false } };
				bands.push({ series: [out.length + 1, out.length], fill: `color-mix(in srgb, ${ink} 28%, transparent)` });
				out.push(edge, { ...edge });
				columns.push(curve.min, curve.max);
			}
			tables.push(columns);
		});
		return { out, bands, data: uPlot.join(tables) };
	}

	// Under the cursor a curve shows its nearest value: curves of one chart have values at different steps.
	function nearest(u, i, at) {
		const xs = u.data[0], ys = u.data[i];
		let a = at, b = at;
		while (a >= 0 && ys[a] == null) a--;
		while (b < ys.length && ys[b] == null) b++;
		if (a < 0) return b < ys.length ? b : at;
		return b < ys.length && xs[b] - xs[at] < xs[at] - xs[a] ? b : a;
	}

	const width = (box) => (printing ? PRINTED : Math.max(200, box.clientWidth));

	function draw(box, chart) {
		plots.get(box)?.destroy();
		const { out, bands, data } = series(chart);
		const axis = {
			stroke: colour("--soft"), font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif",
			grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 },
		};
		plots.set(box, new uPlot({
			width: width(box), height: HEIGHT, series: out, bands,
			scales: { x: { time: false }, y: { range: (u, low, high) => range(chart, low, high) } },
			axes: [
				{ ...axis, label: "step", size: 28, labelSize: 18, labelGap: 0, values: (u, v) => v.map((x) => (Number.isInteger(x) ? short(x) : "")) },
				{ ...axis, size: 64, values: (u, v) => v.map((y) => text(chart, y)) },
			],
			cursor: { y: false, dataIdx: nearest, sync: { key: "run" }, points: { size: (u, i) => (out[i].class ? 0 : 7) } },
		}, data, box));
	}

	const boxes = charts.filter((c) => c.curves.some((k) => k.y.some((v) => v !== null))).map((chart) => {
		const figure = document.createElement("figure"), title = document.createElement("figcaption"), box = document.createElement("div");
		const heading = document.createElement("h3");
		heading.textContent = chart.title;
		title.append(heading);
		box.className = "plot";
		box.setAttribute("role", "img");
		box.setAttribute("aria-label", `${chart.title} by step: ${chart.curves.map((c) => c.label).join(", ")}. The last and best values are in the table.`);
		figure.append(title, box);
		place.append(figure);
		return { box, chart };
	});
	const all = () => boxes.forEach(({ box, chart }) => draw(box, chart));
	all();
	document.getElementById("zoom").hidden = !boxes.length;

	const fit = new ResizeObserver((changes) => {
		if (printing) return;
		for (const { target } of changes)
			if (plots.get(target).width !== width(target)) plots.get(target).setSize({ width: width(target), height: HEIGHT });
	});
	boxes.forEach(({ box }) => fit.observe(box));
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
	// Paper is light, and of another width.
	const print = (on) => {
		printing = on;
		document.documentElement.classList.toggle("print", on);
		all();
	};
	addEventListener("beforeprint", () => print(true));
	addEventListener("afterprint", () => print(false));
})();
