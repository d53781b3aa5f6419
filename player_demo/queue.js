// Which track comes before and after which: the library's order, or a shuffled one.

/** A fair shuffle (Fisher–Yates) of a copy. */
function shuffled(items) {
  const copy = [...items];
  for (let last = copy.length - 1; last > 0; last -= 1) {
    const pick = Math.floor(Math.random() * (last + 1));
    [copy[last], copy[pick]] = [copy[pick], copy[last]];
  }
  return copy;
}

export class Queue {
  #tracks = new Map();
  #guests = new Map();
  #order = [];
  #shuffle = false;

  /** Takes the library as it is now. A shuffled order keeps its past: new tracks join at the end. */
  update(tracks) {
    this.#tracks = new Map(tracks.map((track) => [track.track_id, track]));
    const known = new Set(this.#order);
    const kept = this.#order.filter((id) => this.#tracks.has(id));
    const fresh = [...this.#tracks.keys()].filter((id) => !known.has(id));
    this.#order = this.#shuffle ? [...kept, ...shuffled(fresh)] : [...this.#tracks.keys()];
  }

  /** Switches shuffling; the current track, if any, becomes the first of a new shuffled order. */
  shuffle(on, currentId) {
    this.#shuffle = on;
    const ids = [...this.#tracks.keys()];
    this.#order = on ? [...ids.filter((id) => id === currentId), ...shuffled(ids.filter((id) => id !== currentId))] : ids;
  }

  /** Knows a track that is not in the library as listed: what follows it is the library from its start. */
  remember(track) {
    if (!this.#tracks.has(track.track_id)) this.#guests.set(track.track_id, track);
  }

  /** The tracks of the library in its own order. */
  get all() {
    return [...this.#tracks.values()];
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
}
