// What the doctor found: cause, evidence, what the machine did, and the statement for a person.

import { h } from "./dom.js";
import { hint, pill } from "./parts.js";

const words = row => (row !== null && typeof row === "object" ? Object.entries(row).map(([key, value]) => `${key}: ${value !== null && typeof value === "object" ? JSON.stringify(value) : value}`).join(", ") : String(row));
const list = value => (value === null || value === undefined || value === "" ? [] : Array.isArray(value) ? value : [value]);

function finding(f, i) {
  const rows = list(f.evidence);
  return h("li", { class: `trouble ${f.severity === "stops" ? "bad" : ""}`, "data-key": `${f.rule} ${f.side} ${i}` },
    h("h4", {}, pill(f.severity), " ", f.rule.replaceAll("_", " "), f.side ? `, ${f.side}` : "", f.object ? `: ${f.object}` : ""), h("p", {}, f.cause),
    f.did ? h("p", {}, h("b", {}, "The machine did: "), f.did) : null,
    f.hint ? h("p", { class: "do" }, h("b", {}, "What to do: "), hint(f.hint)) : null,
    rows.length ? h("details", { class: "more", "data-key": "evidence" }, h("summary", {}, "Evidence"), h("ul", { class: "evidence" }, rows.map(row => h("li", {}, words(row))))) : null);
}

export function doctor(state, m) {
  if (!Array.isArray(m.doctor)) return null;
  return h("div", { class: "doctor", "data-key": "doctor" }, h("h3", {}, "The doctor's findings"),
    m.doctor.length ? h("ul", { class: "troubles" }, m.doctor.map(finding)) : h("p", { class: "well" }, "Nothing was found."));
}
