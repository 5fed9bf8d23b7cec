// Shows the view that the address names: #/ is the list, #/sessions/ID a session.

import {$} from './dom.js';
import {forgetToken, token} from './api.js';
import {SessionList} from './list.js';
import {SessionView} from './session.js';

const list = new SessionList(), session = new SessionView();
let first = true;

function navigate() {
  const [, encoded] = /^#\/sessions\/(.+)$/.exec(location.hash) ?? [];
  let id = encoded;
  try {
    id = encoded && decodeURIComponent(encoded);
  } catch {
    // Malformed percent-encoding: the server says what is wrong with such an id.
  }
  list.close();
  session.close();
  $('list').hidden = Boolean(id);
  $('session').hidden = !id;
  document.title = id ? `${id} · sessiontree` : 'Sessions · sessiontree';
  if (id) session.open(id);
  else list.open(new URLSearchParams(location.hash.split('?')[1]));
  if (!first) (id ? $('session-id') : $('list').querySelector('h1')).focus(); // so that screen readers announce the view
  first = false;
}

$('search').addEventListener('submit', event => {
  event.preventDefault();
  const id = $('search-id').value.trim();
  if (!id) return;
  $('search-id').value = '';
  list.search('');
  location.hash = `#/sessions/${encodeURIComponent(id)}`;
});
$('search-id').addEventListener('input', () => list.search($('search-id').value.trim()));
$('forget').addEventListener('click', forgetToken);
$('forget').hidden = !token();
addEventListener('hashchange', navigate);
navigate();
