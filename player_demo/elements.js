// Small pieces of the page: always elements and text, never HTML from strings.

const SVG = "http://www.w3.org/2000/svg";

export function element(tag, className = "", text = null) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== null) made.textContent = text;
  return made;
}

export function icon(name) {
  const [svg, use] = [document.createElementNS(SVG, "svg"), document.createElementNS(SVG, "use")];
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** A button that says what it does: by its text, or by its label where it shows an icon only. */
export function button({ className = "pill", text = null, label = null, sign = null, act }) {
  const made = element("button", className);
  made.type = "button";
  if (sign) made.append(icon(sign));
  if (text) made.append(element("span", "", text));
  if (label) {
    made.setAttribute("aria-label", label);
    made.title = label;
  }
  made.addEventListener("click", act);
  return made;
}

export function picture(src, side, className) {
  const frame = element("span", className);
  const image = new Image(side, side);
  Object.assign(image, { alt: "", loading: "lazy", decoding: "async", src });
  image.addEventListener("error", () => image.remove());
  frame.append(image);
  return frame;
}

/** A name in pieces as the search gives them: what matched is marked. */
export function marked(pieces, className) {
  const line = element("span", className);
  line.append(...pieces.map(({ text, match }) => (match ? element("mark", "", text) : text)));
  return line;
}
