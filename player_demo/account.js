// The listener, if there is one: made when somebody asks for what needs one, never by looking.

import { ask } from "./api.js";

const KEY = "segue-listener";

/** Events: "change" when there is a listener or none any more, or when it agreed to history or does not any more. */
class Account extends EventTarget {
  #kept = read();
  #making = null;

  /** The key that proves who asks; null if nobody is known. */
  get key() {
    return this.#kept?.key ?? null;
  }

  /** Whether the listener agreed that its plays are kept. Without this nothing about plays may be sent. */
  get history() {
    return this.#kept?.history === true;
  }

  /** The key; makes a listener where there is none. Only to be called for something that somebody asked for. */
  async ensure() {
    this.#making ??= this.key ? null : this.#make();
    try {
      await this.#making;
    } finally {
      this.#making = null;
    }
    return this.key;
  }

  async #make() {
    const { key } = await ask("/api/v1/listeners", { method: "POST" });
    this.#keep({ key, history: false });
  }

  /** Agree to history, or not any more: then the origin deletes what it kept of plays. */
  async setHistory(history) {
    if (!history && !this.key) return;
    await ask("/api/v1/consent", { method: "PUT", body: { history }, key: await this.ensure() });
    this.#keep({ key: this.key, history });
  }

  /** To be called when the origin does not know the key: there is no listener any more. */
  forget() {
    this.#keep(null);
  }

  /** Asks as the listener. A key that is refused is forgotten. */
  async ask(path, options = {}) {
    try {
      return await ask(path, { ...options, key: this.key, cache: "no-store" });
    } catch (error) {
      if (error.status === 401 && this.key) this.forget();
      throw error;
    }
  }

  #keep(kept) {
    this.#kept = kept;
    try {
      if (kept) localStorage.setItem(KEY, JSON.stringify(kept));
      else localStorage.removeItem(KEY);
    } catch {
      // Then the listener lasts as long as the page.
    }
    this.dispatchEvent(new Event("change"));
  }
}

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY));
    return typeof kept?.key === "string" ? kept : null;
  } catch {
    return null;
  }
}

export const account = new Account();
