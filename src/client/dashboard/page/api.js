// Questions to /api. The token lives in this tab alone, and goes out in the header Authorization alone.

const KEY = "bucardo-machine-token";
const LIMIT_MSEC = 6000;

/** What was answered instead of a page. `status` 0: nothing was. */
export class Refusal extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export const token = {
  get: () => sessionStorage.getItem(KEY),
  set: text => sessionStorage.setItem(KEY, text),
  drop: () => sessionStorage.removeItem(KEY),
};

async function reason(response) {
  const text = await response.text().catch(() => "");
  try {
    return JSON.parse(text).error || text;
  } catch {
    return text.trim() || `HTTP ${response.status}`;
  }
}

/** The JSON of a path; throws a Refusal. */
export async function get(path) {
  const known = token.get();
  let response;
  try {
    response = await fetch(path, {
      cache: "no-store", credentials: "omit", redirect: "error", signal: AbortSignal.timeout(LIMIT_MSEC),
      headers: known ? { Authorization: `Bearer ${known}` } : {},
    });
    if (response.ok) return await response.json();
  } catch (error) {
    throw new Refusal(0, error.name === "TimeoutError" ? `nothing came within ${LIMIT_MSEC / 1000} s`
      : "no connection: has the pod restarted, or has `kubectl port-forward` ended?");
  }
  throw new Refusal(response.status, await reason(response));
}
