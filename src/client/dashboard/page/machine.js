// The machine itself: its syncs, databases and units.

import { h } from "./dom.js";
import { age, pill, table } from "./parts.js";
import { isNumber, moment, number, span } from "./words.js";

const notes = pairs => pairs.filter(([, text]) => text);

function syncs(list) {
  const rows = list.map(s => ({ key: s.name,
    cells: [s.name, pill(s.health), age(s), isNumber(s.backlog_rows) ? number(s.backlog_rows) : "?", isNumber(s.lag_msec) ? span(s.lag_msec) : "?", isNumber(s.good_age_msec) ? `${age(s, "good_age_msec")} ago` : "never"],
    notes: notes([["why", s.why], ["blocker", s.blocker ? `pid ${s.blocker.pid} in database '${s.blocker.database}': ${s.blocker.query}` : ""], ["error", s.health === "failing" ? s.bad_text : ""], ["what to do", s.advice]]) }));
  return table("Syncs", [{ name: "Sync" }, { name: "Health" }, { name: "For" }, { name: "Rows that wait", number: true }, { name: "Lag", number: true }, { name: "Last good run" }], rows);
}

function databases(list) {
  const rows = list.map(d => ({ key: d.name, cells: [d.name, d.part, d.reach === "yes" ? pill("reachable", "good") : pill(d.reach === "no" ? "out of reach" : d.reach, d.reach === "no" ? "bad" : "busy"), age(d)], notes: notes([["error", d.error]]) }));
  return table("Databases", [{ name: "Database" }, { name: "Part" }, { name: "Reach" }, { name: "For" }], rows);
}

function units(list) {
  const rows = list.map(u => ({ key: u.name, cells: [u.name, pill(u.state), u.pid === null ? "" : String(u.pid), age(u), number(u.restarts), u.last_exit],
    notes: notes([["why", u.state === "ready" ? "" : u.why], ["stopped by", u.stopped_by ? `${u.stopped_by}; \`bucardo-machine service start ${u.name}\` takes it back` : ""]]) }));
  return table("Units", [{ name: "Unit" }, { name: "State" }, { name: "Pid", number: true }, { name: "For" }, { name: "Restarts", number: true }, { name: "Last exit" }], rows);
}

function receivers(list) {
  const rows = list.map(r => ({ key: r.name, cells: [r.name, r.kind, r.failures ? pill("not told", "bad") : pill("told", "good"), moment(r.delivered_at) || "never"],
    notes: notes([["why", r.failures ? `${r.why} (failed ${number(r.failures)} in a row, since ${moment(r.failing_since)})` : ""], ["what to do", r.failures ? `correct what it names, then \`bucardo-machine notify test ${r.name}\`` : ""]]) }));
  return table("Who is told", [{ name: "Receiver" }, { name: "Kind" }, { name: "State" }, { name: "Last told" }], rows);
}

export function machine({ status }) {
  return h("section", { class: "machine", "aria-labelledby": "machine", "data-key": "machine" }, h("h2", { id: "machine" }, "The machine"),
    h("div", { class: "tables" }, status.syncs.length ? syncs(status.syncs) : h("p", { class: "dim" }, "No sync is known yet."), databases(status.databases), units(status.units), status.receivers?.length ? receivers(status.receivers) : null),
    h("p", { class: "dim" }, `bucardo-machine ${status.version}, pid ${status.pid}, up ${span(status.uptime_msec)}, volume ${status.volume}, machine.yaml ${status.config.state}`));
}
