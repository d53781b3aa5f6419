// What is played: two decks, the queue, and the moves a listener can make. Knows nothing of the page.

import { keepChoices, readChoices } from "./choices.js";
import { Deck, familyFor } from "./deck.js";
import { Queue } from "./queue.js";

const WARM_LEAD_S = 12; // a slow line gets its first segments of the next track in this time
const RESTART_AFTER_S = 3; // "previous" goes back to the start of the track when it has played longer than this
const HANDOVER_LEAD_S = 0.05; // seeking inside a buffer takes about this long
const PAST_JOINT_S = 0.025; // a segment may begin an AAC frame and a millisecond later than the track is said to
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
  #wanted = null; // the track of a joined stream that was picked
  #toldId = null;

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

  /** What is loaded: a track, or an album, a playlist, a station as one stream. */
  get item() {
    return this.deck.track;
  }

  /** The track that is on; in a joined stream the one at the playhead. */
  get track() {
    return this.item?.joined ? (this.#range?.track ?? null) : this.item;
  }

  /** Seconds into the track that is on. */
  get position() {
    return this.item?.joined ? Math.max(0, this.deck.position - (this.#range?.start ?? 0)) : this.deck.position;
  }

  get duration() {
    return this.item?.joined ? (this.#range?.length ?? 0) : this.deck.duration;
  }

  /** Whether another track follows. */
  get hasNext() {
    return this.item?.joined ? !this.item.live && this.item.after(this.deck.position) !== null : this.#nextTrack !== null;
  }

  get #range() {
    return this.item?.at(this.deck.position) ?? null;
  }

  /** What is loaded after a track that is loaded by itself. */
  get #nextTrack() {
    return this.item && !this.item.joined ? this.queue.after(this.item.track_id) : null;
  }

  /** How often the music stopped for want of data since the page was opened. */
  get stalls() {
    return this.#decks[0].stalls + this.#decks[1].stalls;
  }

  /** "empty", "failed", "loading", "playing", "paused", "ready" (cued, not begun) or "ended". */
  get state() {
    if (!this.item) return "empty";
    if (this.deck.failure) return "failed";
    if (this.#finished) return "ended";
    if (!this.#wantsToPlay) return this.deck.position > 0 ? "paused" : "ready";
    const { paused, seeking, readyState } = this.deck.audio;
    return paused || seeking || readyState < HTMLMediaElement.HAVE_FUTURE_DATA ? "loading" : "playing";
  }

  /** The library as it is now; the first track is cued so that its first second is there before anyone asks. */
  setTracks(tracks) {
    this.queue.update(tracks);
    if (this.choices.shuffle && !this.item) this.queue.shuffle(true, null);
    if (!this.item && this.queue.first) this.#load(this.deck, this.queue.first);
    this.#changed();
  }

  /** Plays a track of the library from its start; the library goes on after it. */
  playTrack(trackId) {
    this.queue.takeLibrary(trackId);
    const track = this.queue.find(trackId);
    if (track) this.#play(track);
  }

  /** Plays a track that the library as listed may not have. */
  playOne(track) {
    this.queue.remember(track);
    this.playTrack(track.track_id);
  }

  /** Plays a list track by track, from the one at `index` on. */
  playFrom(tracks, index, name) {
    this.queue.take(name, tracks, tracks[index].track_id);
    this.#play(tracks[index]);
  }

  #play(track) {
    this.#pressedAt = performance.now();
    const sameTrack = this.item?.track_id === track.track_id;
    const sameFamily = this.deck.family === familyFor(this.choices.family, track);
    const warm = this.#isWarm(track);
    if (warm) this.#swap();
    if (!warm && (!sameTrack || !sameFamily || this.deck.failure)) this.#load(this.deck, track);
    else if (sameTrack) this.deck.seek(0);
    this.#start();
  }

  /** Plays an album, a playlist or a station as one stream, from the track that is named or from its start. */
  playJoined(joined, trackId = null) {
    this.#pressedAt = performance.now();
    const start = (trackId && joined.startOf(trackId)) ?? 0;
    if (this.item?.track_id === joined.track_id && !joined.live && !this.deck.failure && this.#isSame(joined)) {
      this.#wanted = null;
      this.deck.seek((trackId && this.item.startOf(trackId)) ?? 0);
    } else {
      this.#wanted = trackId;
      this.#load(this.deck, joined, start);
    }
    this.#start();
  }

  toggle() {
    if (!this.item) return;
    if (this.deck.failure) this.retry();
    else if (this.#wantsToPlay) this.pause();
    else this.resume();
  }

  resume() {
    if (!this.item) return;
    this.#pressedAt = performance.now();
    if (this.item.live && !this.#wantsToPlay && this.deck.position > 0) this.#load(this.deck, this.item); // it went on
    if (this.#finished) this.deck.seek(0);
    this.#start();
  }

  pause() {
    this.#wantsToPlay = false;
    this.deck.audio.pause();
    this.#changed();
  }

  next() {
    if (!this.hasNext) return;
    if (this.item.joined) this.#seekStream(this.item.after(this.deck.position).start);
    else this.#play(this.#nextTrack);
  }

  previous() {
    if (!this.item) return;
    const before = this.item.joined ? this.item.before(this.deck.position) : this.queue.before(this.item.track_id);
    if (!before || this.position > RESTART_AFTER_S) this.seek(0);
    else if (this.item.joined) this.#seekStream(before.start);
    else this.#play(before);
  }

  /** Seeks within the track that is on; a station goes on as it does. */
  seek(seconds) {
    if (!this.item?.joined) this.#seekStream(seconds);
    else if (!this.item.live && this.#range) this.#seekStream(this.#range.start + Math.min(Math.max(seconds, 0), this.#range.length));
  }

  #seekStream(seconds) {
    if (!this.item) return;
    this.#finished = false;
    this.#wanted = null;
    this.deck.seek(seconds);
    if (this.#wantsToPlay) this.#start();
    this.#changed();
  }

  /** Loads the failed track again where it stood, and plays. */
  retry() {
    if (!this.item) return;
    this.#pressedAt = performance.now();
    this.#load(this.deck, this.item, this.deck.position);
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
    if (!this.item) return;
    const wanted = familyFor(family, this.item);
    if (this.#standby.track) this.#standby.unload(); // it was warmed with the old family
    if (wanted !== this.deck.family) this.#handOver();
  }

  setShuffle(shuffle) {
    this.#choose({ shuffle });
    this.queue.shuffle(shuffle, this.item?.track_id);
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
    if (this.item?.joined) this.#follow();
    const next = this.#nextTrack;
    const remaining = this.deck.duration - this.deck.position;
    const idle = !this.#standby.track;
    const buffered = this.deck.bufferAhead >= remaining - 0.5; // what is heard has the line first
    if (next && idle && this.#wantsToPlay && remaining < WARM_LEAD_S && buffered) this.#load(this.#standby, next);
  }

  /** Tells when another track of a joined stream is on. */
  #follow() {
    const id = this.track?.track_id ?? null;
    if (id === this.#toldId) return;
    this.#toldId = id;
    this.#changed();
  }

  /** Goes to the very beginning of the track that was picked: before the stream told it, it was a guess. */
  #onPlaylist() {
    const start = this.#wanted && this.item.startOf(this.#wanted);
    this.#wanted = null;
    if (Number.isFinite(start) && Math.abs(this.deck.position - start) > 1e-3) this.deck.seek(start);
    this.#changed();
  }

  #isSame(joined) {
    return [...joined.known.keys()].join() === [...this.item.known.keys()].join();
  }

  #listen(deck) {
    const heard = (then) => (event) => {
      if (deck === this.deck) then(event.detail);
    };
    deck.addEventListener("state", heard(() => this.#onState()));
    deck.addEventListener("levels", heard(() => this.#changed()));
    deck.addEventListener("level", heard(() => this.#changed()));
    deck.addEventListener("playlist", heard(() => this.#onPlaylist()));
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
    const { keyRefusedAt } = this.deck.failure;
    const next = keyRefusedAt !== null && this.item.joined ? this.item.after(keyRefusedAt) : null;
    if (next) { // a track of a list that is not for this listener: the others may be
      this.#load(this.deck, this.item, next.start + PAST_JOINT_S);
      if (this.#wantsToPlay) this.#start();
      return;
    }
    this.#wantsToPlay = false;
    this.#changed();
  }

  #onEnded() {
    this.endedCount += 1;
    const next = this.#nextTrack;
    if (next) {
      this.#play(next);
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
    const warm = this.#standby.track;
    const wanted = [this.#nextTrack?.track_id, this.item?.track_id]; // the next one, or this one in another family
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
