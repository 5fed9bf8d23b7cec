// The timeline: holds the times in view, and handles user input. painter.js draws it.

import {firstAt} from './events.js';
import {eachFrame} from './dom.js';
import {BIN, OVERVIEW, Painter, TOP} from './painter.js';
import {count, duration, moment} from './time.js';

export const MAX_LANES = 8;
const REACH = 9; // pixels within which the pointer hits a mark
const MIN_SPAN = 1e-5; // 10 ns

export class Timeline {
  /** The times in view. */
  view = {from: 0, to: 1};
  /** 'all' or 'session' if the view is fitted to that, also when more events come; else undefined. */
  fitted = 'session';
  /** Whether the view follows the newest event. */
  following = false;
  /** The current time, while the session is open and its clock agrees with ours. */
  now;
  selected;
  #events;
  #canvas;
  #painter;
  #lanes = [];
  #pointer;
  #touches = new Map();

  /** @param on {select(event), step(by), hover({events, lane}, x, y), view()} */
  constructor(canvas, events, on) {
    Object.assign(this, {on});
    this.#canvas = canvas;
    this.#events = events;
    this.#painter = new Painter(canvas);
    this.redraw = eachFrame(() => this.#painter.paint({
      events, lanes: this.#lanes, range: this.#range(), view: this.view, now: this.now, selected: this.selected, pointer: this.#pointer}));
    new ResizeObserver(() => this.update()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', this.redraw);
    canvas.addEventListener('wheel', event => this.#wheel(event), {passive: false});
    canvas.addEventListener('keydown', event => this.#key(event));
    canvas.addEventListener('dblclick', event => this.zoom(4, this.#time(event.offsetX)));
    for (const type of ['pointerdown', 'pointermove', 'pointerup', 'pointercancel', 'pointerleave']) {
      canvas.addEventListener(type, event => this['_' + type](event));
    }
  }

  /** Updates lanes and view after events or names have changed. */
  update() {
    const names = [...this.#events.names.values()];
    const own = names.length > MAX_LANES ? MAX_LANES - 1 : names.length;
    this.#lanes = names.slice(0, own).map(name => ({label: name.text, colour: name.colour}));
    if (own < names.length) this.#lanes.push({label: count(names.length - own, 'further name'), colour: 'muted'});
    for (const [i, name] of names.entries()) name.lane = Math.min(i, this.#lanes.length - 1);
    this.#canvas.style.height = `${this.#painter.height(this.#lanes)}px`;
    if (this.fitted) this.fit(this.fitted);
    else if (this.following) this.#goToNewest(this.view.to - this.view.from);
    this.redraw();
  }

  // --- The view.

  /** Returns the times that the overview shows. */
  #range() {
    const {from, to} = this.#events.span;
    const until = Math.max(to, this.now ?? to), room = Math.max(until - from, MIN_SPAN * 10) * .02;
    return until === from ? {from: from - 500, to: from + 500} : {from: from - room, to: until + room};
  }

  /** Shows all times; for 'session', only those from start to end, if stray timestamps would shrink these to a dot. */
  fit(what = 'all') {
    const events = this.#events, range = this.#range(), last = events.all.at(-1)?.t ?? events.start;
    const to = events.end ?? (this.now ?? last), span = to - events.start;
    const isDot = what === 'session' && span > 0 && span < .05 * (range.to - range.from);
    this.view = isDot ? {from: events.start - span * .02, to: to + span * .02} : range;
    this.fitted = what;
    this.#changed();
  }

  #go(from, span = this.view.to - this.view.from) {
    const range = this.#range(), whole = range.to - range.from;
    span = Math.min(Math.max(span, MIN_SPAN), whole * 1.5);
    from = Math.min(Math.max(from, range.from - span * .5), range.to - span * .5);
    this.view = {from, to: from + span};
    this.fitted = undefined;
    this.#changed();
  }

  #changed() {
    if (this.#pointer) this.#hover(); // something else may be under the pointer now
    this.on.view();
    this.redraw();
  }

  zoom(factor, around = (this.view.from + this.view.to) / 2) {
    const span = Math.max(MIN_SPAN, (this.view.to - this.view.from) / factor);
    this.#go(around - (around - this.view.from) / (this.view.to - this.view.from) * span, span);
  }

  /** Moves the view by a fraction of its width. */
  pan(part) {
    this.following = false;
    this.#go(this.view.from + part * (this.view.to - this.view.from));
  }

  follow(yes) {
    const span = Math.min(this.view.to - this.view.from, this.fitted ? 60_000 : Infinity);
    this.following = yes;
    if (yes) this.#goToNewest(span);
    this.#changed();
  }

  #goToNewest(span) {
    this.#go((this.now ?? this.#events.span.to) - span * .95, span);
  }

  /** Selects an event, and brings it into view. */
  select(event) {
    this.selected = event;
    const {from, to} = this.view;
    if (event && (event.t < from || event.t > to)) {
      this.following = false;
      this.#go(event.t - (to - from) / 2);
    }
    this.redraw();
  }

  /** The numbers of shown events before and after the view. */
  get outside() {
    const {shown} = this.#events;
    return {before: firstAt(shown, this.view.from), after: shown.length - firstAt(shown, this.view.to)};
  }

  #time(x) {
    return this.view.from + x / this.#canvas.clientWidth * (this.view.to - this.view.from);
  }

  #x(t) {
    const {from, to} = this.view;
    return (t - from) / (to - from) * this.#canvas.clientWidth;
  }

  // --- User input.

  #wheel(event) {
    event.preventDefault();
    const pixels = event.deltaMode ? 16 : 1, sideways = event.shiftKey ? event.deltaY : event.deltaX;
    if (Math.abs(sideways) > Math.abs(event.deltaY) || event.shiftKey) {
      this.pan((sideways || event.deltaX) * pixels / this.#canvas.clientWidth);
    } else {
      this.zoom(2 ** (-event.deltaY * pixels / (event.ctrlKey ? 60 : 240)), this.#time(event.offsetX));
    }
  }

  #key(event) {
    const actions = {
      ArrowLeft: () => this.pan(-.1), ArrowRight: () => this.pan(.1), '+': () => this.zoom(1.5), '=': () => this.zoom(1.5),
      '-': () => this.zoom(1 / 1.5), ArrowUp: () => this.zoom(1.5), ArrowDown: () => this.zoom(1 / 1.5), 0: () => this.fit(),
      Home: () => this.#go(this.#range().from), End: () => this.#go(this.#range().to - (this.view.to - this.view.from)),
      '.': () => this.on.step(1), ',': () => this.on.step(-1),
    };
    if (!(event.key in actions) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    actions[event.key]();
  }

  _pointerdown(event) {
    this.#canvas.setPointerCapture(event.pointerId);
    this.#touches.set(event.pointerId, event);
    this.moved = false;
    this.inOverview = event.offsetY < OVERVIEW;
    if (this.inOverview) this.#goByOverview(event.offsetX);
    this.on.hover();
  }

  _pointermove(event) {
    const before = this.#touches.get(event.pointerId), width = this.#canvas.clientWidth;
    this.#pointer = {x: event.offsetX, y: event.offsetY};
    if (!before) return this.#hover();
    const other = [...this.#touches.values()].find(each => each !== before);
    this.moved ||= Boolean(other) || Math.abs(event.offsetX - before.offsetX) > 3;
    if (!this.moved) return;
    if (other) { // two fingers: the times under them stay there
      const apart = Math.abs(event.offsetX - other.offsetX) / Math.max(1, Math.abs(before.offsetX - other.offsetX));
      this.zoom(apart || 1, this.#time(other.offsetX));
    } else if (this.inOverview) this.#goByOverview(event.offsetX);
    else this.pan((before.offsetX - event.offsetX) / width);
    this.#touches.set(event.pointerId, event);
  }

  _pointerup(event) {
    this.#touches.delete(event.pointerId);
    if (this.moved || this.inOverview) return;
    const hit = this.#at(event.offsetX, event.offsetY);
    this.on.select(hit?.events[0]);
  }

  _pointercancel(event) {
    this.#touches.delete(event.pointerId);
  }

  _pointerleave() {
    this.#pointer = undefined;
    this.on.hover();
    this.redraw();
  }

  #goByOverview(x) {
    const {from, to} = this.#range(), span = this.view.to - this.view.from;
    this.following = false;
    this.#go(from + x / this.#canvas.clientWidth * (to - from) - span / 2);
  }

  #hover() {
    const hit = this.#at(this.#pointer.x, this.#pointer.y);
    this.#canvas.classList.toggle('over', Boolean(hit));
    this.on.hover(hit, this.#pointer.x, this.#pointer.y);
    this.redraw();
  }

  /** Returns the events of the nearest mark or bar in the lane at this point; undefined if none is near. */
  #at(x, y) {
    const lane = Math.floor((y - TOP) / this.#painter.lane), {shown} = this.#events;
    if (y < TOP || lane >= this.#lanes.length) return undefined;
    const first = firstAt(shown, this.#time(x - REACH)), until = firstAt(shown, this.#time(x + REACH));
    let nearest, distance = REACH;
    for (let i = first; i < until; i++) {
      const away = Math.abs(this.#x(shown[i].t) - x);
      if (shown[i].name.lane === lane && away < distance) [nearest, distance] = [i, away];
    }
    if (nearest === undefined) return undefined;
    const bin = Math.floor(this.#x(shown[nearest].t) / BIN), events = [];
    for (let i = firstAt(shown, this.#time(bin * BIN)); i < until; i++) {
      if (shown[i].name.lane === lane && Math.floor(this.#x(shown[i].t) / BIN) === bin) events.push(shown[i]);
    }
    return {events, lane: this.#lanes[lane]};
  }

  /** The text that screen readers announce for the canvas. */
  get description() {
    const {all, shown, second} = this.#events, {from, to} = this.view;
    const inView = shown.length - this.outside.before - this.outside.after;
    return `Timeline of ${count(all.length, 'event')}. In view: ${inView}, in ${duration(to - from)} from ${moment(second, from)} to ${moment(second, to)}. `
        + 'Arrow keys pan and zoom, 0 shows all, comma and full stop go from event to event. The table below holds the same events.';
  }
}
