// What is proven of the rows: a cell for each table, those that are not equal by name.

import { token } from "./api.js";
import { h } from "./dom.js";
import { hint, table } from "./parts.js";
import { count, isNumber, moment, number, span } from "./words.js";

const MOST_CELLS = 600;
const STATES = [["different", "✕", "different"], ["unproven", "?", "unproven"], ["in_flight", "~", "in flight"], ["waiting", "", "not compared yet"], ["equal", "", "equal"]];

/** Cells of [state, sign, title]; more than fit stand for several each, and no state that there is goes without one. */
function cells(kinds) {
  const total = kinds.reduce((sum, kind) => sum + kind.count, 0), each = Math.max(1, Math.ceil(total / MOST_CELLS));
  return kinds.flatMap(({ state, sign, count: how, names }) => Array.from({ length: Math.ceil(how / each) }, (_, i) =>
    h("span", { class: `cell ${state}`, title: (each === 1 && names && names[i]) || state.replace("_", " ") }, sign)));
}

export function heat(label, kinds) {
  const shown = kinds.filter(kind => kind.count > 0);
  const text = shown.map(kind => `${number(kind.count)} ${kind.word}`).join(", ");
  return h("div", { class: "heat" }, h("div", { class: "cells", role: "img", "aria-label": `${label}: ${text || "none"}` }, cells(shown)),
    h("ul", { class: "key", "aria-label": "What the cells mean" }, shown.map(kind => h("li", {}, h("span", { class: `cell ${kind.state}`, "aria-hidden": "true" }, kind.sign), ` ${number(kind.count)} ${kind.word}`))));
}

/** While it copies: a cell for each chunk. */
export function chunks(m) {
  const p = m.progress;
  if (m.phase !== "copy" || !p || !(p.pieces_total > 0)) return null;
  const now = Math.min((p.in_flight || []).length, p.pieces_total - p.pieces_done);
  return heat("Chunks", [{ state: "equal", sign: "", word: "chunks are copied", count: p.pieces_done }, { state: "in_flight", sign: "~", word: "under way", count: now },
    { state: "waiting", sign: "", word: "wait", count: p.pieces_total - p.pieces_done - now }]);
}

/** The same by ranges of keys, which are read one by one: where the next pass has work. */
function ranges(v) {
  if (!(v.ranges > 0)) return null;
  const changed = Math.min(v.ranges_changed || 0, v.ranges), proven = Math.min(v.ranges_proven, v.ranges - changed);
  return heat("Ranges of keys", [{ state: "equal", sign: "", word: "ranges of keys are proven", count: proven }, { state: "in_flight", sign: "~", word: "changed since, the next pass reads them", count: changed },
    { state: "waiting", sign: "", word: "not proven", count: v.ranges - proven - changed }]);
}

function differences(v) {
  if (!v.differences.length) return null;
  const rows = v.differences.map(d => ({ key: d.table, cells: [d.table, number(d.missing || 0), number(d.extra || 0), number(d.changed || 0), moment(d.since)],
    notes: [["why", d.why], ["rows", (d.rows || []).map(r => `${r.kind} ${r.key}${r.columns ? ` (${r.columns})` : ""}`).join("; ")], ["note", d.replicated === false ? "nothing keeps it equal: it is not replicated" : ""]].filter(([, text]) => text) }));
  return table("Rows that differ", [{ name: "Table" }, { name: "Missing", number: true }, { name: "Extra", number: true }, { name: "Changed", number: true }, { name: "Since" }], rows);
}

export function proof(state, m) {
  const v = m.verify;
  if (!v || !isNumber(v.tables)) return null;
  const names = { different: (v.differences || []).map(d => d.table), unproven: (v.not_proven || []).map(d => d.table) };
  const kinds = STATES.map(([key, sign, word]) => ({ state: key, sign, word, count: v[key] || 0, names: names[key] }));
  return h("div", { class: "proof", "data-key": "proof" }, h("h3", {}, "Proof: are the rows equal?"),
    h("p", {}, isNumber(v.percent) ? `${v.percent} % of the bytes are proven equal, ${v.equal === v.tables ? `all ${count(v.tables, "table")}` : `${number(v.equal)} of ${count(v.tables, "table")}`}` : "Nothing is compared yet",
      v.oldest_proof ? `; the oldest proof is ${span(Math.max(state.now - Date.parse(v.oldest_proof), 0))} old` : "", "."),
    v.why ? h("p", { class: "dim" }, `Not compared now: ${v.why}`) : null,
    heat("Tables", kinds), ranges(v), differences(v),
    v.percent > 0 && !token.get() ? h("p", {}, h("a", { href: `/report/${encodeURIComponent(m.name)}` }, `The proof of ${m.name} as a page, to print or keep`)) : null,
    v.hint ? h("p", { class: "do" }, h("b", {}, "What to do: "), hint(v.hint)) : null,
    (v.not_proven || []).length ? table("Could not be compared", [{ name: "Table" }, { name: "Why" }], v.not_proven.map(d => ({ key: d.table, cells: [d.table, d.why] }))) : null);
}
