// Runs in every frame before the page's own scripts. Counts the timers, frame and idle callbacks and the database
// transactions that the page has going, so that a look can wait for what comes of a click a moment later. What
// repeats for ever is no work: callbacks are of one chain with the one that asked for them, and no chain older than a
// second counts. What has ended since it was last asked is told as well: a screenshot may be older than that. So is
// whether all that counts are repeats, callbacks that their chain has run before; then it may be excused.
// Other threads and timers of other kinds are not counted: it is told that the page has asked for some.
(() => {
  const LONGEST_MS = 1000;
  const TICK_MS = 50; // an interval this short draws; a longer one polls
  const going = new Map(); // timers and the like: their chain, and whether they are repeats
  const now = performance.now.bind(performance);
  const sourceOf = Function.prototype.call.bind(Function.prototype.toString);
  const begin = () => ({ birth: now(), ran: new Set() });
  const young = (chain) => now() - chain.birth < LONGEST_MS;
  let running = null; // the chain whose callback runs
  let ended = false;
  let apart = -Infinity; // when the page last asked for what is not counted

  const end = (key) => (ended = going.delete(key) || ended);
  const run = (chain, callback, self, given) => {
    const outer = running;
    running = chain;
    if (young(chain)) chain.ran.add(sourceOf(callback));
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
        const chain = running ?? begin();
        const due = now() + delayOf(rest);
        const work = { chain, again: young(chain) && chain.ran.has(sourceOf(callback)) };
        const wrapped = function (...values) {
          if (once) end(kind + id);
          work.again = true;
          return run(chain, callback, this, values);
        };
        const id = Reflect.apply(native, self, [wrapped, ...rest]);
        if (due - chain.birth < LONGEST_MS) going.set(kind + id, work);
        return id;
      },
    });
  };

  const uncount = (name, kind) => {
    window[name] = new Proxy(window[name], {
      apply(native, self, given) {
        going.delete(kind + given[0]);
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
        going.set(it, { chain: running ?? begin(), again: false });
        for (const name of ["complete", "abort"]) it.addEventListener(name, () => end(it));
        return it;
      },
    });
  }

  const counted = () => [...going.values()].filter((it) => young(it.chain));
  addEventListener("saccade-busy", (event) => counted().length && event.preventDefault());
  addEventListener("saccade-new", (event) => counted().every((it) => it.again) || event.preventDefault());
  addEventListener("saccade-excused", () => {
    for (const { chain, again } of counted()) if (again) chain.birth = -Infinity;
  });
  addEventListener("saccade-apart", (event) => now() - apart < LONGEST_MS && event.preventDefault());
  addEventListener("saccade-ended", (event) => {
    if (ended) event.preventDefault();
    ended = false;
  });
})();
