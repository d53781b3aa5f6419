// The way to the API: where it lies, JSON both ways, and what went wrong as an error with the HTTP status.

const TIMEOUT_MS = 10_000;

// Where the page was opened, `/` or `/t/TOKEN/`: what is asked for lies there too. `/?hdnts=TOKEN` means the latter.
const token = new URLSearchParams(location.search).get("hdnts");
const base = token ? `/t/${encodeURIComponent(token)}/` : new URL(".", location.href).pathname;

/** A path of the origin as this page may ask for it. */
export const at = (path) => base + path.slice(1);

/** Paths by name, as this page may ask for them. */
export function allAt(paths) {
  return Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, at(path)]));
}

/** A track as the origin lists it, with its URLs as this page may ask for them. */
export function reachable(track) {
  return { ...track, playlists: allAt(track.playlists), art: at(track.art), art_sizes: allAt(track.art_sizes) };
}

/**
 * Asks the API; gives the JSON of the answer, null where there is none. Throws an Error with `status` for any answer
 * that is not a success, and what `fetch` throws where there is no answer. `key` goes in a header and nowhere else.
 */
export async function ask(path, { method = "GET", body, key, signal, keepalive = false, cache = "default" } = {}) {
  const headers = {};
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(at(path), {
    method, headers, keepalive, cache,
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
  });
  if (!response.ok) throw Object.assign(new Error(`${path} answered ${response.status}`), { status: response.status });
  return response.status === 204 ? null : response.json();
}

/** What the API answers, or null where it has no such part, or nothing to say, or is out of reach. */
export async function askOrNull(path, options) {
  try {
    return await ask(path, options);
  } catch {
    return null;
  }
}
