// What happened, the newest first.

import { h } from "./dom.js";
import { pill } from "./parts.js";
import { count, moment } from "./words.js";

const SHOWN = 200;

export function events({ events: all, onlyTrouble, eventsError }) {
  const chosen = all.filter(e => !onlyTrouble || e.level !== "info").slice(-SHOWN).reverse();
  return h("section", { class: "events", "aria-labelledby": "events", "data-key": "events" },
    h("h2", { id: "events" }, "Events"),
    h("label", { class: "choice" }, h("input", { type: "checkbox", id: "only-trouble", "data-action": "only-trouble", "data-keep": "" }), " only warnings and errors"),
    eventsError ? h("p", { class: "dim" }, `The events cannot be had now: ${eventsError}`) : null,
    h("ol", { class: "list", tabindex: 0, "aria-label": `${count(chosen.length, "event")}, the newest first` }, chosen.map(e => h("li", { "data-key": `e${e.id}`, class: e.level },
      h("time", { datetime: e.at }, moment(e.at)), e.level === "info" ? null : pill(e.level), h("b", {}, e.subject), h("span", {}, e.text)))));
}
