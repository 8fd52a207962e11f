// Where the page shows any of some texts: boxes [x, y, width, height] in CSS px. Evaluated in an isolated world.
((values) => {
  const boxes = [];
  const add = (box, [x, y]) => box.width && box.height && boxes.push([box.x + x, box.y + y, box.width, box.height]);
  const visit = (root, offset) => {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    for (let node = walker.currentNode; node; node = walker.nextNode()) {
      if (node.nodeType === Node.TEXT_NODE) {
        for (const value of values)
          for (let at = node.data.indexOf(value); at >= 0; at = node.data.indexOf(value, at + 1)) {
            const range = node.ownerDocument.createRange();
            range.setStart(node, at);
            range.setEnd(node, at + value.length);
            for (const box of range.getClientRects()) add(box, offset);
          }
        continue;
      }
      if (node.shadowRoot) visit(node.shadowRoot, offset);
      if ("value" in node && typeof node.value === "string" && node.type !== "password" && node.type !== "hidden")
        if (values.some((value) => node.value.includes(value))) add(node.getBoundingClientRect(), offset);
      if (node.tagName === "IFRAME" && node.contentDocument) {
        const box = node.getBoundingClientRect();
        visit(node.contentDocument, [offset[0] + box.x + node.clientLeft, offset[1] + box.y + node.clientTop]);
      }
    }
  };
  visit(document, [0, 0]);
  return boxes;
})
