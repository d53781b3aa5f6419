// One audio element and the hls.js that feeds it. The player has two: one is heard, the other is warmed up.

import Hls from "./vendor/hls.mjs";

const AHEAD_S = 30;
const WARM_AHEAD_S = 8;
const RECOVERIES_MAX = 2;
const RECOVERY_WINDOW_MS = 30_000;
const RECOVERY_PAUSE_MS = 700;
const GRACE_S = 1; // with less than this in the buffer, a lost line is about to be heard
const NEAR_END_S = 0.6; // "timeupdate" comes four times a second
const SILENCE_S = 0.02; // at the end, a shorter one is a frame's padding
const UNDERRUN_S = 0.25; // a stop with more than this in the buffer is the machine's doing, not the stream's
const LOADING = retrying(10_000);
const CODEC_NAMES = { "mp4a.40.2": "AAC-LC", opus: "Opus", flac: "FLAC" };
const LOSSLESS_START_BPS = 5_000_000; // hls.js starts with the family that it thinks the line carries; FLAC takes 1 to 2
const LIVE_EDGE = -1; // as hls.js calls it
const REFUSED = "refused"; // by the origin: no token, or one that does not fit
const HLS_MEDIA_TYPE = "application/vnd.apple.mpegurl";

// Asked before canPlayType: Chromium answers "maybe" for HLS, but its own HLS player ignores edit lists.
const useHls = Hls.isSupported();
const mediaSource = globalThis.ManagedMediaSource ?? globalThis.MediaSource;

const native = !useHls && new Audio().canPlayType(HLS_MEDIA_TYPE) !== "";

/** What this browser can play, asked once. Apple's own player takes FLAC, and AAC under it where the line is slow. */
export const support = Object.freeze({
  hls: useHls,
  native,
  opus: useHls && mediaSource.isTypeSupported('audio/mp4; codecs="opus"'),
  lossless: native || (useHls && mediaSource.isTypeSupported('audio/mp4; codecs="flac"')),
});

/** The codec family that a choice ("auto", "aac", "opus", "lossless") means for this track in this browser. */
export function familyFor(choice, track) {
  const can = (family) => support[family] && track.playlists[family];
  if (choice === "lossless" && can("lossless")) return "lossless";
  return choice !== "aac" && can("opus") ? "opus" : "aac";
}

/** What hls.js needs to be told for a family: lossless.m3u8 has AAC too, which it would start with and never leave. */
function starting(family, estimateBps) {
  if (family !== "lossless") return estimateBps ? { abrEwmaDefaultEstimate: estimateBps } : {};
  return { audioPreference: { audioCodec: "fLaC" }, abrEwmaDefaultEstimate: LOSSLESS_START_BPS };
}

/** What a stream has to be asked for with goes with its playlists, and with nothing else. */
function asking({ headers }, url) {
  if (!headers) return {};
  const own = new URL(".", url).href;
  return {
    xhrSetup: (xhr, asked) => {
      if (!xhr.readyState) xhr.open("GET", asked, true); // headers can be set from there on
      if (asked.startsWith(own)) Object.entries(headers).forEach((each) => xhr.setRequestHeader(...each));
    },
  };
}

/** hls.js's own retries: soon, few, so that a listener learns within seconds that nothing comes. */
function retrying(timeoutMs) {
  const retry = { maxNumRetry: 2, retryDelayMs: 500, maxRetryDelayMs: 2000 };
  const policy = { maxTimeToFirstByteMs: timeoutMs, maxLoadTimeMs: 2 * timeoutMs, timeoutRetry: retry, errorRetry: retry };
  return { default: policy };
}

/** A level as people name it: its codec and its nominal kbit/s (BANDWIDTH is the peak, container included). */
function described(level) {
  const nominal = /-(\d+)\.m3u8$/.exec(new URL(level.uri, location.href).pathname);
  const codec = (level.audioCodec ?? "").toLowerCase();
  return {
    codec: CODEC_NAMES[codec] ?? level.audioCodec ?? "",
    kbps: nominal ? Number(nominal[1]) : Math.round(level.averageBitrate / 1000),
  };
}

/** The level closest to the wanted rate without passing it; the lowest where all pass it; -1 (automatic) for null. */
function levelFor(levels, kbps) {
  if (kbps === null) return -1;
  return Math.max(levels.findLastIndex((level) => level.kbps <= kbps), 0);
}

/**
 * Events: "state" (the audio's state changed), "levels", "level", "ended", "trouble" (detail: what went wrong and
 * whether it was fatal), "playlist" (what the stream tells of its tracks was read), "failed" (playback has stopped; `failure`
 * has a message and a hint for people, and where in the stream a key was refused), "trace" (for tests).
 */
export class Deck extends EventTarget {
  track = null;
  family = "aac";
  levels = [];
  level = null;
  stalls = 0;
  failure = null;
  #hls = null;
  #kbps = null;
  #recoveries = [];
  #running = false;
  #lost = null;
  #refusedAt = null;
  #ending = null;

  constructor() {
    super();
    this.audio = new Audio();
    this.audio.preload = "auto";
    for (const type of ["play", "pause", "canplay", "seeking", "seeked", "durationchange"]) {
      this.audio.addEventListener(type, () => this.#tell("state"));
    }
    this.audio.addEventListener("playing", () => this.#onPlaying());
    this.audio.addEventListener("waiting", () => this.#onWaiting());
    for (const type of ["timeupdate", "pause", "seeking"]) this.audio.addEventListener(type, () => this.#awaitEnd());
    this.audio.addEventListener("ended", () => this.#onEnded());
    this.audio.addEventListener("error", () => this.#onNativeError());
  }

  /** Starts loading a track at `at` seconds, without playing. A warm deck buffers little until it is promoted. */
  load(track, { family, kbps, at = 0, estimateBps = null }) {
    this.unload();
    Object.assign(this, { track, family, levels: [], level: null, failure: null });
    this.#kbps = kbps;
    const url = new URL(track.playlists[family], location.href).href;
    if (support.hls) this.#attach(url, at, estimateBps);
    else if (support.native) this.#playNatively(url, at);
    else this.#fail("This browser cannot play HTTP Live Streaming.", "Try a current Chromium, Firefox or Safari.");
  }

  /** From warm to heard: buffer as far ahead as a listener on the move needs. */
  promote() {
    if (this.#hls) this.#hls.config.maxBufferLength = AHEAD_S;
  }

  unload() {
    clearTimeout(this.#ending);
    this.#running = false;
    this.#lost = null;
    this.#refusedAt = null;
    this.#recoveries = [];
    this.audio.pause();
    this.#hls?.destroy();
    this.#hls = null;
    if (this.audio.hasAttribute("src")) {
      this.audio.removeAttribute("src");
      this.audio.load();
    }
    this.track = null;
  }

  /** Takes another rate (null: automatic): from the next segment boundary on, without a gap; paused, at once. */
  setQuality(kbps) {
    this.#kbps = kbps;
    if (!this.#hls || this.levels.length === 0) return;
    const wanted = levelFor(this.levels, kbps);
    if (this.audio.paused) this.#hls.currentLevel = wanted;
    else this.#hls.nextLevel = wanted;
  }

  seek(seconds) {
    const to = Math.min(Math.max(seconds, 0), this.duration);
    if (this.track?.joined && this.#bufferAfter(to) === 0) this.#forget();
    this.audio.currentTime = to;
  }

  /** In a joined stream a track's first frames cut off the end of what is there before them, so that comes first. */
  #forget() {
    this.#hls?.trigger(Hls.Events.BUFFER_FLUSHING, { startOffset: 0, endOffset: Infinity, type: null });
  }

  get position() {
    return this.audio.currentTime;
  }

  /** The length of the music. What is buffered may be longer: pre-roll counts in it, where a track begins inside a run. */
  get duration() {
    const length = this.track?.duration_s ?? 0;
    return Number.isFinite(this.audio.duration) ? Math.min(this.audio.duration, length || Infinity) : length;
  }

  /** Seconds of music after the playhead that need no network. */
  get bufferAhead() {
    return this.#bufferAfter(this.audio.currentTime);
  }

  #bufferAfter(seconds) {
    const { buffered } = this.audio;
    for (let i = 0; i < buffered.length; i += 1) {
      const starts = buffered.start(i) - 0.1; // a start within a decoder's frame of the playhead counts as there
      if (starts <= seconds && seconds < buffered.end(i)) return buffered.end(i) - seconds;
    }
    return 0;
  }

  /** Measured throughput in bits per second; null until something was measured. */
  get throughputBps() {
    const estimate = this.#hls?.abrController?.bwEstimator;
    return estimate?.canEstimate() ? estimate.getEstimate() : null;
  }

  #attach(url, at, estimateBps) {
    const hls = new Hls({
      autoStartLoad: false,
      enableDateRangeMetadataCues: false, // they would need a text track, which the policy does not allow
      enableWorker: false, // CMAF needs no remuxing; and no blob: script for the content security policy to allow
      maxBufferLength: WARM_AHEAD_S,
      maxBufferSize: 0, // bytes do not count: music is small, seconds are what a listener needs
      backBufferLength: AHEAD_S,
      manifestLoadPolicy: LOADING,
      playlistLoadPolicy: LOADING,
      fragLoadPolicy: LOADING,
      ...starting(this.family, estimateBps),
      ...asking(this.track, url),
      keyLoadPolicy: LOADING,
      cmcd: { contentId: this.track.track_id, useHeaders: true }, // not in URLs: the browser's cache goes by them
    });
    this.#hls = hls;
    hls.on(Hls.Events.MANIFEST_PARSED, () => this.#onManifest(hls, at));
    if (this.track.joined) hls.on(Hls.Events.LEVEL_UPDATED, (_, { details }) => this.#onDetails(details));
    hls.on(Hls.Events.LEVEL_SWITCHED, (_, { level }) => this.#onLevel(level));
    hls.on(Hls.Events.FRAG_BUFFERED, (_, { frag }) => {
      this.#trace("FRAG_BUFFERED", { level: frag.level, sn: frag.sn });
      this.#tell("state");
    });
    hls.on(Hls.Events.ERROR, (_, data) => this.#onHlsError(hls, data, url));
    hls.attachMedia(this.audio);
    hls.loadSource(url);
  }

  #playNatively(url, at) {
    this.audio.src = url;
    this.audio.addEventListener("loadedmetadata", () => this.seek(at), { once: true });
    this.audio.load();
  }

  #onManifest(hls, at) {
    this.levels = hls.levels.map(described);
    const wanted = levelFor(this.levels, this.#kbps);
    if (wanted !== -1) {
      hls.startLevel = wanted;
      hls.loadLevel = wanted;
    }
    hls.startLoad(this.track.live ? LIVE_EDGE : at);
    this.#tell("levels");
  }

  #onDetails(details) {
    if (this.track.take(details)) this.#tell("playlist");
  }

  #onLevel(index) {
    this.level = { index, ...this.levels[index] };
    this.#trace("LEVEL_SWITCHED", { level: index });
    this.#tell("level");
  }

  #onPlaying() {
    this.#running = true;
    this.#tell("state");
  }

  #onWaiting() {
    const { seeking, ended, paused } = this.audio;
    const dry = this.bufferAhead < UNDERRUN_S;
    if (this.#running && dry && !seeking && !ended && !paused) this.stalls += 1;
    this.#running = false;
    if (this.#lost) this.#explain(this.#lost);
    this.#tell("state");
  }

  /** Ends the track with the music where only silence would follow. */
  #awaitEnd() {
    clearTimeout(this.#ending);
    if (!this.track || this.track.live) return;
    const { audio, duration, position } = this;
    if (audio.paused || audio.seeking || audio.duration - duration < SILENCE_S || duration - position > NEAR_END_S) return;
    this.#ending = setTimeout(() => {
      audio.pause();
      this.#onEnded();
    }, Math.max(0, duration - position) * 1000);
  }

  #onEnded() {
    clearTimeout(this.#ending);
    this.#trace("ENDED");
    this.#tell("ended");
  }

  #onHlsError(hls, data, url) {
    if (data.details === Hls.ErrorDetails.INTERNAL_ABORTED) return; // we asked for another level: nothing went wrong
    this.#tell("trouble", { type: data.type, details: data.details, fatal: data.fatal });
    const refused = data.response?.code === 403;
    if (refused || data.details === Hls.ErrorDetails.KEY_LOAD_ERROR) {
      hls.stopLoad(); // it would try the other levels' keys, once, and then wait for ever
      if (refused && data.details === Hls.ErrorDetails.KEY_LOAD_ERROR) this.#refusedAt = data.frag?.start ?? null;
      this.#giveUp(refused ? REFUSED : data.type);
      return;
    }
    if (!data.fatal) return; // hls.js retries by itself
    if (!this.#mayRecover()) {
      this.#giveUp(data.type);
    } else if (data.type === Hls.ErrorTypes.MEDIA_ERROR) {
      hls.recoverMediaError();
    } else {
      setTimeout(() => this.#resume(hls, url), RECOVERY_PAUSE_MS);
    }
  }

  #resume(hls, url) {
    if (this.#hls !== hls) return; // another track was chosen meanwhile
    if (this.levels.length === 0) hls.loadSource(url);
    else hls.startLoad();
  }

  #mayRecover() {
    const now = performance.now();
    this.#recoveries = this.#recoveries.filter((then) => now - then < RECOVERY_WINDOW_MS);
    this.#recoveries.push(now);
    return this.#recoveries.length <= RECOVERIES_MAX;
  }

  /** What is buffered is played to its end before the listener is told. */
  #giveUp(type) {
    if (!this.audio.paused && this.bufferAhead > GRACE_S) this.#lost = type;
    else this.#explain(type);
  }

  #onNativeError() {
    if (this.#hls || !this.track) return; // hls.js reports its own
    this.#tell("trouble", { type: "native", details: this.audio.error?.message ?? "", fatal: true });
    this.#explain("native");
  }

  #explain(type) {
    if (type === REFUSED) {
      this.#fail("This track is protected.", "Open the page with a token that is good for it.");
      return;
    }
    if (type === Hls.ErrorTypes.NETWORK_ERROR) {
      this.#fail("The stream cannot be reached.", "Check the connection and that the origin is running, then try again.");
    } else {
      this.#fail("This browser could not decode the stream.", "Try the other codec, or try again.");
    }
  }

  #fail(message, hint) {
    this.audio.pause();
    this.failure = { message, hint, keyRefusedAt: this.#refusedAt };
    this.#tell("failed");
  }

  #trace(type, detail = {}) {
    this.#tell("trace", { type, track: this.track?.track_id, ...detail });
  }

  #tell(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
