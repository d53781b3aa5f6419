// The list of live tracks, asked for again and again: tracks appear while an album is still being published.

const POLL_MS = 3000;
const PAGE = 100;
const TRACKS_MAX = 2000;

// Where the page was opened, `/` or `/t/TOKEN/`: what is asked for lies there too. `/?hdnts=TOKEN` means the latter.
const token = new URLSearchParams(location.search).get("hdnts");
const base = token ? `/t/${encodeURIComponent(token)}/` : new URL(".", location.href).pathname;

const at = (path) => base + path.slice(1);

/** A track as the origin lists it, with its URLs as this page may ask for them. */
function reachable(track) {
  const all = (urls) => Object.fromEntries(Object.entries(urls).map(([name, path]) => [name, at(path)]));
  return { ...track, playlists: all(track.playlists), art: at(track.art), art_sizes: all(track.art_sizes) };
}

async function page(offset) {
  const response = await fetch(`${at("/api/v1/tracks")}?offset=${offset}&limit=${PAGE}`, {
    cache: "no-cache",
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) {
    throw Object.assign(new Error(`the track list answered ${response.status}`), { refused: response.status === 403 });
  }
  return response.json();
}

async function allTracks() {
  const tracks = [];
  for (;;) {
    const { tracks: some, total } = await page(tracks.length);
    tracks.push(...some.map(reachable));
    if (some.length === 0 || tracks.length >= Math.min(total, TRACKS_MAX)) return tracks;
  }
}

/**
 * Calls `onTracks(tracks)` with the first list and whenever it changed, `onTrouble(error)` when the origin does not
 * answer (and goes on asking). Rests while the page is hidden.
 */
export function followLibrary(onTracks, onTrouble) {
  let seen = null;
  async function poll() {
    try {
      const tracks = await allTracks();
      const now = JSON.stringify(tracks);
      if (now !== seen) onTracks(tracks);
      else onTrouble(null);
      seen = now;
    } catch (error) {
      onTrouble(error);
    }
    setTimeout(resume, POLL_MS);
  }
  function resume() {
    if (!document.hidden) poll();
    else document.addEventListener("visibilitychange", resume, { once: true });
  }
  poll();
}
