// The home view: shelves as the API gives them, albums, what is like the track that is on, and the listener's consent.

import { account } from "./account.js";
import { askOrNull, reachable } from "./api.js";
import { albumCard, allAlbums, artistShelf, card, libraryRadio } from "./albums.js";
import { element } from "./elements.js";

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
    const answer = await askOrNull("/api/v1/home", account.history ? { key: account.key, cache: "no-store" } : {});
    const albums = await allAlbums();
    if (turn !== this.#turn) return; // asked again meanwhile
    const shelves = (answer?.shelves ?? []).map((each) => this.#shelf(each)).filter(Boolean);
    if (albums.length) shelves.push(shelf("Albums", albums.slice(0, ALBUMS_SHOWN).map(albumCard)));
    by("shelves").replaceChildren(...shelves);
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

  #shelf({ kind, about, tracks, artists }) {
    if (kind === "similar-artists") return artists.length ? artistShelf(`Artists like ${about[0]}`, artists) : null;
    const title = TITLES[kind];
    return title && tracks.length ? this.#tracks(title(about), tracks.map(({ track }) => reachable(track))) : null;
  }

  #tracks(title, tracks) {
    return shelf(title, tracks.map((track) => card({
      art: track.art_sizes[640], title: track.title, sub: track.artist,
      act: () => this.#player.playOne(track),
    })));
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

function shelf(title, cards) {
  const [made, row] = [element("section", "shelf"), element("div", "shelf-row")];
  row.append(...cards);
  made.append(element("h3", "", title), row);
  return made;
}
