// The page: it asks every two seconds, and shows what it was told and how old that is.

import { get, token } from "./api.js";
import { alignChildren, h } from "./dom.js";
import { askHistory, charts, drawCharts, sample } from "./charts.js";
import { doctor } from "./doctor.js";
import { events } from "./events.js";
import { headline, inShort } from "./headline.js";
import { machine } from "./machine.js";
import { migrations } from "./migration.js";
import { proof } from "./proof.js";
import { ready } from "./ready.js";
import { clock, span, time } from "./words.js";

const EVERY_MSEC = 2000, HIDDEN_MSEC = 15000, STALE_MSEC = 8000, EVENTS_KEPT = 1000;

// What stands on the page, from top to bottom: each makes elements of the state.
const VIEWS = [headline, migrations([doctor, charts, proof, ready]), machine, events];

const state = { status: null, at: 0, failedSince: 0, error: null, events: [], last: 0, onlyTrouble: false, history: {}, samples: {}, range: 3600, now: Date.now() };
const $ = id => document.getElementById(id);

// ---- asking ----

async function askEvents() {
  try {
    for (let turn = 0; turn < 20; turn++) {
      const page = await get(`/api/v1/events?after=${state.last}`);
      state.events = [...state.events, ...page.events].slice(-EVENTS_KEPT);
      state.last = page.last;
      if (!page.more) break;
    }
    state.eventsError = null;
  } catch (error) {
    state.eventsError = error.message;
  }
}

function take(status) {
  // Another daemon: what it calls its events may begin anew.
  if (state.status && state.status.started_at !== status.started_at) Object.assign(state, { events: [], last: 0 });
  Object.assign(state, { status, at: Date.now(), now: time(status.time), error: null, failedSince: 0 });
  sample(state);
}

async function ask() {
  try {
    take(await get("/api/v1/status"));
    await askEvents();
    await askHistory(state);
  } catch (error) {
    state.error = error;
    state.failedSince = state.failedSince || Date.now();
  }
  show();
}

let timer = 0, asking = false;
async function loop() {
  clearTimeout(timer);
  if (asking) return;
  asking = true;
  await ask();
  asking = false;
  timer = setTimeout(loop, document.hidden ? HIDDEN_MSEC : EVERY_MSEC);
}

// ---- showing ----

function showFresh() {
  const old = Date.now() - state.at, silent = state.error !== null || (state.at > 0 && old > (document.hidden ? HIDDEN_MSEC : 0) + STALE_MSEC);
  const asksToken = state.error !== null && state.error.status === 401;
  document.body.classList.toggle("stale", silent && state.status !== null);
  $("fresh").textContent = state.at === 0 ? (state.error ? "no answer yet" : "asking the machine …") : silent ? `${span(old)} old` : `as of ${clock(state.status.time)} UTC`;
  $("token").hidden = !asksToken;
  alignChildren($("banner"), silent && !asksToken ? [banner(old)] : []);
  return silent;
}

function banner(old) {
  const why = state.error ? state.error.message : "the answer is late";
  return h("p", {}, h("strong", {}, state.at ? `No answer since ${clock(new Date(state.at))} UTC, ${span(old)} ago. ` : "No answer from the machine yet. "),
    state.error && state.error.status === 503 ? "The daemon does not answer: " : "", why, state.at ? ". What stands below is from then; it may be otherwise now." : "");
}

function show() {
  const silent = showFresh();
  if (state.status === null) return;
  alignChildren($("main"), VIEWS.flatMap(view => view(state)));
  drawCharts(state);
  const short = inShort(state.status);
  document.title = silent ? "no answer - bucardo machine" : `${short} - bucardo machine`;
  const heard = silent ? "No answer from the machine." : `The machine is ${short}`;
  if (heard.replace(/\d+/g, "") !== $("said").textContent.replace(/\d+/g, "")) $("said").textContent = heard;
}

// ---- what a person does ----

async function copy(button) {
  const before = "Copy";
  try {
    await navigator.clipboard.writeText(button.dataset.text);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(button.previousElementSibling);
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = before; }, 1500);
}

const THEMES = ["system", "light", "dark"];
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme").textContent = `Theme: ${theme}`;
  localStorage.setItem("bucardo-machine-theme", theme);
  if (state.status) drawCharts(state);
}

document.addEventListener("click", event => {
  const button = event.target.closest("[data-action=copy]");
  if (button) copy(button);
  const range = event.target.closest("[data-action=range]");
  if (range) { state.range = Number(range.dataset.range); show(); askHistory(state).then(show); }
});
document.addEventListener("change", event => {
  if (event.target.dataset.action === "only-trouble") { state.onlyTrouble = event.target.checked; show(); }
});
$("theme").addEventListener("click", () => setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]));
$("token").addEventListener("submit", async event => {
  event.preventDefault();
  token.set($("token-text").value.trim());
  $("token-text").value = "";
  await ask();
  const refused = state.error !== null && state.error.status === 401;
  $("token-error").textContent = refused ? "The machine refused this token." : "";
  if (refused) token.drop();
  else $("main").focus();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) loop(); });
setTheme(localStorage.getItem("bucardo-machine-theme") || "system");
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (state.status) drawCharts(state); });
setInterval(showFresh, 1000);
loop();
