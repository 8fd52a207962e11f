// Runs in our isolated world of a page, before look.js: what things are called, what lies at a point, and where
// something is now. A frame of our origin is entered here; at one of another origin the answer is a `hop` that
// says where to ask on. `path` is how to find a frame again, one selector per level, as Playwright reads them.
globalThis.saccadeElements ??= (() => {
  const LONGEST_NAME = 200;
  const LONGEST_TEXT = 80; // of what has no role: a paragraph is no name
  const FRAMES = ["iframe", "frame"];
  const CONTROLS = "a, button, input, select, textarea, option, summary, [onclick], [contenteditable]";
  const TAGS = {
    button: "button", textarea: "textbox", summary: "summary", option: "option", img: "img", canvas: "canvas",
    video: "video", nav: "navigation", main: "main", h1: "heading", h2: "heading", h3: "heading", h4: "heading",
    h5: "heading", h6: "heading", li: "listitem", table: "table", tr: "row", td: "cell", th: "columnheader",
    dialog: "dialog",
  };
  const INPUTS = {
    button: "button", submit: "button", reset: "button", image: "button", file: "button", checkbox: "checkbox",
    radio: "radio", range: "slider", number: "spinbutton", search: "searchbox", password: "password",
  };
  const SUGGESTING = ["text", "search", "email", "tel", "url"]; // with a list they are comboboxes
  const ACTIVE = new Set([
    "button", "link", "textbox", "searchbox", "combobox", "listbox", "checkbox", "radio", "switch", "slider",
    "spinbutton", "option", "menuitem", "menuitemcheckbox", "menuitemradio", "tab", "treeitem", "gridcell", "summary",
    "password",
  ]);
  const FROM_TEXT = new Set([
    "button", "link", "option", "heading", "menuitem", "menuitemcheckbox", "menuitemradio", "tab", "treeitem",
    "checkbox", "radio", "switch", "cell", "gridcell", "columnheader", "listitem", "summary",
  ]);
  const tidy = (text) => (text ?? "").replace(/\s+/g, " ").trim();
  const isFrame = (el) => FRAMES.includes(el?.localName);
  const parentOf = (el) => el.parentElement ?? el.getRootNode().host ?? null;

  const roleOf = (el) => {
    const given = el.getAttribute("role")?.trim().split(/\s+/)[0];
    if (given && given !== "presentation" && given !== "none") return given;
    switch (el.localName) {
      case "a": return el.hasAttribute("href") ? "link" : "";
      case "select": return el.multiple || el.size > 1 ? "listbox" : "combobox";
      case "input": return el.list && SUGGESTING.includes(el.type) ? "combobox" : INPUTS[el.type] ?? "textbox";
      default: return TAGS[el.localName] ?? (el.isContentEditable && !parentOf(el)?.isContentEditable ? "textbox" : "");
    }
  };

  // The accessible name, as far as pages make use of the rules for it: https://www.w3.org/TR/accname-1.2/.
  const hidden = (el) => el.getAttribute("aria-hidden") === "true" || !el.checkVisibility({ visibilityProperty: true });
  const textOf = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    if (node.nodeType !== Node.ELEMENT_NODE || hidden(node)) return "";
    const own = tidy(node.getAttribute("aria-label")) || (node.localName === "img" ? node.alt : "");
    if (own) return own;
    const inner = Array.from((node.shadowRoot ?? node).childNodes, textOf).join("");
    return getComputedStyle(node).display === "inline" ? inner : ` ${inner} `;
  };
  const textIn = (el) => tidy(Array.from((el.shadowRoot ?? el).childNodes, textOf).join(""));
  const shortTextIn = (el) => {
    if (el.textContent.length > 4 * LONGEST_TEXT || el.querySelector(`${CONTROLS}, body`)) return "";
    const text = textIn(el);
    return text.length <= LONGEST_TEXT ? text : "";
  };
  const nameOf = (el, role = roleOf(el)) => {
    const by = el.getAttribute("aria-labelledby")?.split(/\s+/).map((id) => el.getRootNode().getElementById?.(id));
    const referred = tidy((by ?? []).map((it) => (it ? textOf(it) : "")).join(" "));
    if (referred) return referred;
    const said = tidy(el.getAttribute("aria-label"));
    if (said) return said;
    if (el.localName === "input" && ["button", "submit", "reset"].includes(el.type))
      return tidy(el.value) || { submit: "Submit", reset: "Reset" }[el.type] || "";
    const labels = tidy(Array.from(el.labels ?? [], textOf).join(" "));
    if (labels) return labels;
    if (el.localName === "img" || el.type === "image") return tidy(el.alt) || tidy(el.title);
    const text = FROM_TEXT.has(role) ? textIn(el) : role ? "" : shortTextIn(el);
    return text || tidy(el.getAttribute("title")) || tidy(el.getAttribute("placeholder"));
  };

  // All elements of a document, in order, through open shadow roots.
  const everywhere = function* (root) {
    for (const el of root.querySelectorAll("*")) {
      yield el;
      if (el.shadowRoot) yield* everywhere(el.shadowRoot);
    }
  };
  const shown = (el) => {
    for (let it = el; it; it = parentOf(it)) if (it.getAttribute("aria-hidden") === "true") return false;
    return el.checkVisibility({ visibilityProperty: true });
  };
  const alike = (role, name, root) =>
    Array.from(everywhere(root)).filter((el) => roleOf(el) === role && shown(el) && nameOf(el, role) === name);

  // The deepest element with the focus, or at a point, through open shadow roots.
  const inShadow = (el, step) => {
    for (let inner; el?.shadowRoot && (inner = step(el.shadowRoot)) && inner !== el; ) el = inner;
    return el;
  };
  const topmost = (root, x, y) => inShadow(root.elementFromPoint(x, y), (it) => it.elementFromPoint(x, y));

  // Frames: a selector for each level, and where its inside begins.
  const matching = (root, css) => Array.from(everywhere(root)).filter((el) => el.matches(css));
  const selectorOf = (frame) => {
    const root = frame.ownerDocument, tag = frame.localName;
    for (const name of ["title", "name", "id"]) {
      const value = frame.getAttribute(name);
      if (!value || value.length > LONGEST_TEXT || /[\p{Cc}\\]/u.test(value)) continue;
      const css = `${tag}[${name}=${JSON.stringify(value)}]`;
      if (matching(root, css).length === 1) return css;
    }
    return `${tag} >> nth=${matching(root, tag).indexOf(frame)}`;
  };
  const frameOf = (root, selector) => {
    const [css, nth = "0"] = selector.split(" >> nth=");
    return matching(root, css)[nth] ?? null;
  };
  const cornerOf = (frame) => {
    const box = frame.getBoundingClientRect(), look = getComputedStyle(frame);
    const left = frame.clientLeft + parseFloat(look.paddingLeft), top = frame.clientTop + parseFloat(look.paddingTop);
    return [box.x + left, box.y + top];
  };

  // Down the path as far as this origin goes: the innermost document, where it begins, and what is left.
  const enter = (path, scroll) => {
    let root = document, left = 0, top = 0;
    for (const [i, selector] of path.entries()) {
      const frame = frameOf(root, selector);
      if (!frame) return null;
      if (scroll) frame.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
      const inner = frame.contentDocument, [x, y] = cornerOf(frame);
      left += x, top += y;
      if (!inner) return { frame, left, top, depth: i + 1 };
      root = inner;
    }
    return { root, left, top, depth: path.length };
  };
  // The element of a frame of another origin: to be asked for by its path, ending there.
  const frameAt = (path) => enter(path)?.frame ?? null;
  // The frames of other origins that can be seen, with their boxes in this viewport.
  const foreign = (root = document, path = [], dx = 0, dy = 0) =>
    Array.from(everywhere(root)).filter(isFrame).flatMap((frame) => {
      const box = frame.getBoundingClientRect(), further = [...path, selectorOf(frame)], [x, y] = cornerOf(frame);
      if (!box.width || !box.height) return [];
      if (frame.contentDocument) return foreign(frame.contentDocument, further, dx + x, dy + y);
      return [{ path: further, box: [dx + box.x, dy + box.y, box.width, box.height], corner: [dx + x, dy + y] }];
    });
  const corner = (path) => {
    const { left, top } = enter(path) ?? {};
    return left === undefined ? null : [left, top];
  };

  const acting = (el) => {
    for (let it = el; it; it = parentOf(it)) {
      const control = it.localName === "label" ? it.control : null;
      if (control) return control;
      if (ACTIVE.has(roleOf(it)) || it.matches(CONTROLS)) return it;
    }
    return el;
  };
  const brief = (el, dx = 0, dy = 0) => {
    const box = el.getBoundingClientRect(), role = roleOf(el);
    const numbers = [box.x + dx, box.y + dy, box.width, box.height].map((it) => Math.round(it * 10) / 10);
    return { tag: el.localName, role, name: nameOf(el, role).slice(0, LONGEST_NAME), box: numbers };
  };
  const full = (el, dx, dy, frames, entering) => {
    const it = brief(el, dx, dy), role = it.role;
    const twins = role && it.name ? alike(role, nameOf(el, role), el.ownerDocument) : [];
    const form = el.form ?? el.closest("form");
    const submits = Boolean(form) && (el.type === "submit" || el.type === "image" || entering);
    return {
      ...it, frames, nth: Math.max(twins.indexOf(el), 0), twins: twins.length,
      kind: el.localName === "input" ? el.type : "",
      submits: submits ? form.method || "get" : "",
      pays: Boolean(form?.querySelector("[autocomplete^=cc-], [type=password], [name*=payment]")),
    };
  };
  const described = (el, dx, dy, path, whole, entering) =>
    whole ? full(el, dx, dy, path, entering) : { ...brief(el, dx, dy), frames: path };

  // What a click there means: the control around the element that it lands on. (dx, dy): where this frame begins.
  const at = (x, y, whole = false, dx = 0, dy = 0, root = document, path = []) => {
    const el = topmost(root, x, y);
    if (!el) return null;
    if (!isFrame(el)) return described(acting(el), dx, dy, path, whole, false);
    const [left, top] = cornerOf(el), inner = el.contentDocument, further = [...path, selectorOf(el)];
    const found = inner ? at(x - left, y - top, whole, dx + left, dy + top, inner, further) : null;
    if (found) return found;
    const it = described(el, dx, dy, path, whole, false);
    return inner ? it : { ...it, hop: { path: further, point: [x - left, y - top, dx + left, dy + top] } };
  };

  const active = (root = document) => inShadow(root.activeElement, (it) => it.activeElement);
  // The element that the keyboard goes to, through frames of this origin.
  const deepFocus = (root = document) => {
    const el = active(root);
    return isFrame(el) && el.contentDocument ? deepFocus(el.contentDocument) : el;
  };
  const focused = (whole, dx = 0, dy = 0, root = document, path = []) => {
    const el = active(root);
    if (!el || el.localName === "body") return null;
    if (!isFrame(el)) return described(el, dx, dy, path, whole, true);
    const [left, top] = cornerOf(el), further = [...path, selectorOf(el)];
    if (el.contentDocument) return focused(whole, dx + left, dy + top, el.contentDocument, further);
    const hop = { path: further, point: [0, 0, dx + left, dy + top] };
    return { ...described(el, dx, dy, path, whole, true), hop };
  };

  // The point to press on, scrolled into view: where the element itself is on top.
  const find = ({ role, name, nth, path }) => {
    const place = enter(path, true);
    if (!place) return null;
    if (place.frame) return { hop: { depth: place.depth } };
    const found = alike(role, name, place.root);
    const el = found[Math.min(nth, found.length - 1)];
    if (!el) return null;
    const places = () => {
      const box = el.getBoundingClientRect();
      return [0.5, 0.25, 0.75].flatMap((v) => [0.5, 0.2, 0.8].map((u) => [box.x + u * box.width, box.y + v * box.height]));
    };
    const onTop = ([x, y]) => {
      const top = topmost(place.root, x, y);
      return top && (top === el || el.contains(top) || acting(top) === el);
    };
    const outside = ([x, y]) => {
      const [left, top] = corner(path);
      return [x + left, y + top];
    };
    const visible = ([x, y]) => x >= 0 && y >= 0 && x < innerWidth && y < innerHeight;
    for (const block of ["nearest", "center"]) {
      el.scrollIntoView({ block, inline: block, behavior: "instant" });
      const point = places().find((it) => onTop(it) && visible(outside(it)));
      if (point) return { point: outside(point), count: found.length };
    }
    return null;
  };

  return { at, brief, focused, deepFocus, find, frameAt, corner, foreign };
})();
