// The list of tracks, its filter and its summary.

import { byline, clock, plural, spokenTime } from "./format.js";

const by = (id) => document.getElementById(id);
const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

const SILENT = ["Origin out of reach", "The origin does not answer", "Trying again every few seconds."];
const REFUSED = ["Not let in", "A token is needed", "Open the page with one that is good for it: ask who gave you its address."];

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
    by("tracks").addEventListener("keydown", (event) => this.#moveFocus(event));
    by("filter").addEventListener("input", () => this.#render());
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

  /** Marks the current track. */
  mark(trackId) {
    if (trackId === this.#current) return;
    this.#current = trackId;
    for (const row of by("tracks").querySelectorAll(".row")) setCurrent(row, row.dataset.trackId === trackId);
  }

  #render() {
    const wanted = folded(by("filter").value.trim());
    const matches = (track) => folded([track.title, track.artist, track.album].join(" ")).includes(wanted);
    const shown = this.#tracks.filter(matches);
    const focused = document.activeElement?.dataset?.trackId;
    by("tracks").replaceChildren(...shown.map((track) => this.#item(track)));
    by("tracks").hidden = shown.length === 0;
    by("empty").hidden = shown.length > 0;
    this.#showSummary(shown, wanted !== "");
    if (focused) by("tracks").querySelector(`[data-track-id="${CSS.escape(focused)}"]`)?.focus();
  }

  #item(track) {
    const item = document.createElement("li");
    const row = element("button", "row");
    row.type = "button";
    row.dataset.trackId = track.track_id;
    if (!this.#seen.has(track.track_id)) row.classList.add("fresh");
    const names = element("span", "names");
    names.append(element("span", "row-title", track.title), element("span", "row-artist", track.artist ?? ""));
    const time = element("span", "row-time", clock(track.duration_s));
    time.setAttribute("aria-label", spokenTime(track.duration_s));
    row.append(bars(), art(track), names, element("span", "row-album", track.album ?? ""), time);
    row.title = [track.title, byline(track)].filter(Boolean).join(" — ");
    setCurrent(row, track.track_id === this.#current);
    item.append(row);
    return item;
  }

  #showSummary(shown, filtered) {
    const total = shown.reduce((sum, track) => sum + track.duration_s, 0);
    const texts = this.#trouble
      ? this.#trouble
      : filtered
        ? ["", "No match", "No title, artist or album has this in it."]
        : ["Waiting for the first track", "Publishing…",
          "Tracks are measured, levelled and encoded now. Each one shows up here the moment it is live."];
    const counted = `${plural(shown.length, "track")} · ${clock(total)}`;
    by("summary").textContent = shown.length && !this.#trouble ? counted : texts[0];
    by("empty").classList.toggle("still", this.#trouble !== null || filtered);
    by("empty-title").textContent = texts[1];
    by("empty-hint").textContent = texts[2];
  }

  #moveFocus(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const rows = [...by("tracks").querySelectorAll(".row")];
    rows[rows.indexOf(document.activeElement) + step]?.focus();
    event.preventDefault();
    event.stopPropagation();
  }
}

function element(tag, className, text = null) {
  const made = document.createElement(tag);
  made.className = className;
  if (text !== null) made.textContent = text;
  return made;
}

function art(track) {
  const frame = element("span", "row-art");
  const image = new Image(48, 48);
  Object.assign(image, { alt: "", loading: "lazy", decoding: "async", src: track.art_sizes[160] });
  image.addEventListener("error", () => image.remove());
  frame.append(image);
  return frame;
}

/** The sign of the current track: three bars that dance while it plays. */
function bars() {
  const sign = element("span", "bars");
  sign.setAttribute("aria-hidden", "true");
  sign.append(element("i", ""), element("i", ""), element("i", ""));
  return sign;
}

function setCurrent(row, current) {
  if (current) row.setAttribute("aria-current", "true");
  else row.removeAttribute("aria-current");
}
