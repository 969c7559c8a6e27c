// Numbers, sizes and spans of time as `bucardo-machine status` writes them.

const two = (a, unit, b, small) => (b > 0 ? `${a} ${unit} ${b} ${small}` : `${a} ${unit}`);

export const isNumber = value => typeof value === "number" && Number.isFinite(value);

/** "3 min 4 s" */
export function span(msec) {
  if (!isNumber(msec)) return "?";
  const s = Math.floor(msec / 1000);
  if (msec > 0 && msec < 1000) return "under 1 s";
  if (s < 60) return `${Math.max(s, 0)} s`;
  if (s < 3600) return two(Math.floor(s / 60), "min", s % 60, "s");
  if (s < 86400) return two(Math.floor(s / 3600), "h", Math.floor(s / 60) % 60, "min");
  return two(Math.floor(s / 86400), "d", Math.floor(s / 3600) % 24, "h");
}

/** Time left: never 0 s. */
export const left = msec => span(Math.max(Math.ceil(msec / 1000), 1) * 1000);

/** "1,234" */
export const number = value => (isNumber(value) ? Math.trunc(value).toLocaleString("en-US") : "?");

/** "1 row", "2 rows" */
export const count = (value, one, several = `${one}s`) => `${number(value)} ${value === 1 ? one : several}`;

/** "1.2 GB" */
export function size(bytes) {
  if (!isNumber(bytes)) return "?";
  if (bytes < 1024) return count(bytes, "byte");
  const units = ["kB", "MB", "GB", "TB", "PB"];
  let value = bytes / 1024, i = 0;
  for (; value >= 1023.95 && i < units.length - 1; i++) value /= 1024;
  return `${value.toFixed(1)} ${units[i]}`;
}

/** A number of the unit of `progress`. */
export const amount = (value, unit) => (unit === "bytes" ? size(value) : count(value, unit.replace(/s$/, ""), unit));

/** "2026-11-28 21:40:11 UTC" */
export const moment = iso => (typeof iso === "string" && iso.length > 19 ? `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC` : "");

/** "21:40:11" of a Date or of an ISO time, UTC. */
export const clock = at => (at instanceof Date ? at.toISOString() : at || "").slice(11, 19);

/** Milliseconds since the epoch; NaN when it is no time. */
export const time = iso => Date.parse(iso);
