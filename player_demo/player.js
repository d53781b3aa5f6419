// The page: the library feeds the player, the player's state is shown, and `window.seguePlayer` shows it to tests.

import { Albums, openAlbumNamed } from "./albums.js";
import { Player } from "./engine.js";
import { Home } from "./home.js";
import { Mine } from "./mine.js";
import { Mixes } from "./mixes.js";
import { Playlists } from "./playlists.js";
import { Plays } from "./plays.js";
import { followLibrary } from "./library.js";
import { followAddress, go } from "./router.js";
import { markRows } from "./rows.js";
import { Search } from "./search.js";
import { SignalPanel } from "./signal.js";
import { arrival, Stage } from "./stage.js";
import { TrackList } from "./tracklist.js";

const TICK_MS = 250;

const player = new Player();
const stage = new Stage(player);
const signal = new SignalPanel(player);
const list = new TrackList((trackId) => {
  const isCurrent = player.item?.track_id === trackId;
  if (isCurrent && player.state !== "ended") player.toggle();
  else player.playTrack(trackId);
});

const home = new Home(player);
const say = (text) => stage.say(text);
const albums = new Albums(player, say);
const mixes = new Mixes(player, say);
const playlists = new Playlists(player, say);
const mine = new Mine(player, say);
const plays = new Plays(player);
let onId = null;

new Search({
  track: (track) => player.playOne(track),
  album: openAlbumNamed,
  artist: ({ artist }) => go("artists", artist),
});

player.addEventListener("change", () => {
  stage.update();
  signal.update();
  const id = player.track?.track_id ?? null;
  if (id === onId) return;
  onId = id;
  list.mark(id);
  markRows(id);
  home.similarTo(player.track);
  mine.show(player.track);
});

setInterval(() => {
  player.tick();
  stage.tick();
  signal.tick();
  plays.tick();
}, TICK_MS);

const refresh = followAddress({
  albums: (id) => (id ? albums.one(id) : albums.list()),
  artists: (name) => albums.artist(name ?? ""),
  "": () => home.refresh(),
  mixes: (...mix) => (mix.length > 1 ? mixes.one(...mix) : mixes.list()),
  playlists: (id) => (id ? playlists.one(id) : playlists.list()),
});
playlists.onChange(refresh);

followLibrary(
  (tracks) => {
    const fresh = list.show(tracks);
    player.setTracks(tracks);
    home.refresh();
    if (fresh > 0) stage.announce(arrival(fresh, tracks.length));
  },
  (error) => list.setTrouble(error),
);

window.seguePlayer = Object.freeze({
  get audio() { return player.deck.audio; },
  get state() { return player.state; },
  get track() { return player.track; },
  get item() { return player.item?.track_id ?? null; },
  get family() { return player.deck.family; },
  get level() { return player.deck.level; },
  get levels() { return player.deck.levels; },
  get position() { return player.position; },
  get duration() { return player.duration; },
  get bufferAhead() { return player.deck.bufferAhead; },
  get ended() { return player.endedCount; },
  get stalls() { return player.stalls; },
  get startupMs() { return player.startupMs; },
  get errors() { return player.errors; },
  get trace() { return player.trace; },
  play: (trackId) => player.playTrack(trackId),
  seek: (seconds) => player.seek(seconds),
});
