// A person's hands on the live picture: click, drag, scroll and type, while the run is theirs.
// `element` stays when its picture is replaced, so focus and listeners live on it. What is done is sent in
// order, one after the other; letters that come quickly travel together.
const LETTERS_MS = 180, WHEEL_MS = 120, DRAG_PX = 8;
const KEYS = new Set(['Enter', 'Tab', 'Escape', 'Backspace', 'Delete', 'Home', 'End', 'PageUp', 'PageDown',
  'ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight']);
let line = Promise.resolve(), letters = '', lettersTimer = 0, wheel = 0, wheelTimer = 0, pressed = null;

const picture = () => element.querySelector('img[data-hands]');
const send = (deed) => {
  const run = picture()?.dataset.run;
  if (!run) return;
  line = line.then(() => server.act({ run, ...deed })).then(say, () => say('the server is gone'));
};
const say = (trouble) => {
  const place = element.querySelector('.trouble');
  if (place) place.textContent = trouble || '';
};
const spell = () => {
  clearTimeout(lettersTimer);
  if (letters) send({ do: 'type', text: letters });
  letters = '';
};
const place = (event) => {
  const box = picture().getBoundingClientRect();
  return { at: [event.clientX - box.left, event.clientY - box.top], size: [box.width, box.height] };
};
const onPicture = (event) => event.target.matches?.('img[data-hands]');

element.addEventListener('pointerdown', (event) => {
  if (!onPicture(event)) return;
  event.preventDefault();
  element.focus({ preventScroll: true });
  pressed = { ...place(event), button: event.button, touch: event.pointerType === 'touch' };
});
element.addEventListener('pointerup', (event) => {
  if (!pressed || !picture()) return;
  spell();
  const { at, size } = place(event), from = pressed.at, moved = Math.hypot(at[0] - from[0], at[1] - from[1]);
  if (moved < DRAG_PX) send({ do: 'click', at, size, button: pressed.button, count: clicks(event) });
  else if (pressed.touch) send({ do: 'scroll', at: from, size, pixels: Math.round(2 * (at[1] - from[1])) });
  else send({ do: 'drag', from, at, size });
  pressed = null;
});
let last = { time: 0, at: [0, 0], count: 0 };
const clicks = (event) => {
  const near = Math.hypot(event.clientX - last.at[0], event.clientY - last.at[1]) < DRAG_PX;
  const count = near && event.timeStamp - last.time < 400 ? (last.count % 3) + 1 : 1;
  last = { time: event.timeStamp, at: [event.clientX, event.clientY], count };
  return count;
};
element.addEventListener('contextmenu', (event) => onPicture(event) && event.preventDefault());
element.addEventListener('dragstart', (event) => event.preventDefault());
element.addEventListener('wheel', (event) => {
  if (!onPicture(event)) return;
  event.preventDefault();
  wheel -= event.deltaY;
  clearTimeout(wheelTimer);
  const spot = place(event);
  wheelTimer = setTimeout(() => {
    if (Math.round(wheel)) send({ do: 'scroll', ...spot, pixels: Math.round(wheel) });
    wheel = 0;
  }, WHEEL_MS);
}, { passive: false });
element.addEventListener('keydown', (event) => {
  if (!picture() || event.isComposing || event.metaKey) return;
  if (event.key === 'Escape' && event.shiftKey) return element.blur();
  const held = [event.ctrlKey && 'ctrl', event.altKey && 'alt', event.shiftKey && 'shift'].filter(Boolean);
  const letter = [...event.key].length === 1;
  if (!letter && !KEYS.has(event.key)) return;
  event.preventDefault();
  if (letter && !event.ctrlKey && !event.altKey) {
    letters += event.key;
    clearTimeout(lettersTimer);
    lettersTimer = setTimeout(spell, LETTERS_MS);
    return;
  }
  spell();
  send({ do: 'key', keys: [...held, event.key] });
});
element.addEventListener('paste', (event) => {
  if (!picture()) return;
  event.preventDefault();
  spell();
  send({ do: 'type', text: event.clipboardData.getData('text') });
});

// The pane is in the tab order while it takes keys; how old a frame is when it is drawn stands on it, in ms.
const shown = () => {
  const image = picture();
  if (image) element.setAttribute('tabindex', '0'); else element.removeAttribute('tabindex');
  element.classList.toggle('hands', Boolean(image));
  if (image) {
    element.setAttribute('role', 'application');
    element.setAttribute('aria-label', 'The page, in your hands: click, scroll and type. Shift+Escape leaves it.');
  } else {
    element.removeAttribute('role');
    element.removeAttribute('aria-label');
  }
  const frame = element.querySelector('img[data-taken]');
  if (!frame || frame.dataset.taken === element.dataset.taken) return;
  element.dataset.taken = frame.dataset.taken;
  frame.decode().then(() => requestAnimationFrame(() => {
    element.dataset.latency = Math.round(Date.now() - Number(frame.dataset.taken));
  })).catch(() => {});
};
watch('value', shown);
shown();
