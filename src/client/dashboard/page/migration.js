// A migration: where it is, how far, what lags, what the destination does not get.

import { h } from "./dom.js";
import { isApart, sentence } from "./headline.js";
import { bar, hint, pill, table } from "./parts.js";
import { historyOf } from "./charts.js";
import { chunks } from "./proof.js";
import { amount, clock, count, isNumber, left, moment, number, size, span, time } from "./words.js";

const USUAL = ["preflight", "schema", "capture", "copy", "index", "replicate", "cutover"];

// ---- the rail ----

function stateOf(m, p) {
  if (m.phase !== p.phase) return p.state;
  return { live: "live", done: p.state, failed: "failed", paused: "paused", halted: "halted" }[m.status] || m.status;
}

function lasted(state, m, p) {
  if (!p.started_at) return "";
  if (stateOf(m, p) === "live") return `for ${span(m.age_msec)}`;
  if (p.ended_at) return span(time(p.ended_at) - time(p.started_at));
  return `for ${span(Math.max(state.now - time(p.started_at), 0))}`;
}

function stop(state, m, p) {
  const word = stateOf(m, p), here = m.phase === p.phase;
  const tone = word === "done" ? "good" : word === "live" ? "live" : word === "pending" || word === "unknown" ? "ahead" : word === "failed" ? "bad" : ["running", "begun", "starting"].includes(word) ? "work" : "busy";
  return h("li", { class: `stop ${tone}${here ? " here" : ""}`, "aria-current": here ? "step" : null, "data-key": p.phase },
    h("span", { class: "dot", "aria-hidden": "true" }, { good: "✓", bad: "✕", busy: "!", work: "▸", live: "●", ahead: "" }[tone]),
    h("span", { class: "name" }, p.phase), h("span", { class: "word" }, word), h("span", { class: "lasted" }, lasted(state, m, p)));
}

function rail(state, m) {
  const shown = m.phases.filter(p => USUAL.includes(p.phase) || p.state !== "pending");
  return h("ol", { class: "rail", "data-key": "rail", "aria-label": `Phases of ${m.name}` }, shown.map(p => stop(state, m, p)));
}

// ---- how far ----

function part(p, phase) {
  const far = phase === "copy" ? `${size(p.done)} of ${size(p.total)}` : [p.step, span(p.age_msec)].filter(Boolean).join(", ");
  return h("li", { "data-key": p.name }, h("span", { class: "name" }, p.name), bar(p.percent, p.name), h("span", { class: "far" }, `${p.percent} %, ${far}`));
}

/** What was said of the end of this phase before, beside what is said now. */
function estimates(state, m) {
  const page = historyOf(state, m), p = m.progress;
  if (!page || !p || !isNumber(p.eta_msec)) return null;
  const end = state.now + p.eta_msec, own = (page.eta || []).filter(e => e.phase === m.phase && state.now / 1000 - e.time > 30);
  const picked = own.filter((_, i) => i % Math.max(1, Math.ceil(own.length / 4)) === 0).slice(-4).reverse();
  if (!picked.length) return null;
  const off = e => { const d = e.predicted_end * 1000 - end; return Math.abs(d) < 5000 ? "as now" : `${span(Math.abs(d))} too ${d < 0 ? "early" : "late"}`; };
  return h("div", { class: "estimates", "data-key": "estimates" }, h("h4", {}, `Expected end ${clock(new Date(end))} UTC; what was said before`),
    h("ul", {}, picked.map(e => h("li", { "data-key": String(e.time) }, `${span(state.now - e.time * 1000)} ago: ${clock(new Date(e.predicted_end * 1000))}, ${off(e)}`))));
}

function progress(state, m) {
  const p = m.progress;
  if (!p || m.status !== "running") return null;
  const whole = [isNumber(p.total) ? `${p.unit === "bytes" ? size(p.done) : number(p.done)} of ${amount(p.total, p.unit)}` : "",
    isNumber(p.rate) && p.rate >= 1 ? `${amount(p.rate, p.unit)}/s` : "", isNumber(p.eta_msec) ? `done in ${left(p.eta_msec)}` : "time left: not known yet"];
  const pieces = isNumber(p.pieces_total) ? `${number(p.pieces_done)} of ${count(p.pieces_total, m.phase === "copy" ? "chunk" : "object")}` : "";
  return h("div", { class: "progress", "data-key": "progress" }, h("h3", {}, `${m.phase}: ${isNumber(p.percent) ? `${p.percent} %` : "how far is not known yet"}`),
    isNumber(p.percent) ? bar(p.percent, `${m.phase} of ${m.name}`) : null, h("p", {}, whole.filter(Boolean).join(" · ")),
    h("p", { class: "dim" }, [p.text, pieces, isNumber(p.rows) ? count(p.rows, "row") : ""].filter(Boolean).join(" · ")),
    p.in_flight && p.in_flight.length ? h("ul", { class: "parts", "aria-label": "Under way" }, p.in_flight.map(one => part(one, m.phase))) : null, chunks(m), estimates(state, m));
}

// ---- the lag ----

function trend(r) {
  if (r.trend === "shrinks") return `catches up in ${left(r.catch_up_msec)}`;
  if (r.trend === "grows") return `does not catch up at this rate${-r.shrink_rate >= 1 ? `: it grows by ${count(-r.shrink_rate, "row")}/s` : ""}`;
  return r.trend === "unknown" && r.backlog_rows > 0 ? "too early to say where it goes" : "";
}

const figure = (label, value, detail, tone) => h("div", { class: `figure ${tone || ""}`, "data-key": label },
  h("dt", {}, label), h("dd", {}, h("span", { class: "value" }, value), detail ? h("small", {}, detail) : null));

function lag(m) {
  const r = m.replication;
  if (!r || m.phase === "teardown") return null;
  if (!m.released) return h("dl", { class: "figures", "data-key": "lag" }, figure("Captured", r.backlog_rows > 0 ? count(r.backlog_rows, "row") : "none", "changed rows that wait until it replicates"));
  const known = isNumber(r.lag_msec);
  const proven = m.verify && isNumber(m.verify.percent) ? figure("Proven equal", `${m.verify.percent} %`,
    m.verify.oldest_proof ? `oldest proof ${moment(m.verify.oldest_proof)}` : "", m.verify.trouble ? "bad" : "") : null;
  return h("dl", { class: "figures", "data-key": "lag" },
    figure("Lag", known ? (r.lag_msec === 0 ? "none" : span(r.lag_msec)) : "not known", known ? trend(r) || (r.lag_msec === 0 ? "every change that is known is applied" : "age of the oldest change that is not applied") : m.why || r.health, r.trend === "grows" ? "bad" : ""),
    figure("Rows that wait", isNumber(r.backlog_rows) ? number(r.backlog_rows) + (r.backlog_rows >= 1000000 ? "+" : "") : "not known", "changed on the live side, not applied yet"), proven,
    figure("Syncs", String(r.syncs), r.health),
    r.requeued_rows > 0 || r.conflicts > 0 ? figure("Kept right", number(r.requeued_rows), `rows sent again, ${count(r.conflicts, "conflict")}`) : null);
}

// ---- tables that the destination does not get ----

const KINDS = { keyless: "without a key", "left-out": "left out", paused: "paused", twice: "changed twice", excluded: "excluded by machine.yaml", "large-objects": "large objects" };
const side = (entry, name) => (isNumber(entry[name]) ? (entry[`${name}_about`] ? "about " : "") + number(entry[name]) : "?");

function apart(m) {
  const list = m.not_in_step;
  if (!list || !list.length) return m.status === "live" && list ? h("p", { class: "well" }, "All tables are in step.") : null;
  const rows = list.map(e => ({ key: `${e.kind} ${e.name}`,
    cells: [e.name, h("span", {}, isApart(e) ? pill("NOT in step", e.kind === "paused" || e.kind === "twice" ? "bad" : "busy") : "", " ", KINDS[e.kind] || e.kind), side(e, "source"), side(e, "destination"),
      isNumber(e.age_msec) ? `${span(e.age_msec)} ago` : "never"],
    notes: [["why", e.why], ["what to do", e.hint]].filter(([, text]) => text) }));
  const total = m.reconcile && m.reconcile.not_in_step_count;
  return [table("What the destination does not get", [{ name: "Table" }, { name: "Kind" }, { name: "Rows on the source", number: true },
    { name: "on the destination", number: true }, { name: "Counted" }], rows), total > list.length ? h("p", { class: "dim" }, `${number(total - list.length)} more are not shown.`) : null];
}

function largest(m) {
  const list = (m.reconcile && m.reconcile.largest) || [], ill = new Map();
  if (!list.length) return null;
  for (const d of (m.verify && m.verify.differences) || []) ill.set(d.table, "different");
  for (const p of m.reconcile.paused || []) ill.set(p.table, "paused");
  const room = value => (isNumber(value) ? size(value) : "?");
  const rows = list.map(t => ({ key: t.table, cells: [t.table, ill.has(t.table) ? pill(ill.get(t.table)) : "", isNumber(t.rows) ? `about ${number(t.rows)}` : "?", room(t.source_bytes), room(t.destination_bytes), room(t.changes_bytes)] }));
  return h("details", { class: "more", "data-key": "largest" }, h("summary", {}, list.length < m.reconcile.tables ? `The ${number(list.length)} largest of ${count(m.reconcile.tables, "table")}` : `All ${count(list.length, "captured table")}`),
    table("Room of tables", [{ name: "Table" }, { name: "State" }, { name: "Rows", number: true }, { name: "On the source", number: true }, { name: "on the destination", number: true }, { name: "Kept changes", number: true }], rows));
}

function findings(m) {
  if (!m.findings.length) return null;
  const rows = m.findings.map((f, i) => ({ key: `${f.object} ${i}`, cells: [f.object, pill(f.severity)], notes: [["why", f.why], ["what to do", f.hint]].filter(([, text]) => text) }));
  return h("details", { class: "more", "data-key": "findings" }, h("summary", {}, `${count(m.findings.length, "finding")} of the last preflight`), table("Findings", [{ name: "Object" }, { name: "Severity" }], rows));
}

function next(m) {
  const lines = [];
  if (m.why && m.status !== "live") lines.push(h("p", {}, h("b", {}, "Why: "), m.why));
  if (m.hint) lines.push(h("p", { class: "do" }, h("b", {}, "What to do: "), hint(m.hint)));
  if (isNumber(m.retry_in_msec)) lines.push(h("p", { class: "dim" }, `Next try in ${span(m.retry_in_msec)}; ${count(m.attempt, "failed try", "failed tries")} so far (${m.class}).`));
  return lines;
}

/** One article for each; `more` are views of other files, called with (state, migration). */
export const migrations = more => state => state.status.migrations.map(m => h("section", { class: "migration", "data-key": `m ${m.name}`, id: `m-${encodeURIComponent(m.name)}`, "aria-label": `Migration ${m.name}` },
  h("h2", {}, h("span", { class: "name" }, m.name), " ", pill(m.status), h("small", {}, `${sentence(m)} · for ${span(m.age_msec)}`)),
  rail(state, m), next(m), lag(m), progress(state, m), more.map(view => view(state, m)), apart(m), largest(m), findings(m)));
