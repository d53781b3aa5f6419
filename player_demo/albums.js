// Albums and artists: what there is, and one of them, to be played as one stream.

import { allAt, ask, askOrNull, at, reachable } from "./api.js";
import { button, element, picture } from "./elements.js";
import { clock, plural } from "./format.js";
import { joinedList, station } from "./joined.js";
import { go } from "./router.js";
import { trackRows } from "./rows.js";

const PAGE = 100;
const ALBUMS_MAX = 1000;
const SEEDS_MAX = 2; // as many as the name of a station has room for

/** All albums, with their covers as this page may ask for them. */
export async function allAlbums() {
  const albums = [];
  for (;;) {
    const page = await askOrNull(`/api/v1/albums?offset=${albums.length}&limit=${PAGE}`);
    albums.push(...(page?.albums ?? []).map(shown));
    if (!page || page.albums.length === 0 || albums.length >= Math.min(page.total, ALBUMS_MAX)) return albums;
  }
}

const shown = (album) => ({ ...album, art: at(album.art), art_sizes: allAt(album.art_sizes) });

/** The artist of a name, with albums and tracks; null where nobody is called so. */
async function artistNamed(name) {
  const found = await askOrNull(`/api/v1/artists/named?${new URLSearchParams({ artist: name })}`);
  return found && { ...found, albums: found.albums.map(shown), tracks: found.tracks.map(reachable) };
}

export async function openAlbumNamed({ album, artist }) {
  const named = (await artistNamed(artist))?.albums.find((each) => each.album === album);
  if (named) go("albums", named.album_id);
  else go("artists", artist);
}

export function albumCard(album) {
  return card({ art: album.art_sizes[640], title: album.album, sub: album.artist, act: () => go("albums", album.album_id) });
}

/** A cover with a name under it, and a note if there is one; a click does `act`. */
export function card({ art, title, sub, note = "", act }) {
  const made = element("button", "card");
  made.type = "button";
  made.append(picture(art, 160, "card-art"), element("span", "card-title", title), element("span", "card-sub", sub));
  if (note) made.append(element("span", "card-note", note));
  made.addEventListener("click", act);
  return made;
}

export function heading(title, sub, ...actions) {
  const [head, texts, buttons] = [element("header", "view-head"), element("div", "heading"), element("div", "actions")];
  const name = element("h2", "view-title", title);
  name.tabIndex = -1;
  texts.append(name, element("p", "summary", sub));
  buttons.append(...actions);
  head.append(texts, buttons);
  return head;
}

/** Cards, or other `content`, under a title; `href` leads to all of it. */
export function shelf(title, cards, content = null, href = null) {
  const [made, head, row] = [element("section", "shelf"), element("div", "shelf-head"), content ?? element("div", "shelf-row")];
  head.append(element("h3", "", title));
  if (href) {
    const link = element("a", "shelf-link", "Open");
    link.href = href;
    link.setAttribute("aria-label", `Open ${title}`);
    head.append(link);
  }
  row.append(...cards);
  made.append(head, row);
  return made;
}

export function radioButton(player, say, name, body, text = "Radio") {
  return button({
    text, sign: "radio", act: async () => {
      const made = await askOrNull("/api/v1/stations", { method: "POST", body });
      if (made) player.playJoined(station(made.station_id, name, made.stream));
      else say("That did not work; try again later.");
    },
  });
}

export const libraryRadio = (player) =>
  button({ text: "Library radio", sign: "radio", act: () => player.playJoined(station("library", "Library radio")) });

/** The views of this part, over the player. */
export class Albums {
  #player;
  #say;

  constructor(player, say) {
    this.#player = player;
    this.#say = say;
  }

  async list() {
    const albums = await allAlbums();
    const grid = element("div", "cards");
    grid.append(...albums.map(albumCard));
    const content = albums.length ? grid : element("p", "nothing", "No album yet.");
    return [heading("Albums", plural(albums.length, "album"), libraryRadio(this.#player)), content];
  }

  async one(id) {
    let album;
    try {
      album = await ask(`/api/v1/albums/${encodeURIComponent(id)}`);
    } catch {
      return null;
    }
    const tracks = album.tracks.map(reachable);
    const play = (trackId) => this.#player.playJoined(joinedList("album", id, album.album, tracks), trackId);
    const sub = [album.artist, album.year, plural(tracks.length, "track"), clock(album.duration_s)].filter(Boolean).join(" · ");
    const seeds = { tracks: tracks.slice(0, SEEDS_MAX).map((track) => track.track_id) };
    const head = heading(album.album, sub,
      button({ className: "pill strong", text: "Play album", sign: "play", act: () => play(null) }),
      radioButton(this.#player, this.#say, `Like ${album.album}`, seeds, "Radio like this"));
    head.prepend(picture(at(album.art_sizes[640]), 160, "head-art"));
    return [head, trackRows(tracks, (index) => play(tracks[index].track_id), { current: this.#player.track?.track_id })];
  }

  async artist(name) {
    const found = await artistNamed(name);
    if (!found) return null;
    const { tracks, albums } = found;
    const similar = await askOrNull(`/api/v1/artists/similar?${new URLSearchParams({ artist: name, limit: 8 })}`);
    const play = (index) => this.#player.playFrom(tracks, index, found.artist);
    const sub = [albums.length && plural(albums.length, "album"), plural(tracks.length, "track")].filter(Boolean).join(" · ");
    const nodes = [heading(found.artist, sub,
      button({ className: "pill strong", text: "Play all", sign: "play", act: () => play(0) }),
      button({ text: "Mix like this", sign: "shuffle", act: () => go("mixes", "artist", found.artist) }),
      radioButton(this.#player, this.#say, `Like ${found.artist}`, { artists: [found.artist_id] }, "Radio like this"))];
    if (albums.length) {
      const row = element("div", "cards");
      row.append(...albums.map(albumCard));
      nodes.push(row);
    }
    nodes.push(trackRows(tracks, play, { current: this.#player.track?.track_id }));
    if (similar?.artists.length) nodes.push(artistShelf("Similar artists", similar.artists));
    return nodes;
  }
}

export function artistShelf(title, artists) {
  const chips = artists.map(({ artist }) => button({ text: artist, act: () => go("artists", artist) }));
  return shelf(title, chips, element("div", "chips"));
}
