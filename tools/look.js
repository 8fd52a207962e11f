// Runs in our isolated world of a page: what the look asks about it, after element.js.
globalThis.saccade ??= (() => {
  const LONGEST_WORK_MS = 1000;
  const LONGEST_ANIMATION_MS = 1000;
  const FORMS = {
    date: "a date such as 2026-11-25", month: "a month such as 2026-11", week: "a week such as 2026-W48",
    time: "a time such as 14:30", "datetime-local": "a date and time such as 2026-11-25 14:30",
    color: "a colour such as #ff8800 or teal", range: "a number",
  };
  const { focused, deepFocus } = saccadeElements;
  let patience = LONGEST_WORK_MS;

  const frame = () => new Promise(requestAnimationFrame);

  // Asks work.js in this window and in every frame of its origin: whether any of them says yes.
  const says = (question, view = window) => {
    try {
      const said = !view.dispatchEvent(new Event(question, { cancelable: true }));
      const frames = Array.from(view.frames ?? [], (_, i) => view.frames[i]);
      return frames.map((it) => says(question, it)).includes(true) || said;
    } catch {
      return false; // a frame of another origin
    }
  };
  const atWork = () => says("saccade-busy");

  // A page that outlasts our patience gets less of it the next time, until it rests.
  const workEnds = async () => {
    const start = performance.now();
    while (atWork()) {
      if (performance.now() - start > patience) return void (patience /= 4);
      await frame();
    }
    patience = LONGEST_WORK_MS;
  };

  const ends = (it) =>
    it.playState === "running" && it.effect?.getComputedTiming().endTime < LONGEST_ANIMATION_MS;
  const animating = () => document.getAnimations().filter(ends);
  const eventsCome = () => new Promise((go) => setTimeout(go)); // an animation's events, after it has finished
  const animationsEnd = async () => {
    const all = animating();
    if (all.length) await Promise.allSettled(all.map((it) => it.finished)).then(eventsCome);
  };

  // Whether something came to its end since this was last asked: a screenshot may show the page before it.
  let moved = false;
  for (const name of ["transitionend", "animationend"]) addEventListener(name, () => (moved = true), true);
  const ended = () => {
    const all = says("saccade-ended") || moved;
    moved = false;
    return all;
  };

  // What asked.js has seen the page ask for since the last time.
  const asked = () => {
    let told = "";
    const hear = (event) => (told = String(event.detail));
    addEventListener("saccade-told", hear);
    dispatchEvent(new Event("saccade-asked"));
    removeEventListener("saccade-told", hear);
    return told.split(",").filter(Boolean);
  };

  const facts = () => {
    const root = document.scrollingElement;
    const focus = deepFocus();
    return {
      width: innerWidth, height: innerHeight, title: document.title,
      scroll: [scrollX, scrollY,
        Math.max((root?.scrollWidth ?? 0) - innerWidth, 0), Math.max((root?.scrollHeight ?? 0) - innerHeight, 0)],
      focus: focused(), takes: (focus?.localName === "input" && FORMS[focus.type]) || null,
      asked: asked(), busy: (patience === LONGEST_WORK_MS && (ended() || atWork())) || animating().length > 0 ||
        hasChanged(),
    };
  };

  const pad = (number, digits = 2) => String(number).padStart(digits, "0");
  const day = (it) => `${pad(it.getFullYear(), 4)}-${pad(it.getMonth() + 1)}-${pad(it.getDate())}`;
  const minute = (it) => `${pad(it.getHours())}:${pad(it.getMinutes())}`;
  const colour = (text) => {
    const pen = document.createElement("canvas").getContext("2d");
    const tries = ["#000001", "#000002"].map((start) => ((pen.fillStyle = start), (pen.fillStyle = text), pen.fillStyle));
    return tries[0] === tries[1] ? tries[0] : null;
  };
  const date = (text, form) => {
    const it = new Date(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text);
    return isNaN(it) ? null : form(it);
  };
  const READ = {
    date: (text) => date(text, day),
    month: (text) => date(/^\d{4}-\d\d$/.test(text) ? `${text}-01T00:00` : text, (it) => day(it).slice(0, 7)),
    time: (text) => date(`2000-01-01 ${text.replace(/(\d)([ap]m)/i, "$1 $2")}`, minute),
    "datetime-local": (text) => date(text, (it) => `${day(it)}T${minute(it)}`),
    week: (text) => text,
    color: colour,
    range: (text) => text,
  };

  // What has no text that could be replaced. Of a frame nothing is known.
  const PRESSED = ["button", "submit", "reset", "image", "checkbox", "radio", "file"];
  const holdsText = (it) => it?.localName === "input" ? !PRESSED.includes(it.type) :
    ["textarea", "select", "iframe", "frame", "object", "embed"].includes(it?.localName) ||
    it?.isContentEditable || it?.ownerDocument.designMode === "on";

  // Fields whose value is not typed letter by letter: set it from text. Null: the focus is in another field; false: in
  // nothing that holds text.
  const fill = (text) => {
    const field = deepFocus();
    const read = field?.localName === "input" && READ[field.type];
    if (!read) return holdsText(field) ? null : false;
    const value = read(text.trim());
    const before = field.value;
    if (value !== null) field.value = value;
    if (value === null || (value !== "" && field.value === "")) {
      field.value = before;
      return `the field takes ${FORMS[field.type]}, not ${JSON.stringify(text)}`;
    }
    field.dispatchEvent(new Event("input", { bubbles: true, composed: true }));
    field.dispatchEvent(new Event("change", { bubbles: true }));
    return "";
  };

  // Changes of the document since the last wait, the first of which is enough. A page that changes at every look gets
  // its frame, and no second picture, until it rests.
  const RESTLESS = 3;
  let changed = false, restless = 0;
  const watcher = new MutationObserver(() => ((changed = true), watcher.disconnect()));
  const watch = (on) => {
    watcher.disconnect();
    changed = false;
    if (on) watcher.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  };
  const hasChanged = () => {
    const all = changed || watcher.takeRecords().length > 0;
    restless = all ? restless + 1 : 0;
    return all && restless <= RESTLESS;
  };

  // Whether what comes of an action is counted, changes the document or is done with the page's tasks, as far as it can
  // be told: not what is drawn or moves by itself, nor what other documents and threads do.
  const plain = () => !(atWork() || says("saccade-apart") || frames.length || document.getAnimations().length ||
    document.querySelector("canvas, video"));

  // The page has no task left, which takes a frame at the longest.
  const tasksEnd = () => new Promise((go) => {
    const framed = requestAnimationFrame(go);
    const rest = () => (cancelAnimationFrame(framed), go());
    scheduler.postTask(rest, { priority: "background" });
  });

  // The page's tasks or a frame, then timers and finite animations that the page has going. The screenshot takes two
  // frames more.
  const settle = async () => {
    const tired = restless >= RESTLESS, short = !tired && plain();
    await (short ? tasksEnd() : frame());
    await workEnds();
    await animationsEnd();
    ended();
    watch(short || tired);
    return { pdf: document.contentType === "application/pdf" };
  };

  return { settle, facts, fill, says };
})();
