// How it stands, what is wrong, and what to do: the words of `bucardo-machine status`.

import { h } from "./dom.js";
import { hint, pill, toneOf } from "./parts.js";
import { count, left, span, isNumber } from "./words.js";

const RANK = { bad: 0, busy: 1 };

/** Rows that the destination does not get, and may be apart: as `NOT in step` of `status`. */
export const isApart = entry => ["paused", "twice"].includes(entry.kind)
  || (entry.kind !== "excluded" && !(isNumber(entry.source) && entry.source === entry.destination));

/** What waits, in a few words. */
export const waiting = rows => (!isNumber(rows) ? "what waits is not known"
  : rows === 0 ? "nothing waits" : count(rows, "row waits", rows >= 1000000 ? "rows or more wait" : "rows wait"));

function ofMigration(m) {
  const found = [], name = m.name, add = (tone, what, why, advice) => why && found.push({ tone, what: `${name}: ${what}`, why, hint: advice });
  const stopped = m.reconcile && m.reconcile.stopped;
  if (m.status !== "live") add(m.status === "failed" ? "bad" : "busy", `${m.phase || ""} ${m.status}`.trim() + (m.status === "running" ? ", the last try failed" : ""), m.why, m.hint);
  if (stopped) add("bad", "stopped", stopped.why, stopped.hint);
  if (m.verify && m.verify.trouble) add("bad", "rows differ", m.verify.trouble, m.verify.hint);
  for (const entry of (m.not_in_step || []).filter(isApart)) {
    add(entry.kind === "paused" || entry.kind === "twice" ? "bad" : "busy", `${entry.name} is NOT in step`, entry.why || entry.kind, entry.hint);
  }
  if (m.phase === "preflight") {
    for (const f of m.findings.filter(f => f.severity === "stops")) add("bad", `preflight stops at ${f.object}`, f.why, f.hint);
  }
  // The doctor says how much it is, and mostly of what is told already: by its statement.
  for (const f of (Array.isArray(m.doctor) ? m.doctor : []).filter(f => ["stops", "degrades"].includes(f.severity))) {
    add(f.severity === "stops" ? "bad" : "busy", f.rule.replaceAll("_", " "), f.cause, f.hint);
  }
  if (m.cutover && m.cutover.error && !m.cutover.under_way) add("busy", `${m.cutover.direction} was not done`, m.cutover.error, m.cutover.hint);
  return found;
}

/** Everything that a person has to know, the worst first: {tone, what, why, hint}. */
export function troubles(status) {
  const found = [];
  const add = (tone, what, why, advice) => why && found.push({ tone, what, why, hint: advice });
  if (status.why) add(toneOf(status.state) === "good" ? "busy" : "bad", "The machine", status.why, status.advice);
  for (const line of status.config.errors || []) if (!status.why.includes(line)) add("bad", "machine.yaml", line);
  for (const line of status.pgpass.warnings || []) add("busy", "pgpass", line);
  if (status.host && status.host.text) add("busy", "The host", status.host.text);
  found.push(...status.migrations.flatMap(ofMigration));
  for (const s of status.syncs) if (toneOf(s.health) === "bad") add("bad", `Sync ${s.name} is ${s.health}`, s.why || s.bad_text || s.health, s.advice);
  for (const r of status.receivers ?? []) if (r.failures) add("busy", `${r.name} is not told of changes of state`, r.why, `bucardo-machine notify test ${r.name}`);
  for (const d of status.databases) if (d.reach === "no") add("bad", `Database ${d.name} is out of reach`, d.error || "no answer");
  // The same sentence is told once: the machine's own is often that of a part.
  const told = new Set(), statements = found.map(t => t.hint || "");
  return found.filter((t, i) => !told.has(t.why) && told.add(t.why)
    && !(t.hint && statements.some((other, j) => j !== i && other.includes(t.hint) && (other !== t.hint || j < i))))
    .filter(t => !(t.what === "The machine" && found.some(o => o !== t && t.why.includes(o.why)))).sort((a, b) => RANK[a.tone] - RANK[b.tone]);
}

/** "copying, 45 %, done in 3 min" */
export function sentence(m) {
  const p = m.progress || {}, r = m.replication || {};
  if (m.status === "live") return `is live, ${waiting(r.backlog_rows)}${r.lag_msec > 0 ? `, ${span(r.lag_msec)} behind` : ""}`;
  if (m.status === "halted") return r.health === "unreachable" ? "is halted: a database is out of reach" : "is halted: Bucardo does not run";
  if (m.status === "starting") return "starts to replicate";
  if (m.phase === "teardown" && m.status === "done") return "is torn down";
  const far = isNumber(p.percent) && m.status === "running" ? `, ${p.percent} %${isNumber(p.eta_msec) ? `, done in ${left(p.eta_msec)}` : ""}` : "";
  return `${m.phase || ""} ${m.status}${far}`.trim();
}

function trouble(t, i) {
  return h("li", { class: `trouble ${t.tone}`, "data-key": `${t.what} ${i}` },
    h("h3", {}, pill(t.tone === "bad" ? "wrong" : "look", t.tone), " ", t.what), h("p", {}, t.why),
    t.hint ? h("p", { class: "do" }, h("b", {}, "What to do: "), hint(t.hint)) : null);
}

/** One sentence for the title, and for who hears the page. */
export function inShort(status) {
  const wrong = troubles(status).filter(t => t.tone === "bad").length;
  return `${status.state}${wrong ? `, ${count(wrong, "thing is", "things are")} wrong` : ""}${status.migrations.map(m => `; ${m.name} ${sentence(m)}`).join("")}`;
}

export function headline(state) {
  const { status } = state, list = troubles(status), wrong = list.filter(t => t.tone === "bad").length;
  const tone = wrong || toneOf(status.state) === "bad" ? "bad" : toneOf(status.state) === "busy" || list.length ? "busy" : "good";
  return h("section", { class: `headline ${tone}`, "aria-labelledby": "stands", "data-key": "headline" },
    h("h2", { id: "stands" }, "The machine has been ", h("strong", { class: toneOf(status.state) }, status.state), ` for ${span(status.age_msec)}`,
      wrong ? `, and ${count(wrong, "thing is", "things are")} wrong` : list.length ? `, and there ${list.length === 1 ? "is" : "are"} ${count(list.length, "thing")} to look at` : ""),
    h("ul", { class: "sentences" }, status.migrations.map(m => h("li", { "data-key": m.name }, pill(m.status), " ", h("a", { href: `#m-${encodeURIComponent(m.name)}` }, m.name), ` ${sentence(m)}`))),
    status.migrations.length ? null : h("p", {}, "No migration is declared in machine.yaml."),
    list.length ? h("ul", { class: "troubles", "aria-label": "What is wrong, and what to do" }, list.map(trouble)) : h("p", { class: "well" }, "Nothing needs you."));
}
