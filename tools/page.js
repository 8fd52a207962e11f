// Runs in every frame before the page's own scripts.
// 1. A steady caret: focus stays visible, and two looks at an idle page are equal.
// 2. The list of a <select> is drawn by the operating system, so screenshots miss it. From the moment
//    somebody opens one until it loses the focus, it is a base-select, which the page draws itself.
(() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`:root { caret-animation: manual } ::picker(select) { appearance: base-select }
    @layer {
      ::picker(select) { border: 1px solid #888; border-radius: 4px; box-shadow: 0 2px 8px rgb(0 0 0 / .3) }
      select:not([multiple]) option { padding: 2px 9px; min-block-size: 0 }
      select:not([multiple]) option:not(:checked)::checkmark { display: none }
    }`);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  if (!CSS.supports("appearance", "base-select")) return;

  const KEPT = ["font", "color", "background", "border", "border-radius", "padding", "line-height", "text-align"];
  const NATIVE_PADDING_PX = 4;
  const dressed = new Map();

  const singleRow = (event) => {
    const target = event.composedPath()[0];
    const select = target instanceof Element ? target.closest("select") : null;
    return select && !select.multiple && select.size <= 1 && !select.disabled ? select : null;
  };

  const dress = (select) => {
    if (dressed.has(select)) return;
    dressed.set(select, select.getAttribute("style"));
    const root = select.getRootNode();
    if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
    const look = getComputedStyle(select);
    const indent = Math.max(parseFloat(look.paddingLeft), NATIVE_PADDING_PX);
    const style = [
      ...KEPT.map((name) => [name, look.getPropertyValue(name)]),
      ["width", `${select.offsetWidth}px`], ["height", `${select.offsetHeight}px`], ["min-height", "0"],
      ["padding-left", `${indent}px`], ["box-sizing", "border-box"], ["white-space", "nowrap"],
      ["appearance", "base-select"],
    ];
    for (const [name, value] of style) select.style.setProperty(name, value, "important");
  };

  const undressClosed = () => {
    for (const [select, style] of dressed) {
      if (select.matches(":open")) continue;
      dressed.delete(select);
      select.setAttribute("style", style ?? "");
      if (style === null) select.removeAttribute("style");
    }
  };

  const opens = (event) => [" ", "Enter", "F4"].includes(event.key) || (event.altKey && event.key.startsWith("Arrow"));
  const onOpen = (event) => {
    const select = event.isTrusted && (event.type !== "keydown" || opens(event)) && singleRow(event);
    if (select) dress(select);
  };
  const onEnd = () => dressed.size && requestAnimationFrame(undressClosed);
  for (const type of ["pointerdown", "keydown"]) addEventListener(type, onOpen, true);
  for (const type of ["pointerup", "keyup", "change", "focusout"]) addEventListener(type, onEnd, true);
})();
