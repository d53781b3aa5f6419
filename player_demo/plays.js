// What was played, told to the origin of a listener who agreed to history, and to nobody else.

import { account } from "./account.js";

const SOURCE = /^[a-z]{1,16}:[\w-]{1,64}$/; // an album, a playlist, a station; the name of a station may be too long
const KEY = "segue-plays";
const PROGRESS_S = 30;
const FLUSH_MS = 10_000;
const BATCH = 50;
const KEPT_MAX = 500;
const END_S = 2; // a track that ends this near its end was heard to its end
const STEP_MAX_S = 2; // a longer step between two looks was a seek

export class Plays {
  #player;
  #events = read();
  #play = null;
  #sending = false;

  constructor(player) {
    this.#player = player;
    account.addEventListener("change", () => this.#onAccount());
    addEventListener("pagehide", () => this.#onLeave());
    setInterval(() => this.send(), FLUSH_MS);
  }

  /** To be called a few times a second: counts what is heard. */
  tick() {
    if (!account.history) return;
    const { track, state, position, duration, item } = this.#player;
    if (this.#play && (state === "ended" || track?.track_id !== this.#play.trackId)) this.#finish(state === "ended");
    if (state !== "playing") return;
    const step = position - (this.#play?.at ?? position);
    if (this.#play && step < -END_S && this.#play.at > duration - END_S) this.#finish(true); // it began anew
    this.#play ??= this.#begin(track, item, position);
    const play = this.#play;
    if (step > 0 && step < STEP_MAX_S) play.heardS += step;
    Object.assign(play, { at: position, duration });
    if (play.heardS - play.toldS >= PROGRESS_S) this.#note("progress");
  }

  /** Sends what waits. What is not answered is sent again later; each event has an id, so it counts once. */
  async send({ keepalive = false } = {}) {
    if (this.#sending || this.#events.length === 0 || !account.history) return;
    this.#sending = true;
    const batch = this.#events.slice(0, BATCH);
    try {
      await account.ask("/api/v1/events", { method: "POST", keepalive, body: { sent_at_ms: Date.now(), events: batch } });
      this.#drop(batch);
    } catch ({ status }) {
      if (status >= 400 && status < 500 && status !== 429) this.#drop(batch); // it would be refused again
    } finally {
      this.#sending = false;
    }
  }

  #begin(track, item, position) {
    this.#play = { id: newId(), trackId: track.track_id, heardS: 0, toldS: 0, at: position, duration: track.duration_s };
    if (SOURCE.test(item.track_id)) this.#play.source = item.track_id;
    this.#note("start");
    return this.#play;
  }

  #finish(ended) {
    this.#note(ended || this.#play.at >= this.#play.duration - END_S ? "complete" : "skip");
    this.#play = null;
    this.send();
  }

  #note(kind) {
    const { id, trackId, heardS, at, source } = this.#play;
    this.#play.toldS = heardS;
    const event = { event_id: newId(), play_id: id, track_id: trackId, kind, at_ms: Date.now(), position_ms: Math.round(at * 1000) };
    if (kind !== "start") event.played_ms = Math.round(heardS * 1000);
    if (source) event.source = source;
    this.#keep([...this.#events, event].slice(-KEPT_MAX));
  }

  #drop(batch) {
    const sent = new Set(batch.map((event) => event.event_id));
    this.#keep(this.#events.filter((event) => !sent.has(event.event_id)));
  }

  /** Whoever takes consent back takes back what was not sent, too. */
  #onAccount() {
    if (account.history) return;
    this.#play = null;
    this.#keep([]);
  }

  #onLeave() {
    if (!account.history) return;
    if (this.#play) this.#note("progress");
    this.send({ keepalive: true });
  }

  #keep(events) {
    this.#events = events;
    try {
      localStorage.setItem(KEY, JSON.stringify(events));
    } catch {
      // Then they last as long as the page.
    }
  }
}

/** An id that nobody else has. (`crypto.randomUUID` is not there on a page without TLS.) */
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY));
    return Array.isArray(kept) ? kept : [];
  } catch {
    return [];
  }
}
