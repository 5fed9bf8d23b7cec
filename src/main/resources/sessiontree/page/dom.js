// Elements. What a client of the server sent comes in as text nodes only, never as markup.

/** The element of that id. */
export const $ = id => document.getElementById(id);

/** Makes an element: properties are set (or attributes, where it has no such property), children appended. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Sets an element's text where it has changed, so that a screen reader and a selection are not disturbed. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Runs the action once calls have ceased for that long. */
export function debounce(action, millis) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(action, millis, ...values);
  };
}

/** Runs the action at most once a frame, however often the returned function is called; at once where none is drawn. */
export function eachFrame(action) {
  let due = false;
  const run = () => {
    due = false;
    action();
  };
  return () => {
    if (due) return;
    due = true;
    if (document.hidden) setTimeout(run, 500);
    else requestAnimationFrame(run);
  };
}

/** Copies the text, and says so on the button for a moment. */
export async function copy(button, text) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = 'Copied';
  } catch {
    button.textContent = 'Not allowed';
  }
  setTimeout(() => button.textContent = label, 1500);
}

/** Tells what happened, for some seconds, to eyes and to screen readers. */
export function tell(text) {
  $('notice').textContent = text;
  $('notice').hidden = false;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => $('notice').hidden = true, 6000);
}
