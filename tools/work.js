// Runs in every frame before the page's own scripts. Counts the timers, frame and idle callbacks and the database
// transactions that the page has going, so that a look can wait for what comes of a click a moment later. What
// repeats for ever is no work: a callback inherits the birth of the one that asked for it, and nothing older than
// a second counts. What has ended since it was last asked is told as well: a screenshot may be older than that.
// Other threads and timers of other kinds are not counted: it is told that the page has asked for some.
(() => {
  const LONGEST_MS = 1000;
  const TICK_MS = 50; // an interval this short draws; a longer one polls
  const births = new Map();
  const now = performance.now.bind(performance);
  let running = null;
  let ended = false;
  let apart = -Infinity; // when the page last asked for what is not counted

  const end = (key) => (ended = births.delete(key) || ended);
  const run = (birth, callback, self, given) => {
    const outer = running;
    running = birth;
    try {
      return Reflect.apply(callback, self, given);
    } finally {
      running = outer;
    }
  };

  const count = (name, kind, delayOf, once) => {
    window[name] = new Proxy(window[name], {
      apply(native, self, given) {
        const [callback, ...rest] = given;
        if (typeof callback !== "function") {
          apart = now();
          return Reflect.apply(native, self, given);
        }
        const birth = running ?? now();
        const due = now() + delayOf(rest);
        const wrapped = function (...values) {
          if (once) end(kind + id);
          return run(birth, callback, this, values);
        };
        const id = Reflect.apply(native, self, [wrapped, ...rest]);
        if (due - birth < LONGEST_MS) births.set(kind + id, birth);
        return id;
      },
    });
  };

  const uncount = (name, kind) => {
    window[name] = new Proxy(window[name], {
      apply(native, self, given) {
        births.delete(kind + given[0]);
        return Reflect.apply(native, self, given);
      },
    });
  };

  const interval = (delay) => (delay > TICK_MS ? Infinity : delay);
  count("setTimeout", "timer", ([delay]) => Number(delay) || 0, true);
  count("setInterval", "timer", ([delay]) => interval(Number(delay) || 0), false);
  count("requestAnimationFrame", "frame", () => 0, true);
  count("requestIdleCallback", "idle", () => 0, true);
  uncount("clearTimeout", "timer");
  uncount("clearInterval", "timer");
  uncount("cancelAnimationFrame", "frame");
  uncount("cancelIdleCallback", "idle");

  const note = (owner, name) => {
    if (!owner?.[name]) return;
    owner[name] = new Proxy(owner[name], {
      apply(native, self, given) {
        apart = now();
        return Reflect.apply(native, self, given);
      },
    });
  };
  const APART = {
    Worker: ["postMessage"], BroadcastChannel: ["postMessage"], Scheduler: ["postTask"], HTMLImageElement: ["decode"],
    Blob: ["text", "arrayBuffer", "bytes", "stream"], FileReader: ["readAsText", "readAsArrayBuffer", "readAsDataURL"],
    CacheStorage: ["open", "match"], Clipboard: ["read", "readText", "write", "writeText"], LockManager: ["request"],
    Geolocation: ["getCurrentPosition"], Permissions: ["query"], SubtleCrypto: ["digest", "encrypt", "decrypt"],
  };
  for (const [owner, names] of Object.entries(APART)) for (const it of names) note(window[owner]?.prototype, it);
  note(AbortSignal, "timeout");
  note(window, "createImageBitmap");

  const database = window.IDBDatabase?.prototype;
  if (database) {
    database.transaction = new Proxy(database.transaction, {
      apply(native, self, given) {
        const it = Reflect.apply(native, self, given);
        births.set(it, running ?? now());
        for (const name of ["complete", "abort"]) it.addEventListener(name, () => end(it));
        return it;
      },
    });
  }

  addEventListener("saccade-busy", (event) => {
    for (const birth of births.values()) if (now() - birth < LONGEST_MS) return event.preventDefault();
  });
  addEventListener("saccade-apart", (event) => now() - apart < LONGEST_MS && event.preventDefault());
  addEventListener("saccade-ended", (event) => {
    if (ended) event.preventDefault();
    ended = false;
  });
})();
