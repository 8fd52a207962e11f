// Runs in every frame before the page's own scripts. The pickers of date, time and colour fields are windows of
// their own, which mouse events of a page cannot reach: they stay closed, and such fields are filled by text.
(() => {
  const PICKED = ["date", "month", "week", "time", "datetime-local", "color"];
  const isPicked = (it) => it instanceof HTMLInputElement && PICKED.includes(it.type);
  const keepClosed = (event) => {
    const opens = event.type === "click" || [" ", "F4"].includes(event.key) || (event.altKey && event.key === "ArrowDown");
    if (event.isTrusted && opens && isPicked(event.composedPath()[0])) event.preventDefault();
  };
  for (const type of ["click", "keydown"]) addEventListener(type, keepClosed, true);
  HTMLInputElement.prototype.showPicker = new Proxy(HTMLInputElement.prototype.showPicker, {
    apply: (native, self, given) => (isPicked(self) ? undefined : Reflect.apply(native, self, given)),
  });
})();
