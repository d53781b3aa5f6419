// A track as a row of a list, the same in every view.

import { byline, clock, spokenTime } from "./format.js";
import { element, picture } from "./elements.js";

/** The row's button; whoever shows it hears its clicks by `data-track-id`. */
export function trackRow(track, { current = null, note = "" } = {}) {
  const row = element("button", note ? "row noted" : "row");
  row.type = "button";
  row.dataset.trackId = track.track_id;
  const names = element("span", "names");
  names.append(element("span", "row-title", track.title), element("span", "row-artist", track.artist ?? ""));
  if (note) names.append(element("span", "row-note", note));
  const time = element("span", "row-time");
  const shown = element("span", "", clock(track.duration_s));
  shown.setAttribute("aria-hidden", "true");
  time.append(shown, element("span", "visually-hidden", spokenTime(track.duration_s)));
  const album = note ? [] : [element("span", "row-album", track.album ?? "")];
  row.append(bars(), picture(track.art_sizes[160], 48, "row-art"), names, ...album, time);
  row.title = [track.title, byline(track)].filter(Boolean).join(" — ");
  setCurrent(row, track.track_id === current);
  return row;
}

/**
 * A list of rows; `onPick(index)` is called with the place of the one that is picked. `extra(index)` gives what else
 * stands in its line, `note(index)` what is said of it.
 */
export function trackRows(tracks, onPick, { current = null, extra = () => [], note = () => "" } = {}) {
  const list = element("ol", "tracks");
  list.setAttribute("role", "list");
  list.append(...tracks.map((track, index) => {
    const [item, row] = [element("li", "track"), trackRow(track, { current, note: note(index) })];
    row.addEventListener("click", () => onPick(index));
    item.append(row, ...extra(index));
    return item;
  }));
  list.addEventListener("keydown", moveFocus);
  return list;
}

/** Marks the track that is on in every list there is. */
export function markRows(trackId) {
  for (const row of document.querySelectorAll(".row")) setCurrent(row, row.dataset.trackId === trackId);
}

/** Up and down go from row to row. */
export function moveFocus(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const rows = [...event.currentTarget.querySelectorAll(".row")];
  const here = rows.indexOf(document.activeElement);
  if (!step || here < 0) return;
  rows[here + step]?.focus();
  event.preventDefault();
  event.stopPropagation();
}

/** The sign of the current track: three bars that dance while it plays. */
function bars() {
  const sign = element("span", "bars");
  sign.setAttribute("aria-hidden", "true");
  sign.append(element("i"), element("i"), element("i"));
  return sign;
}

function setCurrent(row, current) {
  if (current) row.setAttribute("aria-current", "true");
  else row.removeAttribute("aria-current");
}
