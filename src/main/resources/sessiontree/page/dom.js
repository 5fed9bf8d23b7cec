// Helpers for DOM elements. Data that clients sent is inserted as text nodes only, never as markup.

/** Returns the element with this id. */
export const $ = id => document.getElementById(id);

/** Creates an element, sets its properties (or attributes, if it has no such property), and appends its children. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Sets an element's text only if it has changed, so as not to disturb screen readers and selections. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Returns a function that runs the action once it has not been called for so many milliseconds. */
export function debounce(action, millis) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(action, millis, ...values);
  };
}

/** Returns a function that runs the action at most once a frame; every 500 ms if the page is hidden and draws none. */
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

/** Copies the text, and shows the result on the button for a moment. */
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

/** Shows a notice for some seconds; screen readers announce it. */
export function tell(text) {
  $('notice').textContent = text;
  $('notice').hidden = false;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => $('notice').hidden = true, 6000);
}
