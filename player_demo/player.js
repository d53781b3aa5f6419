// The page: the library feeds the player, the player's state is shown, and `window.seguePlayer` shows it to tests.

import { Player } from "./engine.js";
import { followLibrary } from "./library.js";
import { SignalPanel } from "./signal.js";
import { arrival, Stage } from "./stage.js";
import { TrackList } from "./tracklist.js";

const TICK_MS = 250;

const player = new Player();
const stage = new Stage(player);
const signal = new SignalPanel(player);
const list = new TrackList((trackId) => {
  const isCurrent = player.track?.track_id === trackId;
  if (isCurrent && player.state !== "ended") player.toggle();
  else player.playTrack(trackId);
});

player.addEventListener("change", () => {
  stage.update();
  signal.update();
  list.mark(player.track?.track_id ?? null);
});

setInterval(() => {
  player.tick();
  stage.tick();
  signal.tick();
}, TICK_MS);

followLibrary(
  (tracks) => {
    const fresh = list.show(tracks);
    player.setTracks(tracks);
    if (fresh > 0) stage.announce(arrival(fresh, tracks.length));
  },
  (error) => list.setTrouble(error),
);

window.seguePlayer = Object.freeze({
  get audio() { return player.deck.audio; },
  get state() { return player.state; },
  get track() { return player.track; },
  get family() { return player.deck.family; },
  get level() { return player.deck.level; },
  get levels() { return player.deck.levels; },
  get position() { return player.deck.position; },
  get duration() { return player.deck.duration; },
  get bufferAhead() { return player.deck.bufferAhead; },
  get ended() { return player.endedCount; },
  get stalls() { return player.stalls; },
  get startupMs() { return player.startupMs; },
  get errors() { return player.errors; },
  get trace() { return player.trace; },
  play: (trackId) => player.playTrack(trackId),
  seek: (seconds) => player.seek(seconds),
});
