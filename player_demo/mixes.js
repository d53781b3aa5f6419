// Mixes: what there is to choose from, and one of them, each track with its reason.

import { account } from "./account.js";
import { ask, askOrNull, reachable } from "./api.js";
import { card, heading, shelf } from "./albums.js";
import { support } from "./deck.js";
import { button, element } from "./elements.js";
import { clock, plural } from "./format.js";
import { joinedMix, joinedOwnMix, station } from "./joined.js";
import { createPlaylist } from "./playlists.js";
import { go } from "./router.js";
import { trackRows } from "./rows.js";

const COUNT = 30;
const GENRES_SHOWN = 12;
const MOODS = { calm: "Calm", mellow: "Mellow", lively: "Lively", wild: "Wild" };
const OWN = { mix: ({ about }) => about.join(", "), "for-you": () => "Made for you" };

/** The home page of whoever asks: a listener who agreed to history has one of its own. */
export const askHome = () => askOrNull("/api/v1/home", account.history ? { key: account.key, cache: "no-store" } : {});

/** The listener's own mixes of a home page, each with its name. */
export function ownMixes(home) {
  const found = (home?.shelves ?? []).filter(({ kind, tracks }) => kind in OWN && tracks.length);
  return found.map((each) => ({ ...each, name: OWN[each.kind](each) }));
}

/** Why the listener gets a track: what it heard. */
export const because = (tracks) => (tracks.length ? `because you played ${tracks.map(({ title }) => title).join(" and ")}` : "");

/** Tiles, one for each mood. */
export function moodTiles() {
  const tiles = element("div", "tiles");
  tiles.append(...Object.entries(MOODS).map(([mood, name]) => tile(name, `mood-${mood}`, ["mood", mood])));
  return tiles;
}

function tile(name, className, address) {
  const made = element("a", `tile ${className}`, name);
  made.href = `#/mixes/${address.map(encodeURIComponent).join("/")}`;
  return made;
}

export class Mixes {
  #player;
  #say;

  constructor(player, say) {
    this.#player = player;
    this.#say = say;
  }

  async list() {
    const own = ownMixes(await askHome());
    const nodes = [heading("Mixes", "Tracks that go together, in an order that flows. Each says why.")];
    if (own.length) {
      nodes.push(shelf("Made for you", own.map(({ name, tracks }, place) => card({
        art: reachable(tracks[0].track).art_sizes[640], title: name, sub: plural(tracks.length, "track"),
        act: () => go("mixes", "for-you", String(place)),
      }))));
    }
    nodes.push(shelf("By mood", [], moodTiles()));
    const genres = (await askOrNull(`/api/v1/genres?limit=${GENRES_SHOWN}`))?.genres ?? [];
    if (genres.length) {
      const tiles = element("div", "tiles");
      tiles.append(...genres.map(({ genre }) => tile(genre, "", ["genre", genre])));
      nodes.push(shelf("By genre", [], tiles));
    }
    return nodes;
  }

  /** One mix: `#/mixes/mood/calm`, `genre/NAME`, `track/ID`, `artist/NAME`, each with a number for another of its kind. */
  async one(kind, value, turn = "1") {
    const mix = kind === "for-you" ? await ownMix(value) : await asked(kind, value, turn);
    if (!mix) return null;
    const { name, tracks, notes, stream } = mix;
    const one = joinedAs(kind, name, tracks);
    const play = (index) => (one ? this.#player.playJoined(one, tracks[index].track_id) : this.#player.playFrom(tracks, index, name));
    const actions = tracks.length ? [button({ className: "pill strong", text: "Play mix", sign: "play", act: () => play(0) })] : [];
    if (stream && tracks.length) actions.push(button({ text: "Radio", label: "Endless radio", sign: "radio", act: () => this.#player.playJoined(station(stream, name)) }));
    if (kind !== "for-you" && tracks.length) actions.push(button({ text: "Another", label: "Another one", sign: "shuffle", act: () => go("mixes", kind, value, String(Number(turn) + 1)) }));
    if (tracks.length) actions.push(button({ text: "Save", label: "Save as playlist", sign: "plus", act: () => this.#keep(name, tracks) }));
    const length = clock(tracks.reduce((sum, track) => sum + track.duration_s, 0));
    const head = heading(name, `${plural(tracks.length, "track")} · ${length}`, ...actions);
    if (!tracks.length) return [head, element("p", "nothing", "Nothing here sounds like that yet.")];
    return [head, trackRows(tracks, play, { current: this.#player.track?.track_id, note: (index) => notes[index] })];
  }

  async #keep(name, tracks) {
    try {
      const { playlist_id: id } = await createPlaylist(name, tracks.map((track) => track.track_id));
      go("playlists", id);
    } catch {
      this.#say("That did not work; try again later.");
    }
  }

}

/** A mix as one stream. What is the listener's own is asked for with a header, which the browser's own player cannot send. */
function joinedAs(kind, name, tracks) {
  if (kind !== "for-you") return joinedMix(name, tracks);
  return support.hls ? joinedOwnMix(name, tracks) : null;
}

async function ownMix(place) {
  const mix = ownMixes(await askHome())[Number(place)];
  if (!mix) return null;
  const notes = mix.tracks.map((each) => because(each.because) || (mix.kind === "mix" ? "because it goes with what you play" : ""));
  return { name: mix.name, tracks: mix.tracks.map(({ track }) => reachable(track)), notes, stream: null };
}

async function asked(kind, value, turn) {
  const query = await wish(kind, value);
  const more = turn === "1" ? {} : { variation: turn };
  const found = await ask(`/api/v1/mixes?${new URLSearchParams({ ...query, ...more, limit: COUNT })}`);
  const first = found.tracks.find(({ reasons }) => reasons[0]?.because === "chosen");
  const names = { mood: MOODS[value], genre: value, artist: `Like ${value}`, track: `Like ${first?.track.title ?? "this"}` };
  const notes = found.tracks.map(({ reasons }) => reasons.map(({ words }) => words).join(" · "));
  return { name: names[kind], tracks: found.tracks.map(({ track }) => reachable(track)), notes, stream: found.station };
}

/** What the API is asked with. An artist is named in the address, and has an id there. */
async function wish(kind, value) {
  if (kind === "mood") return { mood: value };
  if (kind === "genre") return { genre: value };
  if (kind === "track") return { tracks: value };
  return { artists: (await ask(`/api/v1/artists/named?${new URLSearchParams({ artist: value })}`)).artist_id };
}
