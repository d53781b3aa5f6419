// The address says which view is shown: `#/`, `#/albums`, `#/albums/ID`, `#/artists/NAME`, `#/playlists`,
// `#/playlists/ID`, `#/mixes`, `#/mixes/KIND/VALUE`.

import { button, element } from "./elements.js";

const by = (id) => document.getElementById(id);

export const go = (...parts) => { location.hash = `#/${parts.map(encodeURIComponent).join("/")}`; };

/**
 * Shows the view of the address, now and whenever it changes. `views` by the first part of the address: each gives the
 * nodes to show, or null where there is nothing to show. The home view, `""`, is on the page already. Gives a function
 * that shows the same view anew, with the focus where it was.
 */
export function followAddress(views) {
  let turn = 0;
  async function show() {
    turn += 1;
    const mine = turn;
    const [name, ...more] = parts(location.hash);
    const away = name !== "" && name in views;
    markLink(away ? name : "");
    by("views").setAttribute("aria-busy", String(away));
    const nodes = away ? await views[name](...more).catch(() => null) : null;
    if (mine !== turn) return false; // somebody went on meanwhile
    by("views").setAttribute("aria-busy", "false");
    if (!away) views[""]();
    by("home").hidden = away;
    by("view").hidden = !away;
    by("view").replaceChildren(...(away ? (nodes ?? [gone(refresh)]) : []));
    return true;
  }
  async function refresh() {
    const label = by("view").contains(document.activeElement) && document.activeElement.getAttribute("aria-label");
    if (await show() && label) by("view").querySelector(`[aria-label="${CSS.escape(label)}"]`)?.focus();
  }
  addEventListener("hashchange", async () => {
    if (!await show()) return;
    by("views").scrollTop = 0;
    if (by("nav").getBoundingClientRect().top < 0) by("nav").scrollIntoView(); // on a phone the page scrolls
    by("view").querySelector("h2")?.focus({ preventScroll: true }); // from there a keyboard and a screen reader go on
  });
  show();
  return refresh;
}

function markLink(name) {
  for (const link of document.querySelectorAll("#nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function parts(hash) {
  try {
    return hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  } catch {
    return [""]; // no address of this page
  }
}

function gone(again) {
  const made = element("div", "nothing");
  made.append(element("p", "", "There is nothing here, or the origin does not answer."), button({ text: "Try again", act: again }));
  return made;
}
