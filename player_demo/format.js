// Numbers as listeners read them.

const MINUS = "\u2212";

/** 75.4 -> "1:15" */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** 75.4 -> "1 minute 15 seconds", for those who listen to the page */
export function spokenTime(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [minutes, rest] = [Math.floor(whole / 60), whole % 60];
  const parts = [minutes && plural(minutes, "minute"), (rest || !minutes) && plural(rest, "second")];
  return parts.filter(Boolean).join(" ");
}

export function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** 4210000 -> "4.2 Mbit/s" */
export function throughput(bps) {
  if (bps >= 10e6) return `${Math.round(bps / 1e6)} Mbit/s`;
  return bps >= 1e6 ? `${(bps / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bps / 1e3)} kbit/s`;
}

/** -14.02 -> "−14.0 LUFS"; null is silence, which has no level */
export function loudness(lufs) {
  if (!Number.isFinite(lufs)) return "silent";
  return `${lufs < 0 ? MINUS : ""}${Math.abs(lufs).toFixed(1)} LUFS`;
}

/** "Artist · Album", without what is missing */
export function byline({ artist, album }) {
  return [artist, album].filter(Boolean).join(" · ");
}
