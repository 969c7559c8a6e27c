// Whether the sides could change places: what the last attempt found, and what can be seen now.

import { h } from "./dom.js";
import { isApart } from "./headline.js";
import { hint } from "./parts.js";
import { count, isNumber, moment, number, span } from "./words.js";

const TONE = { ready: "good", accepted: "busy", not_ready: "bad", unknown: "busy" };
const SIGN = { good: "✓", busy: "!", bad: "✕" };

function light({ name, state, value, limit, why, hint: advice }) {
  const tone = TONE[state] || "busy";
  return h("li", { class: `light ${tone}`, "data-key": name }, h("span", { class: "lamp", "aria-hidden": "true" }, SIGN[tone]),
    h("b", {}, name), h("span", {}, `${state.replace("_", " ")}${value ? `: ${value}` : ""}`, limit ? h("small", {}, ` (limit ${limit})`) : null),
    why ? h("p", {}, why) : null, advice ? h("p", { class: "do" }, h("b", {}, "What to do: "), hint(advice)) : null);
}

/** What the status says by itself. It is less than an attempt asks. */
function signs(m) {
  const r = m.replication || {}, v = m.verify || {}, apart = (m.not_in_step || []).filter(isApart).length;
  const is = good => (good ? "ready" : "not_ready");
  const rate = r.lag_msec === null || r.lag_msec === undefined ? "unknown" : is(r.lag_msec < 10000);
  return [
    { name: "replicates", state: is(m.status === "live"), value: m.status },
    { name: "lag", state: rate, value: isNumber(r.lag_msec) ? (r.lag_msec === 0 ? "none" : span(r.lag_msec)) : "not known" },
    { name: "in step", state: m.not_in_step ? is(apart === 0) : "unknown", value: m.not_in_step ? (apart ? `${count(apart, "table")} NOT in step` : "all that is replicated") : "not counted yet" },
    { name: "proof", state: !isNumber(v.percent) ? "unknown" : is(v.percent === 100 && !v.different), value: isNumber(v.percent) ? `${v.percent} %${v.different ? `, ${count(v.different, "table")} different` : ""}` : "nothing is compared yet" },
  ];
}

function attempt(state, c) {
  const at = c.ended_at || c.asked_at, what = c.mode === "rehearse" ? "rehearsal" : c.direction;
  const list = (c.result && c.result.conditions) || [];
  return [h("p", {}, c.under_way ? `A ${what} is under way, asked for by ${c.by} at ${moment(c.asked_at)}.` : `The last ${what} (number ${c.number}) was ${span(Math.max(state.now - Date.parse(at), 0))} ago, at ${moment(at)}: `,
    c.under_way ? null : h("b", {}, c.result ? String(c.result.result).replace("_", " ") : c.state), c.result && isNumber(c.result.freeze_msec) ? `; writers ${c.mode === "rehearse" ? "would have " : ""}waited ${number(c.result.freeze_msec)} ms` : ""),
  c.error ? h("p", { class: "do" }, c.error) : null, c.hint ? h("p", { class: "do" }, h("b", {}, "What to do: "), hint(c.hint)) : null,
  list.length ? [h("h4", {}, "What it found then"), h("ul", { class: "lights" }, list.map(light))] : null];
}

export function ready(state, m) {
  if (!m.released || m.phase === "teardown") return null;
  const back = m.reconcile && m.reconcile.live && m.reconcile.live.side === "destination";
  return h("div", { class: "ready", "data-key": "ready" }, h("h3", {}, back ? "Ready to go back?" : "Ready for the cut-over?"),
    h("h4", {}, "What can be seen now"), h("ul", { class: "lights" }, signs(m).map(light)),
    h("p", { class: "dim" }, hint(`All conditions, without a lock: \`bucardo-machine ${back ? "failback" : "cutover"} ${m.name} --check\``)),
    m.cutover ? attempt(state, m.cutover) : h("p", { class: "dim" }, "Nobody has tried or rehearsed it yet."));
}
