// Runs in our isolated world of a page, after look.js: whether all that the page has going repeats itself, for a look
// that nobody's action came before.
globalThis.saccadeRepeats ??= (() => {
  const { says } = saccade;
  const LOADING = "[aria-busy=true], progress:not([value]), [role=progressbar]:not([aria-valuenow])";
  const MARGIN_PX = 4;

  // Changes of the document since it was last asked: any at all, and those of what it says.
  let touched = false, rewritten = false;
  const read = (records) => {
    touched ||= records.length > 0;
    rewritten ||= records.some((it) => it.type !== "attributes");
    if (rewritten) watcher.disconnect();
  };
  const watcher = new MutationObserver(read);
  const changes = () => {
    read(watcher.takeRecords());
    const all = { touched, rewritten };
    touched = rewritten = false;
    watcher.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    return all;
  };

  // Where animations go on for ever, at whatever angle, in shares of the viewport.
  const endless = (it) => it.playState === "running" && it.effect?.getComputedTiming().endTime === Infinity;
  const boxOf = ({ effect }) => {
    const { left, top, right, bottom } = effect.target.getBoundingClientRect();
    const { offsetWidth = 0, offsetHeight = 0 } = effect.target;
    const x = (left + right) / 2, y = (top + bottom) / 2, longest = Math.hypot(offsetWidth, offsetHeight);
    const wide = Math.max(right - left, longest) / 2 + MARGIN_PX, high = Math.max(bottom - top, longest) / 2 + MARGIN_PX;
    return [(x - wide) / innerWidth, (y - high) / innerHeight, (x + wide) / innerWidth, (y + high) / innerHeight];
  };
  const seen = ([left, top, right, bottom]) => left < 1 && top < 1 && right > 0 && bottom > 0;
  const spins = () => document.getAnimations().filter((it) => endless(it) && it.effect.target?.checkVisibility())
    .map(boxOf).filter(seen);

  const shows = () => Boolean(document.body?.innerText.trim()) && !document.querySelector(LOADING);
  const only = () => document.readyState === "complete" && !says("saccade-new") && !says("saccade-apart") && shows();

  const nowMs = () => performance.timeOrigin + performance.now(); // the clock of requests
  const tell = () => ({ ...changes(), now_ms: nowMs(), only: only(), draws: says("saccade-busy"), spins: spins() });

  // What repeats is no work from now on. Whether there is no other.
  const excuse = () => {
    if (!only() || changes().rewritten) return false;
    says("saccade-excused");
    return true;
  };

  return { tell, excuse };
})();
