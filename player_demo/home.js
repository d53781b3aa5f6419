// The home view: shelves as the API gives them, albums, what is like the track that is on, and the listener's consent.

import { account } from "./account.js";
import { askOrNull, reachable } from "./api.js";
import { albumCard, allAlbums, artistShelf, card, libraryRadio, shelf } from "./albums.js";
import { askHome, because, moodTiles, ownMixes } from "./mixes.js";

const ALBUMS_SHOWN = 12;
const by = (id) => document.getElementById(id);

const TITLES = {
  mix: (about) => `Your mix: ${about.join(", ")}`,
  "for-you": () => "Made for you",
  "because-you-played": ([title]) => `Because you played ${title}`,
  "recently-played": () => "Recently played",
  "new-for-you": () => "New",
  popular: () => "Popular",
};

export class Home {
  #player;
  #similarTo = null;
  #turn = 0;

  constructor(player) {
    this.#player = player;
    by("radio").append(libraryRadio(player));
    by("history").addEventListener("change", () => this.#consent());
    account.addEventListener("change", () => {
      this.#showConsent();
      this.refresh();
    });
    this.#showConsent();
  }

  /** Asks anew; a part that the API does not have is not shown. */
  async refresh() {
    this.#turn += 1;
    const turn = this.#turn;
    const answer = await askHome();
    const albums = await allAlbums();
    if (turn !== this.#turn) return; // asked again meanwhile
    const own = ownMixes(answer).map(({ kind, about }) => `${kind} ${about}`);
    const shelves = different(answer?.shelves ?? []).map((each) => this.#shelf(each, own.indexOf(`${each.kind} ${each.about}`)));
    if (answer && albums.length) shelves.unshift(shelf("Mixes", [], moodTiles(), "#/mixes"));
    if (albums.length) shelves.push(shelf("Albums", albums.slice(0, ALBUMS_SHOWN).map(albumCard)));
    by("shelves").replaceChildren(...shelves.filter(Boolean));
    by("radio").hidden = albums.length === 0;
    by("consent").hidden = answer === null;
  }

  /** To be called when another track is on. */
  async similarTo(track) {
    if (!track || track.track_id === this.#similarTo) return;
    this.#similarTo = track.track_id;
    const answer = await askOrNull(`/api/v1/tracks/${encodeURIComponent(track.track_id)}/similar?limit=12`);
    if (this.#similarTo !== track.track_id) return;
    const tracks = (answer?.tracks ?? []).map(reachable);
    by("similar").replaceChildren(...(tracks.length ? [this.#tracks(`Like ${track.title}`, tracks)] : []));
  }

  #shelf({ kind, about, tracks, artists }, mix) {
    if (kind === "similar-artists") return artists.length ? artistShelf(`Artists like ${about[0]}`, artists) : null;
    const title = TITLES[kind];
    if (!title || !tracks.length) return null;
    const notes = tracks.map((each) => because(each.because));
    return this.#tracks(title(about), tracks.map(({ track }) => reachable(track)), notes, mix < 0 ? null : `#/mixes/for-you/${mix}`);
  }

  #tracks(title, tracks, notes = [], href = null) {
    return shelf(title, tracks.map((track, index) => card({
      art: track.art_sizes[640], title: track.title, sub: track.artist, note: notes[index],
      act: () => this.#player.playFrom(tracks, index, title),
    })), null, href);
  }

  async #consent() {
    const wanted = by("history").checked;
    by("history").disabled = true;
    try {
      await account.setHistory(wanted);
      by("consent-trouble").textContent = "";
    } catch {
      by("consent-trouble").textContent = "That did not work; try again later.";
    }
    by("history").disabled = false;
    this.#showConsent();
  }

  #showConsent() {
    if (!by("history").disabled) by("history").checked = account.history; // else an answer is awaited
  }
}

/** Without what is popular where the same tracks are new: so it is in a small library. */
function different(shelves) {
  const ids = (wanted) => shelves.find(({ kind }) => kind === wanted)?.tracks.map(({ track }) => track.track_id).sort().join();
  return ids("popular") === ids("new-for-you") ? shelves.filter(({ kind }) => kind !== "popular") : shelves;
}
