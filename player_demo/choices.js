// What the listener chose, kept from visit to visit where the browser lets us.

const KEY = "segue-player";
const DEFAULTS = Object.freeze({ family: "auto", kbps: null, volume: 1, muted: false, shuffle: false });
const FAMILIES = ["auto", "aac", "opus", "lossless"];

/** The kept choices; anything missing or malformed falls back to its default. */
export function readChoices() {
  const kept = stored();
  return {
    family: FAMILIES.includes(kept.family) ? kept.family : DEFAULTS.family,
    kbps: Number.isInteger(kept.kbps) && kept.kbps > 0 ? kept.kbps : DEFAULTS.kbps,
    volume: kept.volume >= 0 && kept.volume <= 1 ? kept.volume : DEFAULTS.volume,
    muted: kept.muted === true,
    shuffle: kept.shuffle === true,
  };
}

/** Keeps the choices. Private windows may refuse storage: then they last as long as the page. */
export function keepChoices(choices) {
  try {
    localStorage.setItem(KEY, JSON.stringify(choices));
  } catch {
    // Nothing depends on it.
  }
}

function stored() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}
