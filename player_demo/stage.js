// The track that is on: its cover, its name, the transport, the keyboard and the system's media keys.

import { clock, plural, spokenTime } from "./format.js";

const SEEK_STEP_S = 5;
const VOLUME_STEP = 0.05;
const TOAST_MS = 4000;
const EYEBROWS = {
  empty: "Waiting", ready: "Up first", loading: "Buffering…", playing: "Now playing",
  paused: "Paused", ended: "The end", failed: "Stopped",
};
const by = (id) => document.getElementById(id);
const icon = (id, name) => by(id).setAttribute("href", `#i-${name}`);

export class Stage {
  #player;
  #shownId = null;
  #said = "";
  #scrubbing = false;
  #toast = null;

  constructor(player) {
    this.#player = player;
    const actions = {
      toggle: () => player.toggle(),
      next: () => player.next(),
      previous: () => player.previous(),
      retry: () => player.retry(),
      mute: () => player.toggleMute(),
      shuffle: () => player.setShuffle(!player.choices.shuffle),
    };
    for (const [id, act] of Object.entries(actions)) by(id).addEventListener("click", act);
    by("volume").addEventListener("input", () => player.setVolume(Number(by("volume").value)));
    by("seek").addEventListener("input", () => this.#scrub());
    by("seek").addEventListener("change", () => this.#drop());
    by("cover").addEventListener("error", () => { by("cover").hidden = true; });
    document.addEventListener("keydown", (event) => this.#onKey(event));
    new IntersectionObserver(([title]) => document.body.classList.toggle("scrolled", !title.isIntersecting)).observe(by("title"));
    this.#listenToMediaKeys();
  }

  /** To be called when the player's state changed. */
  update() {
    const { track, item, state, choices, deck } = this.#player;
    document.body.dataset.state = state;
    if (track && track.track_id !== this.#shownId) this.#showTrack(track);
    const from = item?.joined ? item.name : this.#player.queue.name;
    by("eyebrow").textContent = from ? `${EYEBROWS[state]} · ${from}` : EYEBROWS[state];
    const running = state === "playing" || state === "loading";
    by("toggle").setAttribute("aria-label", running ? "Pause" : "Play");
    icon("toggle-icon", running ? "pause" : "play");
    by("toggle").disabled = !item;
    for (const id of ["previous", "seek"]) by(id).disabled = !track || item.live === true;
    by("next").disabled = !this.#player.hasNext;
    by("shuffle").disabled = item?.joined === true;
    document.body.classList.toggle("live", item?.live === true);
    by("shuffle").setAttribute("aria-pressed", String(choices.shuffle));
    this.#showVolume(choices);
    this.#showFailure(deck.failure);
    if (navigator.mediaSession) navigator.mediaSession.playbackState = running ? "playing" : track ? "paused" : "none";
    this.#say(state, track);
    this.tick();
  }

  /** To be called a few times a second. */
  tick() {
    const { track, item, deck, position, duration } = this.#player;
    if (!track || this.#scrubbing) return;
    by("seek").max = duration || 1;
    by("seek").value = position;
    this.#showPosition(position, duration);
    by("seek").style.setProperty("--loaded", share(position + deck.bufferAhead, duration));
    tellPosition(item, position, duration);
  }

  announce(text) {
    by("announcer").textContent = text;
  }

  /** Announces, and shows for a moment, what came of something that was pressed. */
  say(text) {
    this.announce(text);
    by("toast").textContent = text;
    by("toast").hidden = false;
    clearTimeout(this.#toast);
    this.#toast = setTimeout(() => { by("toast").hidden = true; }, TOAST_MS);
  }

  #showTrack(track) {
    this.#shownId = track.track_id;
    by("title").textContent = track.title;
    by("transport-title").textContent = [track.title, track.artist].filter(Boolean).join(" · ");
    by("artist").textContent = track.artist ?? "";
    by("album").textContent = track.album ?? "";
    document.title = [track.title, track.artist, "Segue"].filter(Boolean).join(" · ");
    by("cover").hidden = false;
    by("cover").srcset = `${track.art_sizes[640]} 1x, ${track.art_sizes[1280]} 2x`;
    by("cover").src = track.art;
    by("ambient").src = track.art_sizes[160]; // blurred beyond recognition
    by("cover").alt = track.album ? `Cover of ${track.album}` : `Cover of ${track.title}`;
    this.#tellSystem(track);
  }

  #showPosition(position, duration) {
    by("elapsed").textContent = clock(position);
    by("total").textContent = clock(duration);
    by("seek").style.setProperty("--played", share(position, duration));
    by("seek").setAttribute("aria-valuetext", `${spokenTime(position)} of ${spokenTime(duration)}`);
  }

  #showVolume({ volume, muted }) {
    const silent = muted || volume === 0;
    icon("mute-icon", silent ? "muted" : "volume");
    by("mute").setAttribute("aria-pressed", String(muted));
    by("volume").value = muted ? 0 : volume;
    by("volume").style.setProperty("--played", share(muted ? 0 : volume, 1));
    by("volume").setAttribute("aria-valuetext", muted ? "muted" : `${Math.round(volume * 100)} %`);
  }

  #showFailure(failure) {
    if (by("failure").hidden === !failure) return;
    by("failure-message").textContent = failure?.message ?? "";
    by("failure-hint").textContent = failure?.hint ?? "";
    by("failure").hidden = !failure;
  }

  #say(state, track) {
    const verbs = { playing: "Playing", paused: "Paused:", ended: "The end of" };
    if (!track || !verbs[state]) return;
    const text = `${verbs[state]} ${track.title}${track.artist ? ` by ${track.artist}` : ""}`;
    if (text !== this.#said) this.announce(text);
    this.#said = text;
  }

  #scrub() {
    this.#scrubbing = true;
    this.#showPosition(Number(by("seek").value), this.#player.duration);
  }

  #drop() {
    this.#scrubbing = false;
    this.#player.seek(Number(by("seek").value));
  }

  #onKey(event) {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.matches("input:not([type=radio], [type=range], [type=checkbox])") || document.querySelector("dialog[open]")) return;
    const choosing = target.matches("input[type=radio]") || target === by("volume");
    if (choosing && key.startsWith("Arrow")) return; // these keys move within the control
    if (target.matches("button, input[type=checkbox]") && key === " ") return; // this key presses it
    const act = this.#shortcuts()[key.length === 1 ? key.toLowerCase() : key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  #shortcuts() {
    const player = this.#player;
    return {
      " ": () => player.toggle(),
      k: () => player.toggle(),
      n: () => player.next(),
      p: () => player.previous(),
      m: () => player.toggleMute(),
      s: () => player.setShuffle(!player.choices.shuffle),
      "/": () => by("search").focus(),
      ArrowLeft: () => player.seek(player.position - SEEK_STEP_S),
      ArrowRight: () => player.seek(player.position + SEEK_STEP_S),
      ArrowUp: () => player.setVolume(player.choices.volume + VOLUME_STEP),
      ArrowDown: () => player.setVolume(player.choices.volume - VOLUME_STEP),
    };
  }

  #listenToMediaKeys() {
    if (!navigator.mediaSession) return;
    const player = this.#player;
    const handlers = {
      play: () => player.resume(),
      pause: () => player.pause(),
      nexttrack: () => player.next(),
      previoustrack: () => player.previous(),
      seekto: ({ seekTime }) => player.seek(seekTime),
    };
    for (const [action, handler] of Object.entries(handlers)) navigator.mediaSession.setActionHandler(action, handler);
  }

  #tellSystem({ title, artist, album, art_sizes: sizes }) {
    if (!navigator.mediaSession) return;
    const known = Object.keys(sizes).filter((side) => sizes[side]);
    const picture = (side) => ({ src: new URL(sizes[side], location.href).href, sizes: `${side}x${side}`, type: "image/jpeg" });
    const artwork = known.map(picture);
    navigator.mediaSession.metadata = new MediaMetadata({ title, artist: artist ?? "", album: album ?? "", artwork });
  }
}

/** For the system's own display. A station has no end. */
function tellPosition(item, position, duration) {
  if (!navigator.mediaSession?.setPositionState) return;
  const finite = !item.live && Number.isFinite(duration) && duration > 0;
  navigator.mediaSession.setPositionState(finite ? { duration, position: Math.min(position, duration), playbackRate: 1 } : undefined);
}

function share(part, whole) {
  return whole > 0 ? `${Math.min(part / whole, 1) * 100}%` : "0%";
}

/** What a screen reader hears when tracks arrive. */
export function arrival(fresh, total) {
  return fresh === total ? `${plural(total, "track")} to play` : `${plural(fresh, "new track")}, ${total} in all`;
}
