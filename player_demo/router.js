// The address says which view is shown: `#/`, `#/albums`, `#/albums/ID`, `#/artists/NAME`, `#/playlists`, `#/playlists/ID`.

const by = (id) => document.getElementById(id);

export const go = (...parts) => { location.hash = `#/${parts.map(encodeURIComponent).join("/")}`; };

/**
 * Shows the view of the address, now and whenever it changes. `views` by the first part of the address: each gives the
 * nodes to show, or null where there is nothing to show. The home view is on the page already.
 */
export function followAddress(views) {
  let turn = 0;
  async function show() {
    turn += 1;
    const mine = turn;
    const [name, argument] = parts(location.hash);
    const view = views[name];
    const home = !view;
    for (const link of document.querySelectorAll("#nav a")) {
      if ((link.dataset.view || "") === (home ? "" : link.dataset.view === name ? name : "none")) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const nodes = home ? null : await view(argument).catch(() => null);
    if (mine !== turn) return; // somebody went on meanwhile
    by("home").hidden = !home;
    by("view").hidden = home;
    by("view").replaceChildren(...(home ? [] : (nodes ?? [gone()])));
    by("views").scrollTop = 0;
    if (mine > 1 && by("nav").getBoundingClientRect().top < 0) by("nav").scrollIntoView(); // on a phone the page scrolls
  }
  addEventListener("hashchange", show);
  show();
  return show;
}

function parts(hash) {
  try {
    return hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  } catch {
    return [""]; // no address of this page
  }
}

function gone() {
  const said = document.createElement("p");
  said.className = "nothing";
  said.textContent = "There is nothing here, or the origin does not answer.";
  return said;
}
