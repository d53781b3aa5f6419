// Which track comes before and after which: the library's order, a list's, or either shuffled.

/** A fair shuffle (Fisher–Yates) of a copy. */
function shuffled(items) {
  const copy = [...items];
  for (let last = copy.length - 1; last > 0; last -= 1) {
    const pick = Math.floor(Math.random() * (last + 1));
    [copy[last], copy[pick]] = [copy[pick], copy[last]];
  }
  return copy;
}

const byId = (tracks) => new Map(tracks.map((track) => [track.track_id, track]));

export class Queue {
  #library = new Map();
  #list = null; // what is gone through in place of the library, if anything
  #guests = new Map();
  #order = [];
  #shuffle = false;
  #name = "";

  /** Takes the library as it is now. A shuffled order keeps its past: new tracks join at the end. */
  update(tracks) {
    this.#library = byId(tracks);
    if (this.#list) return;
    const known = new Set(this.#order);
    const kept = this.#order.filter((id) => this.#library.has(id));
    const fresh = [...this.#library.keys()].filter((id) => !known.has(id));
    this.#order = this.#shuffle ? [...kept, ...shuffled(fresh)] : [...this.#library.keys()];
  }

  /** From now on what follows is this list; a track that it has twice comes once. */
  take(name, tracks, currentId) {
    [this.#name, this.#list] = [name, byId(tracks)];
    this.shuffle(this.#shuffle, currentId);
  }

  /** From now on what follows is the library. */
  takeLibrary(currentId) {
    if (!this.#list) return;
    [this.#name, this.#list] = ["", null];
    this.shuffle(this.#shuffle, currentId);
  }

  /** Switches shuffling; the current track, if any, becomes the first of a new shuffled order. */
  shuffle(on, currentId) {
    this.#shuffle = on;
    const ids = [...this.#tracks.keys()];
    this.#order = on ? [...ids.filter((id) => id === currentId), ...shuffled(ids.filter((id) => id !== currentId))] : ids;
  }

  /** Knows a track that is not in the library as listed: what follows it is the library from its start. */
  remember(track) {
    if (!this.#library.has(track.track_id)) this.#guests.set(track.track_id, track);
  }

  /** What the list is called; empty for the library. */
  get name() {
    return this.#name;
  }

  /** The tracks of the library in its own order. */
  get library() {
    return [...this.#library.values()];
  }

  get first() {
    return this.#tracks.get(this.#order[0]) ?? null;
  }

  find(id) {
    return this.#tracks.get(id) ?? this.#guests.get(id) ?? null;
  }

  after(id) {
    return this.#tracks.get(this.#order[this.#order.indexOf(id) + 1]) ?? null;
  }

  before(id) {
    return this.#tracks.get(this.#order[this.#order.indexOf(id) - 1]) ?? null;
  }

  get #tracks() {
    return this.#list ?? this.#library;
  }
}
