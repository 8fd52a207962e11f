// What is at a point, by role and accessible name, and where something with that role and name is now.
// Evaluated in an isolated world; its value is { at, focused, find }.
(() => {
  const TAGS = {
    BUTTON: "button", TEXTAREA: "textbox", SUMMARY: "summary", OPTION: "option", IMG: "img", NAV: "navigation",
    H1: "heading", H2: "heading", H3: "heading", H4: "heading", H5: "heading", H6: "heading",
    LI: "listitem", TD: "cell", TH: "columnheader", DIALOG: "dialog",
  };
  const INPUTS = {
    button: "button", submit: "button", reset: "button", image: "button", checkbox: "checkbox", radio: "radio",
    range: "slider", number: "spinbutton", search: "searchbox", text: "textbox", email: "textbox", tel: "textbox",
    url: "textbox",
  };
  const ACTIVE = new Set([
    "button", "link", "textbox", "searchbox", "combobox", "listbox", "checkbox", "radio", "switch", "slider",
    "spinbutton", "option", "menuitem", "menuitemcheckbox", "menuitemradio", "tab", "treeitem", "summary", "password",
  ]);
  const FROM_TEXT = new Set([
    "button", "link", "option", "heading", "menuitem", "menuitemcheckbox", "menuitemradio", "tab", "treeitem",
    "checkbox", "radio", "switch", "cell", "columnheader", "listitem", "summary",
  ]);
  const tidy = (text) => (text ?? "").replace(/\s+/g, " ").trim();
  const parentOf = (el) => el.parentElement ?? (el.getRootNode() instanceof ShadowRoot ? el.getRootNode().host : null);

  const roleOf = (el) => {
    const given = el.getAttribute("role")?.trim().split(/\s+/)[0];
    if (given && given !== "presentation" && given !== "none") return given;
    switch (el.tagName) {
      case "A": return el.hasAttribute("href") ? "link" : "";
      case "SELECT": return el.multiple || el.size > 1 ? "listbox" : "combobox";
      case "INPUT":
        if (el.type === "password") return "password";
        return el.list && INPUTS[el.type] !== "slider" ? "combobox" : INPUTS[el.type] ?? "";
      default: return TAGS[el.tagName] ?? (el.isContentEditable && !parentOf(el)?.isContentEditable ? "textbox" : "");
    }
  };

  const hidden = (el) => el.getAttribute("aria-hidden") === "true" || !el.checkVisibility({ visibilityProperty: true });
  const textOf = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    if (!(node instanceof Element) || hidden(node)) return "";
    const own = tidy(node.getAttribute("aria-label")) || (node.tagName === "IMG" ? node.alt : "");
    if (own) return own;
    const inner = Array.from((node.shadowRoot ?? node).childNodes, textOf).join("");
    return getComputedStyle(node).display === "inline" ? inner : ` ${inner} `;
  };
  const nameOf = (el, role) => {
    const by = el.getAttribute("aria-labelledby")?.split(/\s+/).map((id) => el.getRootNode().getElementById?.(id));
    const referred = tidy((by ?? []).map((it) => (it ? textOf(it) : "")).join(" "));
    if (referred) return referred;
    const said = tidy(el.getAttribute("aria-label"));
    if (said) return said;
    if (el.tagName === "INPUT" && ["button", "submit", "reset"].includes(el.type))
      return tidy(el.value) || { submit: "Submit", reset: "Reset" }[el.type] || "";
    const labels = tidy(Array.from(el.labels ?? [], textOf).join(" "));
    if (labels) return labels;
    if (el.tagName === "IMG" || el.type === "image") return tidy(el.alt) || tidy(el.title);
    const text = FROM_TEXT.has(role) ? tidy(Array.from((el.shadowRoot ?? el).childNodes, textOf).join("")) : "";
    return text || tidy(el.getAttribute("title")) || tidy(el.getAttribute("placeholder"));
  };

  // Through open shadow roots and frames of the same origin: the innermost element, and its frame's offset.
  const deepest = (x, y) => {
    let root = document, offset = [0, 0], framed = false, foreign = false, found = null;
    for (;;) {
      const el = root.elementFromPoint(x - offset[0], y - offset[1]);
      if (!el || el === found) break;
      found = el;
      if (el.shadowRoot) root = el.shadowRoot;
      else if (el.tagName === "IFRAME" || el.tagName === "FRAME") {
        framed = true;
        if (!el.contentDocument) { foreign = true; break; }
        const box = el.getBoundingClientRect();
        offset = [offset[0] + box.x + el.clientLeft, offset[1] + box.y + el.clientTop];
        root = el.contentDocument;
      } else break;
    }
    return { el: found, offset, framed, foreign };
  };

  const acting = (el) => {
    for (let it = el; it; it = parentOf(it)) {
      const control = it.tagName === "LABEL" ? it.control : null;
      if (control && ["checkbox", "radio"].includes(control.type)) return control;
      if (ACTIVE.has(roleOf(it))) return it;
    }
    return el;
  };

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
  const alike = (role, name, document) =>
    Array.from(everywhere(document)).filter((el) => roleOf(el) === role && shown(el) && nameOf(el, role) === name);

  const describe = ({ el, offset = [0, 0], framed = false, foreign = false }, point) => {
    if (!el) return null;
    const it = acting(el), role = roleOf(it), name = nameOf(it, role), box = it.getBoundingClientRect();
    const twins = role && name && !foreign ? alike(role, name, it.ownerDocument) : [];
    const form = it.form ?? it.closest?.("form");
    const submits = Boolean(form) && (it.type === "submit" || it.type === "image" || Boolean(point === null));
    return {
      tag: it.tagName.toLowerCase(), role, name: name.slice(0, 200), framed, foreign,
      box: [box.x + offset[0], box.y + offset[1], box.width, box.height].map(Math.round),
      nth: Math.max(twins.indexOf(it), 0), twins: twins.length,
      kind: it.tagName === "INPUT" ? it.type : "",
      submits: submits ? (form.method || "get") : "",
      pays: Boolean(form?.querySelector("[autocomplete^=cc-], [type=password], [name*=payment]")),
    };
  };

  const focused = () => {
    let el = document.activeElement;
    while (el?.shadowRoot?.activeElement) el = el.shadowRoot.activeElement;
    if (!el || el === document.body) return null;
    const foreign = el.tagName === "IFRAME" && !el.contentDocument;
    return describe({ el, framed: el.tagName === "IFRAME", foreign }, null);
  };

  // The point to press on: where the element itself is on top.
  const find = ({ role, name, nth }) => {
    const found = alike(role, name, document);
    const el = found[Math.min(nth, found.length - 1)];
    if (!el) return null;
    el.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
    let box = el.getBoundingClientRect();
    const hits = (x, y) => {
      const top = deepest(x, y).el;
      return top && (top === el || el.contains(top) || acting(top) === el);
    };
    const places = () => [0.5, 0.25, 0.75].flatMap((v) => [0.5, 0.2, 0.8].map((u) => [box.x + u * box.width, box.y + v * box.height]));
    const inside = ([x, y]) => x >= 0 && y >= 0 && x < innerWidth && y < innerHeight && hits(x, y);
    let place = places().find(inside);
    if (!place) {
      el.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
      box = el.getBoundingClientRect();
      place = places().find(inside);
    }
    return place ? { point: place, count: found.length } : null;
  };

  return { at: (x, y) => describe(deepest(x, y), [x, y]), focused, find };
})()
