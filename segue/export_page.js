// Plays the tracks of tracks.json: by the browser itself where it knows HLS, else by hls.js.
import Hls from "./hls.mjs";

const audio = document.querySelector("audio");
const trouble = document.querySelector("#trouble");
const list = document.querySelector("ol");
let player = null;

function play(track, button) {
  for (const each of list.querySelectorAll("button")) each.removeAttribute("aria-current");
  button.setAttribute("aria-current", "true");
  trouble.textContent = "";
  player?.destroy();
  player = null;
  if (Hls.isSupported()) {
    player = new Hls();
    player.on(Hls.Events.ERROR, (_, error) => {
      if (error.fatal) trouble.textContent = `cannot play: ${error.details}`;
    });
    player.loadSource(track.playlists.aac);
    player.attachMedia(audio);
  } else {
    audio.src = track.playlists.aac;
  }
  audio.play().catch(() => {});  // where a page may not begin by itself the controls do
}

function row(track) {
  const button = document.createElement("button");
  const art = Object.assign(document.createElement("img"), { src: track.art, alt: "", loading: "lazy" });
  const title = Object.assign(document.createElement("span"), { textContent: track.title });
  const about = [track.artists.join(", "), track.album].filter(Boolean).join(" · ");
  title.append(Object.assign(document.createElement("small"), { textContent: about }));
  button.append(art, title);
  button.addEventListener("click", () => play(track, button));
  const item = document.createElement("li");
  item.append(button);
  return item;
}

const answer = await fetch("tracks.json");
list.append(...(await answer.json()).map(row));
