// The live panel: which level is heard, how the line does, and the two choices a listener has.

import { Chart } from "./chart.js";
import { support } from "./deck.js";
import { loudness, plural, throughput } from "./format.js";

const FAMILIES = [
  { value: "auto", text: "Auto", title: "Opus where this browser plays it, else AAC" },
  { value: "aac", text: "AAC", title: "AAC-LC, plays everywhere" },
  { value: "opus", text: "Opus", title: "Opus: the same quality from fewer bits" },
  { value: "lossless", text: "Lossless", title: "FLAC, 24 bit: the master as it was levelled, where it was lossless" },
];
const by = (id) => document.getElementById(id);

/** One radio button of a segmented control. */
function segment(name, { value, text, title, disabled = false }, checked) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "radio", name, value, checked, disabled });
  const span = document.createElement("span");
  span.textContent = text;
  if (title) label.title = title;
  label.append(input, span);
  return label;
}

export class SignalPanel {
  #player;
  #chart = new Chart(by("chart"));
  #shownQualities = null;

  constructor(player) {
    this.#player = player;
    const options = FAMILIES.map((family) => ({ ...family, disabled: support[family.value] === false }));
    by("families").append(...options.map((option) => segment("family", option, option.value === player.choices.family)));
    by("families").addEventListener("change", ({ target }) => player.setFamily(target.value));
    by("qualities").addEventListener("change", ({ target }) => {
      player.setQuality(target.value === "auto" ? null : Number(target.value));
    });
    new ResizeObserver(() => this.#chart.draw()).observe(by("chart"));
  }

  /** To be called when the player's state changed. */
  update() {
    const { choices, deck } = this.#player;
    for (const input of by("families").querySelectorAll("input")) input.checked = input.value === choices.family;
    this.#showQualities(deck.levels, choices.kbps);
    this.#showLevel(deck.level);
  }

  /** To be called a few times a second. */
  tick() {
    const { deck, track, state, startupMs, stalls } = this.#player;
    const heard = state === "playing" || state === "loading";
    this.#chart.sample(deck.bufferAhead, heard ? (deck.level?.kbps ?? null) : null);
    this.#chart.draw();
    const bps = deck.throughputBps;
    by("fact-buffer").textContent = track ? `${deck.bufferAhead.toFixed(1)} s` : "–";
    by("fact-throughput").textContent = bps === null ? "–" : throughput(bps);
    by("fact-startup").textContent = startupMs === null ? "–" : `${Math.round(startupMs)} ms`;
    by("fact-stalls").textContent = track ? String(stalls) : "–";
    by("fact-loudness").textContent = track ? loudness(track.level_lufs) : "–";
    const level = deck.level ? `${deck.level.codec} ${deck.level.kbps} kbit/s, ` : "";
    by("chart").setAttribute("aria-label", `${level}${plural(Math.round(deck.bufferAhead), "second")} buffered`);
  }

  #showLevel(level) {
    by("level-rate").textContent = level ? level.kbps : "–";
    by("level-unit").textContent = level ? "kbit/s" : "";
    by("level-codec").textContent = level?.codec ?? "";
    by("level-codec").hidden = !level?.codec;
  }

  #showQualities(levels, kbps) {
    if (levels.length === 0 && this.#shownQualities) return; // a track is being loaded: what was shown stays
    const rates = levels.map((level) => level.kbps);
    const selected = kbps === null ? "auto" : String(rates.findLast((rate) => rate <= kbps) ?? rates[0] ?? "auto");
    const shown = rates.join();
    if (shown !== this.#shownQualities) {
      this.#shownQualities = shown;
      const options = [{ value: "auto", text: "Auto", title: "What the line carries" }];
      options.push(...rates.map((rate) => ({ value: String(rate), text: String(rate), title: `${rate} kbit/s` })));
      by("qualities").replaceChildren(...options.map((option) => segment("quality", option, false)));
    }
    for (const input of by("qualities").querySelectorAll("input")) input.checked = input.value === selected;
  }
}
