// Lag, rows and rates over time, with what happened as marks on the axis. The history comes from the machine; where
// that keeps none the charts begin when the page was opened, and say so.

import { get } from "./api.js";
import { h } from "./dom.js";
import { clock, count, isNumber, moment, number, size, span } from "./words.js";

const RANGES = [["15 min", 900], ["1 h", 3600], ["6 h", 21600], ["1 d", 86400], ["7 d", 604800], ["60 d", 5184000]];
const SAMPLES_KEPT = 2000, ASK_MSEC = 10000, ASK_LONG_MSEC = 60000;
const MARKS = { start: "S", recovery: "R", pause: "P", resume: "G", phase: "F", cutover: "C", failback: "B", config: "Y" };
const TONES = { recovery: "--bad", pause: "--busy", start: "--accent", cutover: "--good", failback: "--good" };

const seconds = value => span(value * 1000);
/** A chart: its column of the history, `rate`: what that grew by a second. */
const CHARTS = [
  { id: "lag", title: "Lag", column: "lag_seconds", text: seconds, always: true },
  { id: "rows", title: "Rows that wait", column: "backlog_rows", text: number, always: true },
  { id: "applied", title: "Rows applied a second", column: "applied_rows", rate: true, text: value => number(Math.round(value)) },
  { id: "copied", title: "Copied a second", column: "copied_bytes", rate: true, text: size },
  { id: "proven", title: "Proven equal", column: "verified_percent", text: value => `${value} %`, top: 100 },
  { id: "differences", title: "Rows that differ", column: "differences", text: number, quiet: true },
];

// Its legend writes styles into elements, which the policy forbids, and names of tables as HTML: ours is the readout.
window.Dygraph.PLUGINS = window.Dygraph.PLUGINS.filter(plugin => plugin !== window.Dygraph.Plugins.Legend);
const plots = new Map();

// ---- what is known ----

/** A sample of the page's own, for a machine without a history. */
export function sample(state) {
  for (const m of state.status.migrations) {
    const r = m.replication || {}, p = m.phase === "copy" && m.progress ? m.progress : {};
    const list = state.samples[m.name] = state.samples[m.name] || [];
    list.push([state.now / 1000, isNumber(r.lag_msec) ? r.lag_msec / 1000 : null, r.backlog_rows, r.applied_rows, p.done, m.verify && m.verify.percent]);
    if (list.length > SAMPLES_KEPT) list.shift();
  }
}
const SAMPLE_COLUMNS = ["time", "lag_seconds", "backlog_rows", "applied_rows", "copied_bytes", "verified_percent"];

/** Ask for the history of each migration, when that is due. */
export async function askHistory(state) {
  for (const m of state.status.migrations) {
    const known = state.history[m.name] || {};
    if (known.range === state.range && Date.now() - known.asked < (state.range > 86400 ? ASK_LONG_MSEC : ASK_MSEC)) continue;
    const to = Math.ceil(state.now / 1000), next = { asked: Date.now(), range: state.range };
    try {
      next.page = await get(`/api/v1/history?migration=${encodeURIComponent(m.name)}&from=${to - state.range}&to=${to}`);
    } catch (error) {
      // Old lines without their newest end would look like an answer: none are better.
      next.error = error.message;
      next.none = error.status === 404;
    }
    state.history[m.name] = next;
  }
}

export const historyOf = (state, m) => (state.history[m.name] || {}).page || null;

function source(state, m) {
  const page = historyOf(state, m);
  // Its rows are 10 s apart: what the page saw since the last one is as true, and newer.
  if (page && page.rows.length) {
    const last = page.rows[page.rows.length - 1][0], later = (state.samples[m.name] || []).filter(row => row[0] > last);
    return { ...page, rows: [...page.rows, ...later.map(row => page.columns.map(name => row[SAMPLE_COLUMNS.indexOf(name)] ?? null))] };
  }
  return { columns: SAMPLE_COLUMNS, rows: state.samples[m.name] || [], marks: page ? page.marks : [], step: 2, own: true };
}

/** [[Date, value]] of a chart: a gap where nobody looked, a rate where what counts is what is added. */
function points(from, chart) {
  const at = from.columns.indexOf(chart.column), found = [], gap = Math.max(from.step * 3, 15);
  let before = null;
  for (const row of at < 0 ? [] : from.rows) {
    const value = isNumber(row[at]) ? row[at] : null, grown = before && isNumber(before[at]) && value !== null ? value - before[at] : -1;
    if (before && row[0] - before[0] > gap) found.push([new Date((before[0] + 1) * 1000), null]);
    if (!chart.rate) found.push([new Date(row[0] * 1000), value]);
    else if (before) found.push([new Date(row[0] * 1000), grown >= 0 && row[0] - before[0] <= gap ? grown / (row[0] - before[0]) : null]);
    before = row;
  }
  return found;
}

const isWorth = (chart, list) => chart.always || list.some(([, value]) => value !== null && (!chart.quiet || value > 0));

function summary(chart, list) {
  const known = list.filter(([, value]) => value !== null);
  if (!known.length) return "nothing is known yet";
  const last = list[list.length - 1], most = known.reduce((a, b) => (b[1] > a[1] ? b : a));
  const now = last[1] === null ? "now not known" : `now ${chart.text(last[1])}`;
  return chart.top ? now : `${now} · most ${chart.text(most[1])} at ${clock(most[0])}`;
}

// ---- what stands on the page ----

function ranges(state) {
  return h("div", { class: "ranges", role: "group", "aria-label": "How far back" }, RANGES.map(([name, length]) =>
    h("button", { type: "button", "data-action": "range", "data-range": length, "aria-pressed": String(state.range === length) }, name)));
}

function marksList(marks, shown) {
  if (!marks.length) return null;
  const recent = marks.slice(-60).reverse();
  return h("details", { class: "more", "data-key": "marks" }, h("summary", {}, `${count(marks.length, "mark")} on the time axis`),
    h("ol", { class: "marks", tabindex: 0, "aria-label": `Marks of ${shown}` }, recent.map((mark, i) => h("li", { "data-key": `${mark.time} ${i}` },
      h("b", { class: `mark ${mark.kind}` }, MARKS[mark.kind] || "?"), h("time", {}, moment(new Date(mark.time * 1000).toISOString())), h("span", {}, `${mark.kind}: ${mark.text}`)))));
}

export function charts(state, m) {
  if (!m.replication && m.phase !== "copy") return null;
  const from = source(state, m), known = state.history[m.name] || {};
  const worth = CHARTS.map(chart => [chart, points(from, chart)]).filter(([chart, list]) => isWorth(chart, list));
  return h("div", { class: "charts", "data-key": "charts" }, h("div", { class: "row" }, h("h3", {}, "Over time"), ranges(state)),
    from.own ? h("p", { class: "dim" }, known.error && !known.none ? `The history cannot be had now (${known.error}): the charts begin when this page was opened.`
      : "The machine has no history of this yet: the charts begin when this page was opened.") : null,
    h("div", { class: "plots" }, worth.map(([chart, list]) => h("div", { class: "plot", "data-key": chart.id }, h("h4", {}, chart.title, " ", h("small", { "data-readout": `${m.name}/${chart.id}`, "data-keep": "" }, summary(chart, list))),
      h("div", { class: "canvas", role: "img", "aria-label": `${chart.title} of ${m.name}: ${summary(chart, list)}`, "data-keep": "", "data-chart": `${m.name}/${chart.id}` })))),
    marksList(from.marks || [], m.name));
}

// ---- drawing ----

/** How large a letter is, beside that of a desk. */
const scale = () => parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function drawMarks(marks) {
  return (canvas, area, graph) => {
    canvas.save();
    const size = 11 * scale();
    canvas.font = `600 ${size}px sans-serif`;
    let free = -Infinity;
    for (const mark of marks) {
      const x = graph.toDomXCoord(mark.time * 1000);
      if (x < area.x || x > area.x + area.w) continue;
      canvas.strokeStyle = canvas.fillStyle = colour(TONES[mark.kind] || "--dim");
      canvas.globalAlpha = 0.75;
      canvas.setLineDash([4, 3]);
      canvas.beginPath(); canvas.moveTo(x + 0.5, area.y); canvas.lineTo(x + 0.5, area.y + area.h); canvas.stroke();
      canvas.globalAlpha = 1;
      if (x > free) { canvas.fillText(MARKS[mark.kind] || "?", x + 3, area.y + size); free = x + size * 1.4; }
    }
    canvas.restore();
  };
}

function readout(key, chart, list, at) {
  const element = document.querySelector(`[data-readout="${CSS.escape(key)}"]`);
  if (!element) return;
  const point = at === null ? null : list[at];
  element.textContent = point ? `${clock(point[0])} UTC · ${point[1] === null ? "not known" : chart.text(point[1])}` : summary(chart, list);
}

function options(state, chart, list, marks, key) {
  const to = state.now, grown = scale(), font = 12 * grown;
  return {
    file: list, labels: ["time", chart.title], colors: [colour("--accent")], strokeWidth: 2 * grown, fillGraph: true, fillAlpha: 0.16,
    legend: "never", labelsUTC: true, drawPoints: list.length < 2, pointSize: 3, includeZero: true, connectSeparatedPoints: false,
    gridLineColor: colour("--line"), axisLineColor: colour("--line"), axisLabelFontSize: font, highlightCircleSize: 4 * grown, animatedZooms: false,
    valueRange: [0, chart.top || Math.max(...list.map(([, value]) => value || 0), 1) * 1.12],
    axes: { y: { axisLabelWidth: font * 5.6, pixelsPerLabel: 34 * grown, axisLabelFormatter: value => chart.text(value), drawGrid: true }, x: { drawGrid: false, axisLabelWidth: font * 5.6, pixelsPerLabel: 90 * grown } },
    underlayCallback: drawMarks(marks),
    highlightCallback: (event, x, at, row) => { plots.get(key).at = row; readout(key, chart, plots.get(key).list, row); },
    unhighlightCallback: () => { plots.get(key).at = null; readout(key, chart, plots.get(key).list, null); },
    zoomCallback: () => { plots.get(key).zoomed = plots.get(key).graph.isZoomed("x"); },
    ...(plots.get(key) && plots.get(key).zoomed ? {} : { dateWindow: [Math.max(to - state.range * 1000, Math.min(Number(list[0][0]), to - 60000)), to] }),
  };
}

function draw(state, element, chart, list, marks) {
  const key = element.dataset.chart, known = plots.get(key);
  const data = list.length ? list : [[new Date(state.now), null]];
  if (!known || known.element !== element) {
    if (known) known.graph.destroy();
    const plot = { element, list: data, at: null, zoomed: false };
    plots.set(key, plot);
    const { file, ...rest } = options(state, chart, data, marks, key);
    plot.graph = new window.Dygraph(element, file, rest);
  } else {
    known.list = data;
    known.graph.updateOptions(options(state, chart, data, marks, key));
  }
  element.setAttribute("aria-label", `${chart.title} of ${key.split("/").slice(0, -1).join("/")}: ${summary(chart, list)}`);
  if (plots.get(key).at === null) readout(key, chart, data, null);
}

/** Bring the drawings to what is known; call it once the page is aligned. */
export function drawCharts(state) {
  const seen = new Set();
  for (const m of state.status.migrations) {
    const from = source(state, m);
    for (const chart of CHARTS) {
      const element = document.querySelector(`[data-chart="${CSS.escape(`${m.name}/${chart.id}`)}"]`);
      if (!element) continue;
      seen.add(element.dataset.chart);
      draw(state, element, chart, points(from, chart), from.marks || []);
    }
  }
  for (const [key, plot] of plots) if (!seen.has(key)) { plot.graph.destroy(); plots.delete(key); }
}

export const seenPoints = key => (plots.has(key) ? plots.get(key).list.filter(([, value]) => value !== null).length : 0);
