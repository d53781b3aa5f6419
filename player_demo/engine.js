// What is played: two decks, the queue, and the moves a listener can make. Knows nothing of the page.

import { keepChoices, readChoices } from "./choices.js";
import { Deck, familyFor } from "./deck.js";
import { Queue } from "./queue.js";

const WARM_LEAD_S = 12; // a slow line gets its first segments of the next track in this time
const RESTART_AFTER_S = 3; // "previous" goes back to the start of the track when it has played longer than this
const HANDOVER_LEAD_S = 0.05; // seeking inside a buffer takes about this long
const TRACE_MAX = 500;
const ERRORS_MAX = 100;

export class Player extends EventTarget {
  choices = readChoices();
  queue = new Queue();
  endedCount = 0;
  startupMs = null;
  trace = [];
  errors = [];
  #decks = [new Deck(), new Deck()];
  #wantsToPlay = false;
  #pressedAt = null;
  #finished = false;

  constructor() {
    super();
    for (const deck of this.#decks) this.#listen(deck);
    this.#applyVolume();
  }

  /** The deck that is heard. */
  get deck() {
    return this.#decks[0];
  }

  get #standby() {
    return this.#decks[1];
  }

  get track() {
    return this.deck.track;
  }

  /** How often the music stopped for want of data since the page was opened. */
  get stalls() {
    return this.#decks[0].stalls + this.#decks[1].stalls;
  }

  /** "empty", "failed", "loading", "playing", "paused", "ready" (cued, not begun) or "ended". */
  get state() {
    if (!this.track) return "empty";
    if (this.deck.failure) return "failed";
    if (this.#finished) return "ended";
    if (!this.#wantsToPlay) return this.deck.position > 0 ? "paused" : "ready";
    const { paused, seeking, readyState } = this.deck.audio;
    return paused || seeking || readyState < HTMLMediaElement.HAVE_FUTURE_DATA ? "loading" : "playing";
  }

  /** The library as it is now; the first track is cued so that its first second is there before anyone asks. */
  setTracks(tracks) {
    this.queue.update(tracks);
    if (this.choices.shuffle && !this.track) this.queue.shuffle(true, null);
    if (!this.track && this.queue.first) this.#load(this.deck, this.queue.first);
    this.#changed();
  }

  /** Plays a track from its start. */
  playTrack(trackId) {
    const track = this.queue.find(trackId);
    if (!track) return;
    this.#pressedAt = performance.now();
    const sameTrack = this.track?.track_id === trackId;
    const sameFamily = this.deck.family === familyFor(this.choices.family, track);
    const warm = this.#isWarm(track);
    if (warm) this.#swap();
    if (!warm && (!sameTrack || !sameFamily || this.deck.failure)) this.#load(this.deck, track);
    else if (sameTrack) this.deck.seek(0);
    this.#start();
  }

  toggle() {
    if (!this.track) return;
    if (this.deck.failure) this.retry();
    else if (this.#wantsToPlay) this.pause();
    else this.resume();
  }

  resume() {
    if (!this.track) return;
    this.#pressedAt = performance.now();
    if (this.#finished) this.deck.seek(0);
    this.#start();
  }

  pause() {
    this.#wantsToPlay = false;
    this.deck.audio.pause();
    this.#changed();
  }

  next() {
    const track = this.track && this.queue.after(this.track.track_id);
    if (track) this.playTrack(track.track_id);
  }

  previous() {
    const track = this.track && this.queue.before(this.track.track_id);
    if (!track || this.deck.position > RESTART_AFTER_S) this.seek(0);
    else this.playTrack(track.track_id);
  }

  seek(seconds) {
    if (!this.track) return;
    this.#finished = false;
    this.deck.seek(seconds);
    if (this.#wantsToPlay) this.#start();
    this.#changed();
  }

  /** Loads the failed track again where it stood, and plays. */
  retry() {
    if (!this.track) return;
    this.#pressedAt = performance.now();
    this.#load(this.deck, this.track, this.deck.position);
    this.#start();
  }

  setQuality(kbps) {
    this.#choose({ kbps });
    this.deck.setQuality(kbps);
    this.#standby.setQuality(kbps);
  }

  /** Another codec family: the other deck takes over at the same place in the music. */
  setFamily(family) {
    this.#choose(family === "lossless" ? { family, kbps: null } : { family }); // a rate kept from before would be AAC's
    if (!this.track) return;
    const wanted = familyFor(family, this.track);
    if (this.#standby.track) this.#standby.unload(); // it was warmed with the old family
    if (wanted !== this.deck.family) this.#handOver();
  }

  setShuffle(shuffle) {
    this.#choose({ shuffle });
    this.queue.shuffle(shuffle, this.track?.track_id);
    this.#dropStaleStandby();
    this.#changed();
  }

  setVolume(volume) {
    this.#choose({ volume: Math.min(Math.max(volume, 0), 1), muted: false });
    this.#applyVolume();
  }

  toggleMute() {
    this.#choose({ muted: !this.choices.muted });
    this.#applyVolume();
  }

  /** To be called a few times a second: warms the next track up when this one nears its end. */
  tick() {
    const next = this.track && this.queue.after(this.track.track_id);
    const remaining = this.deck.duration - this.deck.position;
    const idle = !this.#standby.track;
    const buffered = this.deck.bufferAhead >= remaining - 0.5; // what is heard has the line first
    if (next && idle && this.#wantsToPlay && remaining < WARM_LEAD_S && buffered) this.#load(this.#standby, next);
  }

  #listen(deck) {
    const heard = (then) => (event) => {
      if (deck === this.deck) then(event.detail);
    };
    deck.addEventListener("state", heard(() => this.#onState()));
    deck.addEventListener("levels", heard(() => this.#changed()));
    deck.addEventListener("level", heard(() => this.#changed()));
    deck.addEventListener("failed", heard(() => this.#onFailed()));
    deck.addEventListener("ended", heard(() => this.#onEnded()));
    deck.addEventListener("trace", ({ detail }) => this.#note(this.trace, detail, TRACE_MAX));
    deck.addEventListener("trouble", ({ detail }) => this.#note(this.errors, detail, ERRORS_MAX));
  }

  #onState() {
    if (this.state === "playing" && this.#pressedAt !== null) {
      this.startupMs = performance.now() - this.#pressedAt;
      this.#pressedAt = null;
    }
    this.#changed();
  }

  #onFailed() {
    this.#wantsToPlay = false;
    this.#changed();
  }

  #onEnded() {
    this.endedCount += 1;
    const next = this.queue.after(this.track.track_id);
    if (next) {
      this.playTrack(next.track_id);
    } else {
      this.#wantsToPlay = false;
      this.#finished = true;
      this.#changed();
    }
  }

  #load(deck, track, at = 0) {
    const { family, kbps } = this.choices;
    const estimateBps = this.deck.throughputBps;
    deck.load(track, { family: familyFor(family, track), kbps, at, estimateBps });
    if (deck === this.deck) this.#finished = false;
  }

  #start() {
    this.#wantsToPlay = true;
    this.#finished = false;
    this.deck.promote();
    this.deck.audio.play().catch((error) => this.#onRefused(error));
    this.#dropStaleStandby();
    this.#changed();
  }

  #onRefused(error) {
    if (error.name !== "NotAllowedError") return; // AbortError: a newer load or pause came first
    this.#wantsToPlay = false;
    this.#changed();
  }

  #isWarm(track) {
    const { track: warm, failure, family } = this.#standby;
    return warm?.track_id === track.track_id && !failure && family === familyFor(this.choices.family, track);
  }

  #swap() {
    this.#decks.reverse();
    this.#standby.unload();
  }

  #dropStaleStandby() {
    const next = this.track && this.queue.after(this.track.track_id);
    const warm = this.#standby.track;
    const wanted = [next?.track_id, this.track?.track_id]; // the next one, or this one in another family
    if (warm && !wanted.includes(warm.track_id)) this.#standby.unload();
  }

  #handOver() {
    const [from, to] = this.#decks;
    const { track } = from;
    this.#load(to, track, from.position);
    const due = () => this.deck === from && from.track === track && to.track === track;
    const takeOver = () => {
      if (!due()) return;
      to.promote();
      if (this.#wantsToPlay) to.audio.play().catch((error) => this.#onRefused(error));
      this.#swap();
      this.#changed();
    };
    const align = () => {
      if (!due()) return;
      to.audio.addEventListener("seeked", takeOver, { once: true });
      to.seek(from.position + (this.#wantsToPlay ? HANDOVER_LEAD_S : 0));
    };
    to.audio.addEventListener("canplay", align, { once: true });
    const stay = () => {
      if (!due()) return;
      to.unload();
      this.#choose({ family: from.family }); // the music goes on as it was
    };
    to.addEventListener("failed", stay, { once: true });
  }

  #choose(change) {
    Object.assign(this.choices, change);
    keepChoices(this.choices);
    this.#changed();
  }

  #applyVolume() {
    for (const { audio } of this.#decks) {
      audio.volume = this.choices.volume;
      audio.muted = this.choices.muted;
    }
  }

  #note(log, detail, max) {
    log.push({ atMs: Math.round(performance.now()), ...detail });
    if (log.length > max) log.shift();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
