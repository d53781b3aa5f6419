// Albums, playlists and stations as one stream each: what is loaded as if it were a track, and which track is on when.

import { allAt, at } from "./api.js";
import { support } from "./deck.js";

const CLASS = "org.segue.track";
const FAMILIES = { aac: "index", opus: "opus", lossless: "lossless" };
const GAPLESS = { aac: "gapless", opus: "gapless-opus", lossless: "lossless" }; // a media source cuts off what encoders put between tracks
const EDGE_S = 0.02; // a seek to a track's beginning may land a hair before it

/**
 * A list as one stream: in each codec family that all of its tracks have. `tracks` in their order. With a listener's
 * `key` it is a playlist that not everybody may hear.
 */
export function joinedList(kind, id, name, tracks, key = null) {
  const playlists = streams(`/${key ? "my-" : ""}${kind}s/${id}`, tracks);
  return new Joined({ id: `${kind}:${id}`, name, tracks, playlists, headers: key && { Authorization: `Bearer ${key}` } });
}

/** Tracks of a mix as one stream, whose address names each of them. */
export function joinedMix(name, tracks) {
  const ids = idsOf(tracks);
  return new Joined({ id: `mix:${ids}`, name, tracks, playlists: streams(`/mixes/${ids}`, tracks) });
}

/** The same of a listener's own mix: its tracks are named in a header, and its address says nothing. */
export function joinedOwnMix(name, tracks) {
  const ids = idsOf(tracks);
  const playlists = streams(`/my-mixes/${anyId()}`, tracks);
  return new Joined({ id: `mix:${ids}`, name, tracks, playlists, headers: { "Segue-Tracks": ids } });
}

const idsOf = (tracks) => tracks.map((track) => track.track_id).join("-");

function anyId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(20)), (each) => "abcdefghijklmnopqrstuvwxyz234567"[each % 32]).join("");
}

function streams(path, tracks) {
  const has = (family) => tracks.every((track) => track.playlists[family]);
  const families = Object.entries(support.hls ? GAPLESS : FAMILIES).filter(([family]) => family === "aac" || has(family));
  return allAt(Object.fromEntries(families.map(([family, file]) => [family, `${path}/${file}.m3u8`])));
}

/** A station: an endless stream that nobody can seek in. */
export function station(id, name, stream = `/stations/${id}/index.m3u8`) {
  return new Joined({ id: `station:${id}`, name, tracks: [], playlists: { aac: at(stream) }, live: true });
}

class Joined {
  joined = true;
  duration_s = 0; // the stream says how long it is
  #ranges = [];

  constructor({ id, name, tracks, playlists, live = false, headers = null }) {
    Object.assign(this, { track_id: id, name, playlists, live, headers });
    this.#ranges = live ? [] : planned(tracks);
    this.known = new Map(tracks.map((track) => [track.track_id, track]));
  }

  /**
   * Takes what a media playlist says of its tracks (hls.js's level details). The playlist counts in dates; where one
   * of its segments lies in the player's time tells the rest. Tells whether anything was said.
   */
  take(details) {
    const anchor = details.fragments.find((fragment) => fragment.programDateTime);
    const ranges = Object.values(details.dateRanges ?? {}).filter((range) => range.class === CLASS);
    if (!anchor || ranges.length === 0) return false;
    const timeOf = (date) => anchor.start + (date.getTime() - anchor.programDateTime) / 1000;
    this.#ranges = ranges
      .map((range) => ({ start: timeOf(range.startDate), length: range.duration, track: this.#track(range, details.url) }))
      .sort((one, other) => one.start - other.start);
    return true;
  }

  /** What is on at a time of the stream: `{start, length, track}`; null before anything is known. */
  at(seconds) {
    return this.#ranges.findLast(({ start }) => start <= seconds + EDGE_S) ?? this.#ranges[0] ?? null;
  }

  /** When a track begins; null where it is not in the stream. */
  startOf(trackId) {
    return this.#ranges.find(({ track }) => track.track_id === trackId)?.start ?? null;
  }

  after(seconds) {
    return this.#ranges[this.#ranges.indexOf(this.at(seconds)) + 1] ?? null;
  }

  before(seconds) {
    return this.#ranges[this.#ranges.indexOf(this.at(seconds)) - 1] ?? null;
  }

  #track({ attr }, url) {
    const id = attr["X-TRACK-ID"];
    if (!this.known.has(id)) this.known.set(id, told(id, attr, url));
    return this.known.get(id);
  }
}

/** Where the tracks will lie, until the stream says it. */
function planned(tracks) {
  let start = 0;
  return tracks.map((track) => {
    const range = { start, length: track.duration_s, track };
    start += track.duration_s;
    return range;
  });
}

/** A track of which only the stream tells. */
function told(id, attr, url) {
  const art = attr["X-ART"] ? new URL(attr["X-ART"], url).href : "";
  return {
    track_id: id, title: attr["X-TITLE"] ?? "", artist: attr["X-ARTIST"] ?? "", album: attr["X-ALBUM"] ?? "",
    duration_s: Number(attr.DURATION) || 0, level_lufs: undefined, playlists: {},
    art, art_sizes: { 160: art, 640: art, 1280: art },
  };
}

