// Elements from descriptions, and the page brought to what they describe. Texts become text nodes: nothing that
// comes from a database is ever read as HTML.

const SVG = new Set(["svg", "path", "rect", "circle", "g", "line"]);

/** An element: h("p", {class: "x"}, "text", child, [children]); null and false are left out. */
export function h(name, attributes, ...children) {
  const element = SVG.has(name) ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "style") Object.entries(value).forEach(([k, v]) => element.style.setProperty(k, v));
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat(3).filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

const keyOf = node => (node.nodeType === 1 ? node.getAttribute("data-key") : null);
const isAlike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

function alignAttributes(old, now) {
  for (const { name } of [...old.attributes]) {
    // What a person opened stays open.
    if (!now.hasAttribute(name) && name !== "open" && name !== "data-seen") old.removeAttribute(name);
  }
  for (const { name, value } of [...now.attributes]) {
    if (name === "open" && old.hasAttribute("data-seen")) continue;
    if (name === "style") { if (old.style.cssText !== now.style.cssText) old.style.cssText = now.style.cssText; }
    else if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (old.nodeName === "DETAILS") old.setAttribute("data-seen", "");
}

/** Make `old` like `now` with as few changes as there are: focus, selection and scrolling stay. */
export function align(old, now) {
  if (old.nodeType !== 1) {
    if (old.data !== now.data) old.data = now.data;
    return old;
  }
  // What somebody else draws is left alone.
  if (now.hasAttribute("data-keep")) return old;
  alignAttributes(old, now);
  alignChildren(old, [...now.childNodes]);
  return old;
}

export function alignChildren(parent, wanted) {
  const keyed = new Map([...parent.childNodes].filter(keyOf).map(node => [keyOf(node), node]));
  let at = parent.firstChild;
  for (const node of wanted) {
    const found = keyOf(node) ? keyed.get(keyOf(node)) : at && !keyOf(at) ? at : null;
    if (found && isAlike(found, node)) {
      if (found !== at) parent.insertBefore(found, at);
      else at = at.nextSibling;
      align(found, node);
    } else {
      parent.insertBefore(node, at);
      if (at && !keyOf(at) && !keyOf(node)) { const gone = at; at = at.nextSibling; gone.remove(); }
    }
  }
  while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
}
