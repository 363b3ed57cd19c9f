// Brings a part of the page to what the server now renders, changing only what differs: focus, selection, open
// details and drawn charts stay. Elements are paired by data-key or id, else by their place; data-keep is left alone.

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.dataset?.key ?? node.id ?? "" : "");
const alike = (a, b) => a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

function syncAttributes(present, wanted) {
  for (const { name, value } of wanted.attributes) {
    if (present.getAttribute(name) !== value) present.setAttribute(name, value);
  }
  for (const { name } of [...present.attributes]) {
    // `open` is the reader's choice; the exact time is the ticker's.
    if (!wanted.hasAttribute(name) && name !== "open" && !name.startsWith("data-exact")) present.removeAttribute(name);
  }
}

function syncChildren(present, wanted) {
  const keyed = new Map();
  for (const child of present.children) if (keyOf(child)) keyed.set(keyOf(child), child);
  let cursor = present.firstChild;
  for (const child of [...wanted.childNodes]) {
    const key = keyOf(child);
    let match = key ? keyed.get(key) : cursor;
    if (match && !(match.parentNode === present && alike(match, child) && (key || !keyOf(match)))) match = null;
    if (match) {
      if (match === cursor) cursor = cursor.nextSibling;
      else present.insertBefore(match, cursor);
      morph(match, child);
    } else {
      present.insertBefore(document.importNode(child, true), cursor);
    }
  }
  while (cursor) {
    const next = cursor.nextSibling;
    cursor.remove();
    cursor = next;
  }
}

/** Makes `present` (in the page) what `wanted` (freshly parsed) is. */
export function morph(present, wanted) {
  if (present.nodeType !== Node.ELEMENT_NODE) {
    if (present.data !== wanted.data) present.data = wanted.data;
    return;
  }
  if (present.hasAttribute("data-keep") || present.isEqualNode(wanted)) return;
  const relative = present.nodeName === "TIME" && present.hasAttribute("data-ago");
  syncAttributes(present, wanted);
  if (!relative) syncChildren(present, wanted);
}
