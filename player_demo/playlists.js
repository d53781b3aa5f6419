// The listener's playlists: make, rename, reorder, delete, make public, and play as one stream.

import { account } from "./account.js";
import { ask, reachable } from "./api.js";
import { heading } from "./albums.js";
import { support } from "./deck.js";
import { button, element } from "./elements.js";
import { plural } from "./format.js";
import { joinedList } from "./joined.js";
import { go } from "./router.js";
import { trackRows } from "./rows.js";

const PAGE = 500;
const path = (...parts) => `/api/v1/playlists${parts.map((part) => `/${encodeURIComponent(part)}`).join("")}`;

/** The listener's playlists; none where nobody is known. */
export async function ownPlaylists() {
  if (!account.key) return [];
  return (await account.ask(`${path()}?limit=${PAGE}`)).playlists;
}

/** Makes a playlist. Makes a listener, too, where there is none: a playlist belongs to somebody. */
export async function createPlaylist(name, trackIds = []) {
  await account.ensure();
  return account.ask(path(), { method: "POST", body: { name, track_ids: trackIds } });
}

export const addTo = (id, trackId) => account.ask(path(id, "tracks"), { method: "POST", body: { track_ids: [trackId] } });

/** A box for a name and a button; `act(name)` is called with what was typed. */
export function nameForm({ label, verb, value = "", act }) {
  const [form, line, box] = [element("form", "name-form"), element("label"), element("input")];
  Object.assign(box, { type: "text", required: true, maxLength: 200, value, placeholder: label, autocomplete: "off" });
  line.append(element("span", "visually-hidden", label), box);
  const submit = element("button", "pill", verb);
  submit.type = "submit";
  form.append(line, submit);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (box.value.trim()) act(box.value.trim());
  });
  return form;
}

export class Playlists {
  #player;
  #refresh = () => {};
  #say;

  constructor(player, say) {
    this.#player = player;
    this.#say = say;
  }

  /** `refresh()` shows the view of the address again. */
  onChange(refresh) {
    this.#refresh = refresh;
  }

  async list() {
    const playlists = await ownPlaylists();
    const rows = element("ul", "lists");
    rows.setAttribute("role", "list");
    rows.append(...playlists.map((each) => {
      const [item, link] = [element("li"), element("a", "list-row")];
      link.href = `#/playlists/${each.playlist_id}`;
      const sub = each.by_rules ? "by rules" : plural(each.entries, "track");
      link.append(element("span", "row-title", each.name), element("span", "row-artist", each.public ? `${sub} · public` : sub));
      item.append(link);
      return item;
    }));
    const make = nameForm({ label: "Name of a new playlist", verb: "Create", act: (name) => this.#do(async () => {
      go("playlists", (await createPlaylist(name)).playlist_id);
    }) });
    const nodes = [heading("Playlists", plural(playlists.length, "playlist")), make];
    return [...nodes, playlists.length ? rows : element("p", "nothing", "No playlist yet. Name one, then add what you hear with the plus sign.")];
  }

  async one(id) {
    const asking = account.key ? (where) => account.ask(where) : ask;
    let answers;
    try {
      answers = await Promise.all([asking(path(id)), asking(`${path(id, "tracks")}?limit=${PAGE}`)]);
    } catch {
      return null;
    }
    const [playlist, { entries }] = answers;
    const live = entries.filter((entry) => entry.track).map((entry) => ({ ...entry, track: reachable(entry.track) }));
    const tracks = live.map((entry) => entry.track);
    const pick = (index, from = tracks[index].track_id) => {
      // A key goes in a header, which the browser's own player of HLS cannot send: there they play one by one.
      if (!playlist.public && !support.hls) this.#player.playFrom(tracks, index, playlist.name);
      else this.#player.playJoined(joinedList("playlist", id, playlist.name, tracks, playlist.public ? null : account.key), from);
    };
    const edited = playlist.own && !playlist.by_rules;
    const extra = edited ? (index) => this.#rowButtons(id, live, index) : undefined;
    const sub = `${plural(tracks.length, "track")}${playlist.public ? " · public" : ""}`;
    const nodes = [heading(playlist.name, sub, ...this.#actions(playlist, tracks, () => pick(0, null)))];
    if (playlist.own) {
      nodes.push(nameForm({ label: "Name", verb: "Rename", value: playlist.name, act: (name) => this.#edit(id, { name }) }));
    }
    nodes.push(tracks.length ? trackRows(tracks, (index) => pick(index), { current: this.#player.track?.track_id, extra }) : element("p", "nothing", "Nothing in it yet."));
    return nodes;
  }

  #actions({ playlist_id: id, own, public: open, name }, tracks, start) {
    const play = button({ className: "pill strong", text: "Play playlist", sign: "play", act: start });
    const actions = tracks.length ? [play] : [];
    if (!own) return actions;
    const share = open ? "Make private" : "Make public";
    return [...actions,
      ...(open ? [button({ text: "Copy link", act: () => this.#copyLink(id) })] : []),
      button({ text: share, act: () => this.#edit(id, { public: !open }) }),
      button({ text: "Delete", label: `Delete ${name}`, act: ({ currentTarget }) => this.#remove(id, currentTarget) })];
  }

  #rowButtons(id, live, index) {
    const { entry_id: entry, title } = live[index];
    const move = (before) => this.#do(() => account.ask(path(id, "tracks", entry), { method: "PATCH", body: { before } }), true);
    const up = button({ className: "icon", sign: "up", label: `Move ${title} up`, act: () => move(live[index - 1].entry_id) });
    const down = button({ className: "icon", sign: "down", label: `Move ${title} down`, act: () => move(live[index + 2]?.entry_id ?? null) });
    up.disabled = index === 0;
    down.disabled = index === live.length - 1;
    const remove = button({ className: "icon", sign: "remove", label: `Remove ${title}`,
      act: () => this.#do(() => account.ask(path(id, "tracks", entry), { method: "DELETE" }), true) });
    return [up, down, remove];
  }

  /** Deletes at the second press: the first one asks. */
  #remove(id, pressed) {
    if (pressed.dataset.sure) {
      this.#do(async () => {
        await account.ask(path(id), { method: "DELETE" });
        go("playlists");
      });
      return;
    }
    pressed.dataset.sure = "yes";
    pressed.textContent = "Really delete?";
    pressed.setAttribute("aria-label", "Really delete?");
  }

  /** The address of a public playlist, without the token that this page may be under: that is this listener's. */
  async #copyLink(id) {
    try {
      await navigator.clipboard.writeText(`${location.origin}/#/playlists/${id}`);
      this.#say("The link is copied.");
    } catch {
      this.#say("The browser does not allow it; copy the address of this page.");
    }
  }

  #edit(id, change) {
    this.#do(() => account.ask(path(id), { method: "PATCH", body: change }), true);
  }

  async #do(work, refresh = false) {
    try {
      await work();
    } catch {
      this.#say("That did not work; try again later.");
      return;
    }
    if (refresh) this.#refresh();
  }
}
