// What a listener can do with the track that is on: mark it as a favourite, add it to a playlist.

import { account } from "./account.js";
import { addTo, createPlaylist, nameForm, ownPlaylists } from "./playlists.js";
import { button } from "./elements.js";
import { go } from "./router.js";

const by = (id) => document.getElementById(id);
const path = (trackId) => `/api/v1/favourites/${encodeURIComponent(trackId)}`;

export class Mine {
  #player;
  #say;
  #track = null;
  #favourite = false;

  constructor(player, say) {
    this.#player = player;
    this.#say = say;
    by("favourite").addEventListener("click", () => this.#mark());
    by("add").addEventListener("click", () => this.#choose());
    by("like").addEventListener("click", () => go("mixes", "track", this.#track.track_id));
    by("add-close").addEventListener("click", () => by("add-dialog").close());
  }

  /** To be called when another track is on. Asks only for a listener who is known. */
  async show(track) {
    this.#track = track;
    by("mine").hidden = !track;
    this.#showMark(false);
    if (!track || !account.key) return;
    const answer = await account.ask(path(track.track_id)).catch(() => null);
    if (this.#track === track && answer) this.#showMark(answer.favourite);
  }

  async #mark() {
    const [track, wanted] = [this.#track, !this.#favourite];
    this.#showMark(wanted);
    try {
      await account.ensure();
      await account.ask(path(track.track_id), { method: wanted ? "PUT" : "DELETE" });
      this.#say(wanted ? `${track.title} is a favourite` : `${track.title} is no favourite any more`);
    } catch {
      if (this.#track === track) this.#showMark(!wanted);
      this.#say("That did not work; try again later.");
    }
  }

  #showMark(favourite) {
    this.#favourite = favourite;
    by("favourite").setAttribute("aria-pressed", String(favourite));
  }

  async #choose() {
    const track = this.#track;
    const playlists = await ownPlaylists().catch(() => []);
    const mine = playlists.filter((each) => each.own && !each.by_rules);
    const done = (name) => {
      by("add-dialog").close();
      this.#say(`${track.title} is in ${name}`);
    };
    const trouble = () => { by("add-trouble").textContent = "That did not work; try again later."; };
    by("add-trouble").textContent = "";
    by("add-lists").replaceChildren(...mine.map(({ playlist_id: id, name }) =>
      button({ text: name, act: () => addTo(id, track.track_id).then(() => done(name), trouble) })));
    by("add-new").replaceChildren(nameForm({ label: "Name of a new playlist", verb: "Create",
      act: (name) => createPlaylist(name, [track.track_id]).then(() => done(name), trouble) }));
    by("add-title").textContent = `Add ${track.title} to`;
    by("add-dialog").showModal();
  }
}
