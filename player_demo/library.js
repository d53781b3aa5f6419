// The list of live tracks, asked for again and again: tracks appear while an album is still being published.

import { ask, reachable } from "./api.js";

const POLL_MS = 3000;
const PAGE = 100;
const TRACKS_MAX = 2000;

async function page(offset) {
  try {
    return await ask(`/api/v1/tracks?offset=${offset}&limit=${PAGE}`, { cache: "no-cache" });
  } catch (error) {
    throw Object.assign(error, { refused: error.status === 403 });
  }
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
