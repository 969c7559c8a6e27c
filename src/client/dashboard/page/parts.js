// Small pieces that several views use.

import { h } from "./dom.js";
import { span } from "./words.js";

// What a word of the status means at a glance; as the tints of `status` in a terminal.
const TONES = {
  good: ["ready", "live", "done", "yes", "idle", "equal"],
  work: ["running", "starting", "begun", "catching-up"],
  busy: ["waiting", "accepted", "unknown", "stopping", "in_flight", "unproven", "warn", "degrades", "paused",
    "stopped", "backoff", "halted", "holding", "not_ready"],
  bad: ["degraded", "failed", "no", "blocked", "unreachable", "failing", "stalled", "different", "error", "stops", "rejected"],
};
const SIGNS = { good: "✓", work: "▸", busy: "!", bad: "✕", plain: "·" };

export const toneOf = word => Object.keys(TONES).find(tone => TONES[tone].includes(word)) || "plain";

/** A word with its colour, and a sign for who sees no colours. */
export function pill(word, tone = toneOf(word)) {
  return h("span", { class: `pill ${tone}` }, h("span", { "aria-hidden": "true" }, SIGNS[tone]), word.replace("_", " "));
}

/** A bar from 0 to 100. */
export function bar(percent, label) {
  return h("div", { class: "bar", role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": percent },
    h("span", { style: { width: `${percent}%` } }));
}

const STATEMENT = /\b(ALTER|CREATE|DROP|GRANT|REVOKE|SELECT|VACUUM|UPDATE|DELETE|INSERT|REINDEX|REFRESH|ANALYZE) [A-Za-z"*(].*$/s;

function code(text) {
  return h("span", { class: "code" }, h("code", {}, text),
    h("button", { type: "button", class: "copy", "data-action": "copy", "data-text": text, "aria-label": `Copy: ${text.slice(0, 60)}` }, "Copy"));
}

/** A hint: commands in `backticks`, and a statement at its end, can be copied. */
export function hint(text) {
  const parts = String(text).split("`");
  if (parts.length > 2) return parts.map((part, i) => (i % 2 && part ? code(part) : part));
  // "..." is for a person to fill in.
  const found = text.includes("...") ? null : STATEMENT.exec(text);
  return found ? [text.slice(0, found.index), code(found[0])] : [text];
}

/** A table; rows are {key, cells, notes}: a note is [label, text] below its row. */
export function table(caption, columns, rows) {
  const heads = columns.map(column => h("th", { scope: "col", class: column.number ? "n" : null }, column.name));
  const body = rows.map(row => [
    h("tr", { "data-key": row.key, class: row.notes && row.notes.length ? "noted" : null },
      row.cells.map((cell, i) => h(i ? "td" : "th", { scope: i ? null : "row", class: columns[i].number ? "n" : null, "data-name": columns[i].name }, cell))),
    (row.notes || []).map(([label, text], i) => h("tr", { "data-key": `${row.key} ${i}`, class: "note" },
      h("td", { colspan: columns.length }, h("b", {}, `${label}: `), hint(text)))),
  ]);
  return h("div", { class: "scroll", "data-key": caption, tabindex: 0, role: "region", "aria-label": caption }, h("table", {}, h("caption", {}, caption), h("thead", {}, h("tr", {}, heads)), h("tbody", {}, body)));
}

export const age = (object, member = "age_msec") => span(object[member]);
