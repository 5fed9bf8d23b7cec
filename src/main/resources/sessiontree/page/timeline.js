// The timeline: a lane for each name, drawn on a canvas. Where events are dense, a lane is a histogram.

import {firstAt} from './events.js';
import {clock, count, duration, moment, ticks} from './time.js';
import {eachFrame} from './dom.js';

const AXIS = 34, OVERVIEW = 28, TOP = OVERVIEW + 18, LANE = 28, NAME = 14, BIN = 3, MARK = 4, REACH = 9;
export const MAX_LANES = 8;
const MIN_SPAN = 1e-5; // 10 ns

export class Timeline {
  /** The times in view. */
  view = {from: 0, to: 1};
  /** 'all' or 'session', if that is in view, and stays so when more comes. */
  fitted = 'session';
  /** Whether the view goes on with the newest event. */
  following = false;
  /** The time now, while the session is open and its clock agrees with ours. */
  now;
  selected;
  #events;
  #canvas;
  #pen;
  #lanes = [];
  #pointer;
  #touches = new Map();
  #colours = {};

  /** @param on {select(event), hover(event or bin, x, y), view()} */
  constructor(canvas, events, on) {
    Object.assign(this, {on});
    this.#canvas = canvas;
    this.#events = events;
    this.#pen = canvas.getContext('2d');
    this.redraw = eachFrame(() => this.#draw());
    new ResizeObserver(() => this.update()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#colours = {};
      this.redraw();
    });
    canvas.addEventListener('wheel', event => this.#wheel(event), {passive: false});
    canvas.addEventListener('keydown', event => this.#key(event));
    canvas.addEventListener('dblclick', event => this.zoom(4, this.#time(event.offsetX)));
    for (const type of ['pointerdown', 'pointermove', 'pointerup', 'pointercancel', 'pointerleave']) {
      canvas.addEventListener(type, event => this['_' + type](event));
    }
  }

  /** To be called when events or names have changed. */
  update() {
    const names = [...this.#events.names.values()];
    const own = names.length > MAX_LANES ? MAX_LANES - 1 : names.length;
    this.#lanes = names.slice(0, own).map(name => ({label: name.text, colour: name.colour}));
    if (own < names.length) this.#lanes.push({label: count(names.length - own, 'further name'), colour: 'muted'});
    for (const [i, name] of names.entries()) name.lane = Math.min(i, this.#lanes.length - 1);
    this.#canvas.style.height = `${AXIS + TOP + this.#lane * Math.max(1, this.#lanes.length)}px`;
    if (this.fitted) this.fit(this.fitted);
    else if (this.following) this.#goToNewest(this.view.to - this.view.from);
    this.redraw();
  }

  /** The height of a lane; where there is no room beside it, its name stands in it. */
  get #lane() {
    return this.#isNarrow ? LANE + NAME : LANE;
  }

  get #isNarrow() {
    return this.#canvas.clientWidth < 600;
  }

  // --- What is in view.

  /** What the overview shows. */
  #range() {
    const {from, to} = this.#events.span;
    const until = Math.max(to, this.now ?? to), room = Math.max(until - from, MIN_SPAN * 10) * .02;
    return until === from ? {from: from - 500, to: from + 500} : {from: from - room, to: until + room};
  }

  /** Shows all; or, if stray timestamps make it a dot in all that, the session from its start to its end. */
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
    this.on.hover(); // what was under the pointer is elsewhere now
    this.on.view();
    this.redraw();
  }

  zoom(factor, around = (this.view.from + this.view.to) / 2) {
    const span = Math.max(MIN_SPAN, (this.view.to - this.view.from) / factor);
    this.#go(around - (around - this.view.from) / (this.view.to - this.view.from) * span, span);
  }

  /** By parts of what is in view. */
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

  /** How many of those shown are before and after what is in view. */
  get outside() {
    const {shown} = this.#events;
    return {before: firstAt(shown, this.view.from), after: shown.length - firstAt(shown, this.view.to)};
  }

  #time(x) {
    return this.view.from + x / this.#canvas.clientWidth * (this.view.to - this.view.from);
  }

  #x(t, {from, to} = this.view) {
    return (t - from) / (to - from) * this.#canvas.clientWidth;
  }

  // --- What a user does.

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
    if (other) { // two fingers: what is under each stays there
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

  /** The events of the nearest mark or bar of the lane there. */
  #at(x, y) {
    const lane = Math.floor((y - TOP) / this.#lane), {shown} = this.#events;
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

  // --- Drawing.

  #colour(name) {
    const of = typeof name === 'number' ? `--c${name}` : `--${name}`;
    return this.#colours[of] ??= getComputedStyle(this.#canvas).getPropertyValue(of).trim();
  }

  #draw() {
    const canvas = this.#canvas, pen = this.#pen, scale = devicePixelRatio;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width) return;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = `11px ${getComputedStyle(canvas).fontFamily}`;
    pen.textBaseline = 'middle';
    const bottom = height - AXIS;
    this.#drawOutside(width, bottom);
    this.#drawAxis(width, bottom);
    this.#drawLanes(width);
    this.#drawBound(this.#events.start, 'start', bottom, 'left');
    if (this.#events.end !== undefined) this.#drawBound(this.#events.end, 'end', bottom, 'right');
    if (this.now !== undefined) this.#drawBound(this.now, 'now', bottom, 'right', 'accent');
    this.#drawSelected();
    this.#drawPointer(width, bottom);
    this.#drawOverview(width);
  }

  /** What is before the start, and after the end. */
  #drawOutside(width, bottom) {
    this.#pen.fillStyle = this.#colour('outside');
    const start = this.#x(this.#events.start), end = this.#x(this.#events.end ?? this.now ?? Infinity);
    if (start > 0) this.#pen.fillRect(0, TOP, Math.min(start, width), bottom - TOP);
    if (end < width) this.#pen.fillRect(Math.max(end, 0), TOP, width, bottom - TOP);
  }

  #drawAxis(width, bottom) {
    const pen = this.#pen, {from, to} = this.view;
    pen.textAlign = 'center';
    for (const {t, label, day} of ticks(this.#events.second, from, to, (to - from) * 96 / width)) {
      const x = Math.round(this.#x(t)) + .5;
      pen.strokeStyle = this.#colour('line');
      pen.beginPath();
      pen.moveTo(x, TOP);
      pen.lineTo(x, bottom + 4);
      pen.stroke();
      pen.fillStyle = this.#colour('muted');
      pen.fillText(label, this.#inside(label, x), bottom + 13);
      if (day) pen.fillText(day, this.#inside(day, x), bottom + 26);
    }
  }

  /** Where centred text is to be, so that no edge cuts it. */
  #inside(text, x) {
    const half = this.#pen.measureText(text).width / 2 + 3;
    return Math.min(Math.max(x, half), this.#canvas.clientWidth - half);
  }

  #drawLanes(width) {
    const pen = this.#pen, bins = Math.ceil(width / BIN), {shown} = this.#events, {from, to} = this.view;
    const counts = this.#lanes.map(() => new Uint32Array(bins + 8)), maxima = this.#lanes.map(() => 0), perTime = width / (to - from) / BIN;
    for (let i = firstAt(shown, from), until = firstAt(shown, to); i < until; i++) {
      const {t, name} = shown[i], n = ++counts[name.lane][4 + Math.floor((t - from) * perTime)];
      if (n > maxima[name.lane]) maxima[name.lane] = n;
    }
    pen.textAlign = 'left';
    for (const [i, {label, colour}] of this.#lanes.entries()) {
      const base = TOP + (i + 1) * this.#lane, of = counts[i], most = Math.log(1 + maxima[i]);
      pen.fillStyle = this.#colour('line');
      pen.fillRect(0, base - 1, width, 1);
      pen.fillStyle = this.#colour(colour);
      pen.beginPath();
      for (let bin = 4; bin < bins + 4; bin++) {
        if (!of[bin]) continue;
        const x = (bin - 4) * BIN;
        const alone = of[bin] === 1 && !(of[bin - 1] || of[bin - 2] || of[bin + 1] || of[bin + 2]);
        if (alone) {
          pen.moveTo(x + BIN / 2 + MARK, base - LANE / 2);
          pen.arc(x + BIN / 2, base - LANE / 2, MARK, 0, 7);
        } else {
          const tall = Math.max(4, (LANE - 6) * Math.log(1 + of[bin]) / Math.max(most, Math.log(3)));
          pen.rect(x, base - 1 - tall, BIN - .5, tall);
        }
      }
      pen.fill();
      if (this.#isNarrow) this.#drawText(label.length > 40 ? label.slice(0, 39) + '…' : label, 6, base - LANE - NAME / 2, 'muted');
    }
  }

  /** Text on a ground of its own, so that marks behind it leave it readable. */
  #drawText(text, x, y, colour) {
    const pen = this.#pen, {width} = pen.measureText(text);
    const left = pen.textAlign === 'right' ? x - width : pen.textAlign === 'center' ? x - width / 2 : x;
    pen.fillStyle = this.#colour('ground-veil');
    pen.fillRect(left - 3, y - 7, width + 6, 14);
    pen.fillStyle = this.#colour(colour);
    pen.fillText(text, x, y);
  }

  #drawBound(t, label, bottom, side, colour = 'muted') {
    const pen = this.#pen, x = Math.round(this.#x(t)) + .5, y = OVERVIEW + 9;
    if (x < 0 || x > this.#canvas.clientWidth) return;
    pen.strokeStyle = this.#colour(colour);
    pen.setLineDash(colour === 'muted' ? [3, 3] : []);
    pen.beginPath();
    pen.moveTo(x, OVERVIEW);
    pen.lineTo(x, bottom);
    pen.stroke();
    pen.setLineDash([]);
    pen.textAlign = side;
    this.#drawText(label, x + (side === 'left' ? 5 : -5), y, colour);
  }

  #drawSelected() {
    const {selected} = this, pen = this.#pen;
    if (!selected || selected.name.hidden || !this.#lanes.length) return;
    const x = (Math.floor(this.#x(selected.t) / BIN) + .5) * BIN, y = TOP + (selected.name.lane + 1) * this.#lane - LANE / 2;
    pen.fillStyle = pen.strokeStyle = this.#colour('text');
    pen.fillRect(x - .5, TOP, 1, this.#lane * this.#lanes.length);
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(x, y, MARK + 3, 0, 7);
    pen.stroke();
    pen.lineWidth = 1;
  }

  #drawPointer(width, bottom) {
    if (!this.#pointer || this.#pointer.y < TOP || this.#pointer.y > bottom) return;
    const pen = this.#pen, {x} = this.#pointer, {from, to} = this.view;
    const digits = Math.min(9, Math.max(0, Math.ceil(3 - Math.log10((to - from) / width))));
    pen.fillStyle = this.#colour('muted');
    pen.fillRect(Math.round(x), TOP, 1, bottom - TOP);
    pen.textAlign = 'center';
    const text = (to - from > 864e5 ? moment : clock)(this.#events.second, this.#time(x), digits);
    this.#drawText(text, this.#inside(text, x), bottom + 13, 'text');
  }

  /** All events in one strip, with a window for what is in view. */
  #drawOverview(width) {
    const pen = this.#pen, range = this.#range(), {shown} = this.#events, tall = OVERVIEW - 6;
    const counts = new Uint32Array(Math.ceil(width / BIN) + 1), perTime = width / (range.to - range.from) / BIN;
    let most = 1;
    for (const {t} of shown) most = Math.max(most, ++counts[Math.floor((t - range.from) * perTime)]);
    pen.fillStyle = this.#colour('surface');
    pen.fillRect(0, 0, width, OVERVIEW);
    pen.fillStyle = this.#colour('overview');
    counts.forEach((n, bin) => {
      const height = n && Math.max(3, tall * Math.log(1 + n) / Math.log(1 + most));
      pen.fillRect(bin * BIN, OVERVIEW - 1 - height, BIN - .5, height);
    });
    const left = Math.max(0, this.#x(this.view.from, range)), right = Math.min(width, this.#x(this.view.to, range));
    pen.fillStyle = this.#colour('window');
    pen.fillRect(left, 0, Math.max(4, right - left), OVERVIEW);
    pen.strokeStyle = this.#colour('accent');
    pen.strokeRect(left + .5, .5, Math.max(4, right - left - 1), OVERVIEW - 1);
  }

  /** What a screen reader says for the picture. */
  get description() {
    const {all, shown, second} = this.#events, {from, to} = this.view;
    const inView = shown.length - this.outside.before - this.outside.after;
    return `Timeline of ${count(all.length, 'event')}. In view: ${inView}, in ${duration(to - from)} from ${moment(second, from)} to ${moment(second, to)}. `
        + 'Arrow keys pan and zoom, 0 shows all, comma and full stop go from event to event. The table below holds the same events.';
  }
}
