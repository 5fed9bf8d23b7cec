// Shows one session: its facts, timeline and events. The events come from /live, whether it is open or complete.

import {headOfTree, pathOf, request} from './api.js';
import {$, copy, debounce, eachFrame, h, setText, tell} from './dom.js';
import {Events, members} from './events.js';
import {indent} from './json.js';
import {follow} from './sse.js';
import {VirtualTable} from './table.js';
import {MAX_LANES, Timeline} from './timeline.js';
import {clock, count, date, duration, moment, offset} from './time.js';

const MOST_CHIPS = 40, MANY = 5000, LONGEST_SHOWN = 100_000, HOUR = 3_600_000;

export class SessionView {
  #id;
  #state;
  #events = new Events();
  #arrived = [];
  #chips = new Map();
  #stop;
  #ticking;
  #taking;

  constructor() {
    const events = this.#events, select = event => this.#select(event);
    this.table = new VirtualTable($('events'), event => this.#row(event), {select});
    this.timeline = new Timeline($('timeline'), events, {
      select, step: by => this.table.step(by), hover: (...hit) => this.#hover(...hit), view: eachFrame(() => this.#showView())});
    const {timeline} = this;
    const on = (id, action) => $(id).addEventListener('click', action);
    on('zoom-in', () => timeline.zoom(2));
    on('zoom-out', () => timeline.zoom(1 / 2));
    on('fit', () => timeline.fit());
    on('follow', () => {
      timeline.follow(!timeline.following);
      this.table.scrollToEnd();
    });
    on('before', () => this.#select(events.shown[timeline.outside.before - 1]));
    on('after', () => this.#select(events.shown.at(-timeline.outside.after)));
    on('close-details', () => {
      this.#select(undefined);
      $('events').focus();
    });
    on('copy-event', () => copy($('copy-event'), this.table.selected.raw));
    on('raw', () => this.#save(false));
    on('download', () => this.#save(true));
    on('delete', () => this.#delete());
    $('filter').addEventListener('input', debounce(() => this.#filter($('filter').value), 120));
    for (const id of ['lanes', 'legend']) $(id).addEventListener('click', event => this.#toggle(event));
    $('session').addEventListener('keydown', event => event.key === 'Escape' && this.#select(undefined));
  }

  open(id) {
    this.#id = id;
    this.#stop = new AbortController();
    this.startText = this.said = undefined;
    $('filter').value = '';
    this.#clear(0);
    setText($('session-id'), id);
    $('session-error').hidden = true;
    $('session-body').hidden = true;
    this.#setState('');
    this.timeline.following = false;
    follow({
      open: (headers, signal) => request(`${pathOf(id)}/live`, {headers, signal}), signal: this.#stop.signal,
      take: events => this.#receive(events),
      onState: state => this.#setConnection(state),
    }).catch(error => this.#fail(error));
  }

  close() {
    this.#stop?.abort();
    clearInterval(this.#ticking);
    clearTimeout(this.#taking);
    this.#taking = undefined;
    $('hover').hidden = true;
  }

  #clear(start) {
    this.#arrived = [];
    this.#events.clear(start);
    this.#events.show($('filter').value);
    this.#chips.clear();
    for (const id of ['lanes', 'legend']) $(id).replaceChildren();
    this.#select(undefined);
    this.timeline.fitted = 'session';
  }

  // --- Events from the server.

  /** Handles events of /live. Returns whether the last one was among them. */
  #receive(events) {
    for (const {type, data} of events) {
      if (type === 'entry') this.#arrived.push(data);
      else if (type === 'session') this.#begin(data);
      else if (type === 'reset') this.#clear(this.startText ?? 0); // everything is sent again
      else if (type === 'complete') this.#complete();
      else if (type === 'deleted') this.#fail({title: 'This session was deleted', message: 'Nothing of it is stored any more.'});
      if (type === 'complete' || type === 'deleted') return true;
    }
    this.#taking ??= setTimeout(() => this.#take(), this.#events.all.length < MANY ? 16 : 200);
    return false;
  }

  #begin(data) {
    const [, start] = /"start":([^,}]+)/.exec(data); // as text, to keep every digit
    this.#clear(start);
    this.startText = start;
    $('session-body').hidden = false;
    this.#setState('open');
    this.#take();
    clearInterval(this.#ticking);
    this.#ticking = setInterval(() => this.#tick(), 250);
  }

  /** Shows the events that have arrived. Called less often if there are many, as all are drawn again each time. */
  #take() {
    clearTimeout(this.#taking);
    this.#taking = undefined;
    if (!this.startText) return;
    const {timeline, table} = this, events = this.#events, atEnd = table.isAtEnd;
    if (this.#arrived.length) events.add(this.#arrived.splice(0));
    this.#showLegend();
    timeline.update();
    this.#showCounts(); // before the rows are drawn: the height of an empty table is that of its content
    table.rows = events.shown;
    if (timeline.following && atEnd) table.scrollToEnd();
    this.#showFacts();
  }

  async #complete() {
    clearInterval(this.#ticking);
    try {
      const {end, abandoned} = await headOfTree(this.#id);
      if (this.#stop.signal.aborted) return;
      this.#events.setEnd(end);
      this.timeline.now = undefined;
      this.timeline.following = false;
      this.#setState(abandoned ? 'abandoned' : 'complete');
      this.#take();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error) {
    if (this.#stop.signal.aborted && error.name === 'AbortError') return;
    clearInterval(this.#ticking);
    this.#setState('');
    $('session-error').hidden = false;
    setText($('session-error'), `${error.title ?? 'The request failed'}\n${error.message}`);
  }

  #setState(state) {
    this.#state = state;
    $('session-state').hidden = !state;
    $('session-state').className = `state ${state}`;
    setText($('session-state'), state === 'open' ? 'live' : state);
    $('follow').hidden = state !== 'open';
    for (const id of ['raw', 'download', 'delete']) $(id).hidden = !state;
    setText($('live-status'), state && `The session is ${state}.`);
  }

  #setConnection(state) {
    $('session-error').hidden = state === 'connected' || Boolean(this.#state);
    setText($('session-error'), 'The server cannot be reached. This page tries again by itself.');
    if (this.#state === 'open') setText($('session-state'), state === 'waiting' ? 'connecting again…' : 'live');
  }

  /** While the session is open, moves the mark of the current time, unless the session's clock differs from ours. */
  #tick() {
    const {timeline} = this, events = this.#events, {from, to} = events.span;
    const now = Date.now() - events.second * 1000, quiet = now - to;
    timeline.now = quiet > -HOUR && quiet < Math.max(HOUR, 10 * (to - from)) ? now : undefined;
    if (document.hidden) return;
    timeline.update();
    this.#showFacts();
    if (now - (this.said ?? -Infinity) > 10_000) { // no more often, as screen readers announce it
      this.said = now;
      setText($('live-status'), `Live: ${count(events.all.length, 'event')}.`);
    }
  }

  // --- Display.

  #at(t, digits) {
    return moment(this.#events.second, t, digits);
  }

  #showFacts() {
    const {start, end, all} = this.#events, {now} = this.timeline;
    setText($('fact-start'), this.#at(start));
    setText($('fact-end'), end === undefined ? '–' : this.#at(end));
    setText($('fact-duration'), end !== undefined ? duration(end - start)
        : now === undefined ? '–' : `${duration(Math.floor((now - start) / 1000) * 1000)} so far`);
    setText($('fact-events'), all.length.toLocaleString('en'));
  }

  #showView() {
    const {timeline} = this, {before, after} = timeline.outside, {from, to} = timeline.view;
    const inView = this.#events.shown.length - before - after;
    $('before').hidden = !before;
    $('after').hidden = !after;
    setText($('before'), `‹ ${before.toLocaleString('en')} earlier`);
    setText($('after'), `${after.toLocaleString('en')} later ›`);
    setText($('in-view'), `${count(inView, 'event')} in ${duration(to - from)}`);
    $('follow').setAttribute('aria-pressed', timeline.following);
    $('timeline').setAttribute('aria-label', timeline.description);
  }

  #showCounts() {
    const {all, shown} = this.#events;
    setText($('filter-status'), shown.length === all.length ? '' : `${shown.length.toLocaleString('en')} of ${count(all.length, 'event')}`);
    $('no-events').hidden = shown.length > 0;
    setText($('no-events'), all.length ? 'No event matches.' : this.#state === 'open' ? 'No events yet.' : 'This session has no events.');
  }

  #showLegend() {
    const further = this.#events.names.size - MAX_LANES + 1;
    for (const [json, name] of this.#events.names) {
      let chip = this.#chips.get(json);
      if (!chip) {
        if (this.#chips.size === MOST_CHIPS) break;
        chip = h('button', {className: 'chip', title: 'Press to hide or show; with Shift, only this one'}, swatch(name), h('span', {className: 'name'}), h('span', {className: 'muted'}));
        chip.name = json;
        this.#chips.set(json, chip);
        if (this.#chips.size === MAX_LANES + 1) $('legend').append($('lanes').lastChild);
        $(this.#chips.size <= MAX_LANES ? 'lanes' : 'legend').append(chip);
      }
      chip.setAttribute('aria-pressed', !name.hidden);
      setText(chip.children[1], name.text);
      setText(chip.lastChild, name.count.toLocaleString('en'));
    }
    if (further > 1) setText($('further'), count(further, 'further name'));
    $('further').hidden = further < 2;
  }

  #row(event) {
    const {second, start} = this.#events, text = members(event);
    return h('div', {role: 'row', className: 'event'},
        h('span', {role: 'gridcell'}, h('span', {className: 'day muted'}, date(second, event.t) + ' '), clock(second, event.t, event.digits)),
        h('span', {role: 'gridcell', className: 'number'}, offset(event.t - start, event.digits)),
        h('span', {role: 'gridcell'}, swatch(event.name), event.name.text),
        h('span', {role: 'gridcell'}, text.length > 300 ? text.slice(0, 300) + '…' : text));
  }

  #hover(hit, x, y) {
    const tip = $('hover');
    tip.hidden = !hit;
    if (!hit) return;
    const [event, ...others] = hit.events, text = members(event);
    tip.textContent = others.length ? `${count(hit.events.length, 'event')}, the first at ${this.#at(event.t)}\n${hit.lane.label}`
        : `${event.name.text}\n${this.#at(event.t, event.digits)}, ${offset(event.t - this.#events.start, event.digits)} after start\n${text.slice(0, 200)}`;
    const {clientWidth} = $('timeline'), left = Math.min(x + 14, clientWidth - tip.offsetWidth - 4);
    tip.style.transform = `translate(${Math.max(4, left)}px, ${y + 16}px)`;
  }

  // --- User input.

  #select(event) {
    this.timeline.select(event);
    this.table.select(event);
    $('details').hidden = !event;
    if (!event) return;
    setText($('details-name'), event.name.text);
    setText($('details-time'), `${this.#at(event.t, event.digits)} local time\n${offset(event.t - this.#events.start, event.digits)} after start`);
    const text = event.raw.length > LONGEST_SHOWN ? event.raw.slice(0, LONGEST_SHOWN) + '…' : event.raw;
    setText($('details-json'), indent(text));
    $('details-json').scrollTop = 0;
  }

  #filter(text) {
    this.#events.show(text);
    this.table.grid.scrollTop = 0;
    this.#take();
    this.timeline.on.view();
  }

  #toggle({target, shiftKey}) {
    const chip = target.closest('button');
    if (!chip) return;
    const names = this.#events.names, name = names.get(chip.name);
    if (shiftKey) for (const each of names.values()) each.hidden = each !== name;
    else name.hidden = !name.hidden;
    this.#filter(this.#events.filter);
  }

  /** Saves the tree as a file, byte for byte as the server has it, or opens it in a new tab. */
  async #save(asFile) {
    try {
      const response = await request(`${pathOf(this.#id)}${this.#state === 'open' ? '?partial=true' : ''}`);
      const blob = new Blob([await response.blob()], {type: asFile ? 'application/json' : 'text/plain;charset=utf-8'});
      const url = URL.createObjectURL(blob);
      h('a', asFile ? {href: url, download: `${this.#id}.json`} : {href: url, target: '_blank'}).click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    } catch (error) {
      this.#fail(error);
    }
  }

  #delete() {
    const dialog = $('delete-dialog'), id = this.#id;
    setText($('delete-id'), id);
    dialog.returnValue = '';
    dialog.onclose = async () => {
      if (dialog.returnValue !== 'delete') return;
      try {
        await request(pathOf(id), {method: 'DELETE'});
        location.hash = '#/';
        tell(`Session ${id} was deleted.`);
      } catch (error) {
        this.#fail(error);
      }
    };
    dialog.showModal();
  }
}

function swatch(name) {
  const element = h('span', {className: 'swatch', ariaHidden: 'true'});
  element.style.background = `var(--c${name.colour})`;
  return element;
}
