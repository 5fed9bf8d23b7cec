// The list of sessions, newest first. It refreshes by itself; remaining rows keep their elements, focus and place.

import {list as fetchList, pathOf} from './api.js';
import {$, copy, debounce, h, setText} from './dom.js';
import {sendDemo} from './demo.js';
import {parseTimestamp, since, bytes, count, duration, moment} from './time.js';

const PAGE = 50, MAX_ROWS = 1000, REFRESH_MILLIS = 4000;

export class SessionList {
  #parameters = {};
  #sessions = [];
  #next;
  #rows = new Map();
  #search = '';
  #stop; // aborts the requests of the open list; undefined while it is closed
  #loadingMore = false;

  constructor() {
    const filter = debounce(() => this.#filter(), 300);
    for (const id of ['state', 'since', 'until']) $(id).addEventListener('input', filter);
    $('list-filters').addEventListener('submit', event => event.preventDefault());
    $('more').addEventListener('click', () => this.#more());
    this.nearEnd = new IntersectionObserver(entries => entries.at(-1).isIntersecting && this.#more(), {rootMargin: '400px'});
    this.nearEnd.observe($('more'));
    document.addEventListener('visibilitychange', () => !document.hidden && this.#stop && !this.refused && this.#refresh());
    $('demo').addEventListener('click', () => this.#demo());
    for (const each of ['client', 'curl']) {
      $(`copy-${each}`).addEventListener('click', event => copy(event.target, $(`${each}-snippet`).textContent));
    }
  }

  /** @param query the parameters in the address: state, since, until */
  open(query) {
    this.#parameters = Object.fromEntries(['state', 'since', 'until'].flatMap(name => query.get(name) ? [[name, query.get(name)]] : []));
    $('state').value = this.#parameters.state ?? '';
    for (const name of ['since', 'until']) $(name).value = localOf(this.#parameters[name]);
    this.#stop = new AbortController();
    this.refused = false; // set for lack of a token: refreshes would ask for one again and again
    this.#load();
  }

  close() {
    this.#stop?.abort();
    this.#stop = undefined;
    clearTimeout(this.timer);
  }

  search(text) {
    this.#search = text;
    this.#draw();
  }

  #filter() {
    const query = new URLSearchParams();
    if ($('state').value) query.set('state', $('state').value);
    for (const name of ['since', 'until']) if ($(name).value) query.set(name, new Date($(name).value).toISOString());
    history.replaceState(null, '', query.size ? `#/?${query}` : '#/');
    this.close();
    this.open(query);
  }

  async #load() {
    await this.#fetch({limit: PAGE}, ({sessions, next}) => {
      this.#sessions = sessions;
      this.#next = next;
    });
    this.#refreshLater();
  }

  async #more() {
    if (!this.#next || this.#loadingMore) return;
    this.#loadingMore = true;
    await this.#fetch({limit: PAGE, cursor: this.#next}, ({sessions, next}) => {
      const known = new Set(this.#sessions.map(each => each.session_id));
      this.#sessions.push(...sessions.filter(each => !known.has(each.session_id)));
      this.#next = next;
    });
    this.#loadingMore = false;
    if (!$('list-error').hidden) return; // after an error, only the button loads more
    this.nearEnd.unobserve($('more')); // to be notified again if the user has scrolled on meanwhile
    this.nearEnd.observe($('more'));
  }

  /** Fetches as many sessions as are shown; those beyond the maximum of a page stay as they are. */
  async #refresh() {
    const limit = Math.min(MAX_ROWS, Math.max(PAGE, this.#sessions.length));
    if (!document.hidden && !this.#loadingMore) {
      await this.#fetch({limit}, ({sessions, next}) => {
        const fresh = new Set(sessions.map(each => each.session_id));
        const beyond = this.#sessions.slice(limit).filter(each => !fresh.has(each.session_id));
        this.#sessions = sessions.concat(beyond);
        if (!beyond.length) this.#next = next;
      });
    }
    this.#refreshLater();
  }

  #refreshLater() {
    clearTimeout(this.timer);
    if (this.#stop && !this.refused) this.timer = setTimeout(() => this.#refresh(), REFRESH_MILLIS);
  }

  async #fetch(parameters, take) {
    const {signal} = this.#stop;
    try {
      const page = await fetchList({...this.#parameters, ...parameters}, signal);
      if (signal.aborted) return;
      take(page);
      $('list-error').hidden = true;
      this.#draw();
    } catch (error) {
      if (signal.aborted) return;
      this.refused = error.status === 401 || error.status === 403;
      $('list-error').hidden = false;
      setText($('list-error'), error.status ? `${error.title}\n${error.message}` : 'The server cannot be reached. This page tries again by itself.');
    }
  }

  #draw() {
    const sessions = this.#sessions.filter(each => each.session_id.startsWith(this.#search));
    const isFiltered = Object.keys(this.#parameters).length > 0 || this.#search;
    const rows = new Map(), body = $('session-rows'), hadSome = this.#rows.size > 0;
    sessions.forEach((session, i) => {
      const row = this.#rows.get(session.session_id) ?? newRow(session.session_id, hadSome && !this.#search);
      show(row, session);
      rows.set(session.session_id, row);
      if (body.children[i] !== row) body.insertBefore(row, body.children[i] ?? null);
    });
    while (body.children.length > rows.size) body.lastChild.remove();
    this.#rows = rows;
    $('sessions').hidden = !sessions.length;
    $('more').hidden = !this.#next;
    $('none').hidden = sessions.length > 0 || !isFiltered;
    setText($('none'), this.#search ? `No session in the list begins with ${this.#search}. Press Enter to ask the server for this id.` : 'No session matches.');
    $('welcome').hidden = sessions.length > 0 || Boolean(isFiltered);
    $('list-filters').hidden = !$('welcome').hidden;
    if (!$('welcome').hidden) fillSnippets();
    setText($('list-status'), sessions.length ? `${this.#next ? 'the newest ' : ''}${sessions.length.toLocaleString('en')}` : '');
  }

  async #demo() {
    $('demo').disabled = true;
    try {
      location.hash = `#/sessions/${await sendDemo()}`;
    } catch (error) {
      $('list-error').hidden = false;
      setText($('list-error'), `The demo could not be sent: ${error.message}`);
    }
    $('demo').disabled = false;
  }
}

function newRow(id, isNew) {
  return h('div', {role: 'row', className: isNew ? 'session new' : 'session'},
      h('span', {role: 'cell'}, h('span', {className: 'state'})),
      h('span', {role: 'cell'}, h('a', {className: 'id', href: `#${pathOf(id)}`, title: id}, id)),
      h('span', {role: 'cell'}), h('span', {role: 'cell', className: 'number'}), h('span', {role: 'cell', className: 'number'}));
}

function show(row, {state, start, end, begun, completed, entries, bytes: size}) {
  const [stateCell, , begunCell, durationCell, eventsCell] = row.children;
  const began = Date.parse(begun);
  stateCell.firstChild.className = `state ${state}`;
  setText(stateCell.firstChild, state);
  setText(begunCell, moment(Math.floor(began / 1000), 0, 0));
  begunCell.title = completed ? `begun ${begun}, completed ${completed}` : `begun ${begun}`;
  setText(durationCell, state === 'open' ? `${duration(Math.max(0, Math.floor((Date.now() - began) / 1000) * 1000))} so far` : duration(between(start, end)));
  const events = entries - (state === 'open' ? 1 : 2);
  setText(eventsCell, entries === undefined ? bytes(size) : events.toLocaleString('en'));
  eventsCell.title = entries === undefined ? `A tree of ${count(size, 'byte')}` : '';
}

function between(start, end) {
  const first = parseTimestamp(String(start));
  return since(first.seconds, parseTimestamp(String(end))) - first.nanos / 1e6;
}

/** Converts a time in RFC 3339 to the value of an input of local time. */
function localOf(text) {
  const millis = Date.parse(text);
  return Number.isNaN(millis) ? '' : new Date(millis - new Date(millis).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function fillSnippets() {
  const {origin} = location, now = Math.floor(Date.now() / 1000);
  setText($('client-snippet'), `import { SessionTree } from '${origin}/sessiontree.js'
const session = new SessionTree({ url: '${origin}' }).start()
session.event('cart_loaded', { items: 3 })
await session.end()`);
  setText($('curl-snippet'), `curl ${origin}/sessions/first/events -d '[
  {"type":"SESSION_START","timestamp":${now},"session_id":"first"},
  {"type":"EVENT","timestamp":${now + 1},"name":"cart_loaded","items":3},
  {"type":"SESSION_END","timestamp":${now + 2},"session_id":"first"}]'`);
}
