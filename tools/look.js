// Runs in our isolated world of a page: what the look and the click ask about it.
globalThis.saccade ??= (() => {
  const LONGEST_WORK_MS = 1000;
  const LONGEST_ANIMATION_MS = 1000;
  let patience = LONGEST_WORK_MS;

  const frame = () => new Promise(requestAnimationFrame);

  // Asks work.js in this window and in every frame of its origin whether the page is at work.
  const atWork = (view = window) => {
    try {
      if (!view.dispatchEvent(new Event("saccade-busy", { cancelable: true }))) return true;
      return Array.from(view.frames ?? [], (_, i) => view.frames[i]).some(atWork);
    } catch {
      return false; // a frame of another origin
    }
  };

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
  const animationsEnd = () =>
    Promise.allSettled(document.getAnimations().filter(ends).map((it) => it.finished));

  const facts = () => {
    const root = document.scrollingElement;
    return {
      width: innerWidth, height: innerHeight, title: document.title,
      scroll: [scrollX, scrollY,
        Math.max((root?.scrollWidth ?? 0) - innerWidth, 0), Math.max((root?.scrollHeight ?? 0) - innerHeight, 0)],
    };
  };

  // Two frames, then timers and finite animations that the page has going; the facts of what is left.
  const settle = async () => {
    await frame();
    await frame();
    await workEnds();
    await animationsEnd();
    return facts();
  };

  return { settle, facts };
})();
