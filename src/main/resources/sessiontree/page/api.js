// Calls the server's API, with this tab's token if one is needed.

import {$} from './dom.js';

const TOKEN = 'sessiontree.token';

/** A problem that the server responded with (RFC 9457). */
export class ServerError extends Error {
  constructor(status, {title, detail, code}) {
    super(detail || title || `The server responded ${status}.`);
    Object.assign(this, {status, title: title || `Status ${status}`, code});
  }
}

export const token = () => sessionStorage.getItem(TOKEN);

export function forgetToken() {
  sessionStorage.removeItem(TOKEN);
  location.reload();
}

export const pathOf = id => `/sessions/${encodeURIComponent(id)}`;

/** Sends a request. If the server wants a token (or another one), asks the user for it and sends the request again. */
export async function request(path, {headers, ...options} = {}) {
  for (;;) {
    const used = token();
    const authorization = used ? {Authorization: `Bearer ${used}`} : {};
    const response = await fetch(path, {...options, headers: {...headers, ...authorization}, cache: 'no-cache'});
    if (response.ok) return response;
    const error = new ServerError(response.status, await response.json().catch(() => ({})));
    const wantsToken = error.code === 'unauthorized' || error.code === 'forbidden';
    if (!wantsToken || token() === used && !await askForToken(error, options.method)) throw error;
  }
}

let asked;

/** Shows the dialog once, however many requests wait for it. Resolves to whether a token was entered. */
function askForToken(error, method) {
  asked ??= new Promise(resolve => {
    const dialog = $('token-dialog');
    $('token-title').textContent = method === 'DELETE' ? 'The admin token, please' : 'A token, please';
    $('token-reason').textContent = error.message;
    $('token').value = '';
    dialog.returnValue = '';
    dialog.onclose = () => {
      asked = undefined;
      const given = dialog.returnValue === 'use' && $('token').value.trim();
      if (given) sessionStorage.setItem(TOKEN, given);
      $('forget').hidden = false;
      $('forget').textContent = token() ? 'Forget token' : 'Enter token…';
      resolve(Boolean(given));
    };
    dialog.showModal();
  });
  return asked;
}

/** Fetches a page of the list. */
export const list = async (parameters, signal) =>
    (await request(`/sessions?${new URLSearchParams({order: 'newest', ...parameters})}`, {signal})).json();

/** Reads a complete session's end and whether it was abandoned from the beginning of its tree, and no further. */
export async function headOfTree(id) {
  const stop = new AbortController();
  const response = await request(pathOf(id), {signal: stop.signal});
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (let read; !text.includes('"children"') && !(read = await reader.read()).done;) text += read.value;
  stop.abort();
  const [, end] = /"end":([^,]+),/.exec(text) ?? [];
  return {end, abandoned: /^[^[]*"abandoned":true/.test(text)};
}
