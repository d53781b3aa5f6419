// The list of all tracks and its summary.

import { element } from "./elements.js";
import { clock, plural } from "./format.js";
import { moveFocus, trackRow } from "./rows.js";

const by = (id) => document.getElementById(id);

const SILENT = ["Origin out of reach", "The origin does not answer", "Trying again every few seconds."];
const REFUSED = ["Not let in", "A token is needed", "Open the page with one that is good for it: ask who gave you its address."];
const WAITING = ["Waiting for the first track", "Publishing…",
  "Tracks are measured, levelled and encoded now. Each one shows up here the moment it is live."];

export class TrackList {
  #tracks = [];
  #seen = new Set();
  #trouble = null;
  #current = null;

  /** `onPick(track_id)` is called when a listener picks a track. */
  constructor(onPick) {
    by("tracks").addEventListener("click", ({ target }) => {
      const row = target.closest(".row");
      if (row) onPick(row.dataset.trackId);
    });
    by("tracks").addEventListener("keydown", moveFocus);
  }

  /** Shows the library as it is now; tells how many tracks were not there before. */
  show(tracks) {
    this.#tracks = tracks;
    this.#trouble = null;
    const fresh = tracks.filter((track) => !this.#seen.has(track.track_id)).length;
    this.#render();
    for (const track of tracks) this.#seen.add(track.track_id);
    return fresh;
  }

  /** Why the origin does not give its list, null if it does; what is listed stays. */
  setTrouble(error) {
    const trouble = error && (error.refused ? REFUSED : SILENT);
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#render();
  }

  /** Takes the current track, to mark it in what is shown from now on. */
  mark(trackId) {
    this.#current = trackId;
  }

  #render() {
    const shown = this.#tracks;
    const focused = document.activeElement?.dataset?.trackId;
    by("tracks").replaceChildren(...shown.map((track) => this.#item(track)));
    by("tracks").hidden = shown.length === 0;
    by("empty").hidden = shown.length > 0;
    this.#showSummary(shown);
    if (focused) by("tracks").querySelector(`[data-track-id="${CSS.escape(focused)}"]`)?.focus();
  }

  #item(track) {
    const [item, row] = [element("li", "track"), trackRow(track, { current: this.#current })];
    if (!this.#seen.has(track.track_id)) row.classList.add("fresh");
    item.append(row);
    return item;
  }

  #showSummary(shown) {
    const total = shown.reduce((sum, track) => sum + track.duration_s, 0);
    const texts = this.#trouble ?? WAITING;
    const counted = `${plural(shown.length, "track")} · ${clock(total)}`;
    by("summary").textContent = shown.length && !this.#trouble ? counted : texts[0];
    by("empty").classList.toggle("still", this.#trouble !== null);
    by("empty-title").textContent = texts[1];
    by("empty-hint").textContent = texts[2];
  }
}
