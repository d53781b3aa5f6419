// The search box: what is found while somebody types, as a combobox with a list of options.

import { ask, at, reachable } from "./api.js";
import { account } from "./account.js";
import { element, icon, marked, picture } from "./elements.js";
import { plural } from "./format.js";

const PAUSE_MS = 90; // between two keys; a request for each would be for nothing
const EACH = 5;
const by = (id) => document.getElementById(id);

export class Search {
  #acts = { track: null, album: null, artist: null };
  #options = [];
  #active = -1;
  #timer = null;
  #asking = null;

  /** `acts`: what to do with a track, an album or an artist (as the API gives them) that is picked. */
  constructor(acts) {
    this.#acts = acts;
    by("search").addEventListener("input", () => this.#typed());
    by("search").addEventListener("focus", () => this.#focused());
    by("search").addEventListener("keydown", (event) => this.#onKey(event));
    by("search").addEventListener("blur", () => this.#close());
    by("results").addEventListener("pointerdown", (event) => event.preventDefault()); // the box keeps the focus
    by("results").addEventListener("click", ({ target }) => {
      const option = target.closest("[role=option]");
      if (option) this.#pick(this.#options.findIndex((each) => each.node === option));
    });
  }

  #focused() {
    if (matchMedia("(max-width: 720px)").matches) by("nav").scrollIntoView(); // room for the results
    this.#typed();
  }

  #typed() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    const text = by("search").value.trim();
    if (text) this.#timer = setTimeout(() => this.#ask(text), PAUSE_MS);
    else this.#close();
  }

  async #ask(text) {
    const asking = new AbortController();
    this.#asking = asking;
    const path = `/api/v1/search?${new URLSearchParams({ q: text, limit: EACH })}`;
    let found = null;
    try {
      found = await (account.history ? account.ask(path, { signal: asking.signal }) : ask(path, { signal: asking.signal }));
    } catch {
      if (asking.signal.aborted) return;
    }
    if (asking.signal.aborted || document.activeElement !== by("search")) return;
    this.#show(found);
  }

  #show(found) {
    this.#options = [];
    this.#active = -1;
    const groups = found
      ? [this.#group("Tracks", "track", found.tracks), this.#group("Albums", "album", found.albums), this.#group("Artists", "artist", found.artists)]
      : [];
    const shown = groups.filter(Boolean);
    by("results").replaceChildren(...shown);
    by("results").hidden = shown.length === 0;
    const nothing = found ? "No match" : "The search does not answer";
    by("no-results").textContent = shown.length ? "" : nothing;
    by("no-results").hidden = shown.length > 0;
    by("search").setAttribute("aria-expanded", String(shown.length > 0));
    by("search").removeAttribute("aria-activedescendant");
    by("search-count").textContent = shown.length ? plural(this.#options.length, "result") : nothing;
  }

  #group(name, kind, items) {
    if (!items?.length) return null;
    const group = element("div", "result-group");
    const heading = element("div", "result-heading", name);
    heading.id = `results-${kind}`;
    group.setAttribute("role", "group");
    group.setAttribute("aria-labelledby", heading.id);
    group.append(heading, ...items.map((item) => this.#option(kind, item)));
    return group;
  }

  #option(kind, item) {
    const node = element("div", "result");
    node.id = `result-${this.#options.length}`;
    node.setAttribute("role", "option");
    node.setAttribute("aria-selected", "false");
    const shown = { track: trackParts, album: albumParts, artist: artistParts }[kind](item);
    const names = element("span", "names");
    names.append(...shown.lines);
    node.append(shown.sign, names);
    this.#options.push({ node, kind, item: shown.item });
    return node;
  }

  #onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.#options.length) {
      const places = this.#options.length + 1; // one of them is the box itself
      this.#mark(((this.#active + 1 + step + places) % places) - 1);
      event.preventDefault();
    } else if (event.key === "Enter" && this.#options.length) {
      this.#pick(Math.max(this.#active, 0));
      event.preventDefault();
    } else if (event.key === "Escape") {
      if (by("results").hidden && by("no-results").hidden) by("search").blur();
      this.#close();
      event.preventDefault(); // the text stays
    }
  }

  #mark(place) {
    this.#active = place;
    this.#options.forEach(({ node }, index) => node.setAttribute("aria-selected", String(index === place)));
    const option = this.#options[place]?.node;
    if (!option) {
      by("search").removeAttribute("aria-activedescendant");
      return;
    }
    by("search").setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  #pick(place) {
    const picked = this.#options[place];
    if (!picked) return;
    this.#close();
    by("search").blur();
    this.#acts[picked.kind](picked.item);
  }

  #close() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    this.#options = [];
    this.#active = -1;
    by("results").hidden = true;
    by("no-results").hidden = true;
    by("results").replaceChildren();
    by("search").setAttribute("aria-expanded", "false");
    by("search").removeAttribute("aria-activedescendant");
    by("search-count").textContent = "";
  }
}

function trackParts(found) {
  const track = reachable(found);
  const lines = [marked(found.marks.title, "row-title"), marked(found.marks.artist, "row-artist")];
  return { item: track, sign: picture(track.art_sizes[160], 40, "result-art"), lines };
}

function albumParts(found) {
  const lines = [marked(found.marks.album, "row-title"), marked(found.marks.artist, "row-artist")];
  return { item: found, sign: picture(found.art ? at(found.art) : "", 40, "result-art"), lines };
}

function artistParts(found) {
  const sign = element("span", "result-art round");
  sign.append(icon("note"));
  const lines = [marked(found.marks.artist, "row-title"), element("span", "row-artist", plural(found.tracks, "track"))];
  return { item: found, sign, lines };
}
