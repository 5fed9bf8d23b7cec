// Draws the timeline: a lane for each name, and a strip of all events above. Where events are dense, bars show how many.

import {firstAt} from './events.js';
import {clock, moment, ticks} from './time.js';

export const OVERVIEW = 28, TOP = OVERVIEW + 18, BIN = 3; // pixels: height of the strip; top of the lanes; width of a bar
const AXIS = 34, LANE = 28, NAME = 14, MARK = 4, NARROW = 600;

export class Painter {
  #canvas;
  #pen;
  #scene;
  #colours;

  constructor(canvas) {
    this.#canvas = canvas;
    this.#pen = canvas.getContext('2d');
  }

  /** The height of a lane. If there is no room beside the lanes, each has its name above its marks. */
  get lane() {
    return this.#isNarrow ? LANE + NAME : LANE;
  }

  get #isNarrow() {
    return this.#canvas.clientWidth < NARROW;
  }

  height(lanes) {
    return TOP + this.lane * Math.max(1, lanes.length) + AXIS;
  }

  /** @param scene {events, lanes, range, view, now, selected, pointer} */
  paint(scene) {
    this.#scene = scene;
    const canvas = this.#canvas, pen = this.#pen, scale = devicePixelRatio;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width) return;
    this.#colours = getComputedStyle(canvas);
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = `11px ${this.#colours.fontFamily}`;
    pen.textBaseline = 'middle';
    const bottom = height - AXIS;
    this.#drawOutside(width, bottom);
    this.#drawAxis(width, bottom);
    this.#drawLanes(width);
    this.#drawBound(this.#scene.events.start, 'start', bottom, 'left');
    if (this.#scene.events.end !== undefined) this.#drawBound(this.#scene.events.end, 'end', bottom, 'right');
    if (this.#scene.now !== undefined) this.#drawBound(this.#scene.now, 'now', bottom, 'right', 'accent');
    this.#drawSelected();
    this.#drawPointer(width, bottom);
    this.#drawOverview(width);
  }

  /** Shades the times before the start and after the end. */
  #drawOutside(width, bottom) {
    this.#pen.fillStyle = this.#colour('outside');
    const start = this.#x(this.#scene.events.start), end = this.#x(this.#scene.events.end ?? this.#scene.now ?? Infinity);
    if (start > 0) this.#pen.fillRect(0, TOP, Math.min(start, width), bottom - TOP);
    if (end < width) this.#pen.fillRect(Math.max(end, 0), TOP, width, bottom - TOP);
  }

  #drawAxis(width, bottom) {
    const pen = this.#pen, {from, to} = this.#scene.view;
    pen.textAlign = 'center';
    for (const {t, label, day} of ticks(this.#scene.events.second, from, to, (to - from) * 96 / width)) {
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

  /** Returns where to centre a text so that no edge cuts it off. */
  #inside(text, x) {
    const half = this.#pen.measureText(text).width / 2 + 3;
    return Math.min(Math.max(x, half), this.#canvas.clientWidth - half);
  }

  #drawLanes(width) {
    const pen = this.#pen, bins = Math.ceil(width / BIN), {shown} = this.#scene.events, {from, to} = this.#scene.view;
    const counts = this.#scene.lanes.map(() => new Uint32Array(bins + 8)), maxima = this.#scene.lanes.map(() => 0), perTime = width / (to - from) / BIN;
    for (let i = firstAt(shown, from), until = firstAt(shown, to); i < until; i++) {
      const {t, name} = shown[i], n = ++counts[name.lane][4 + Math.floor((t - from) * perTime)];
      if (n > maxima[name.lane]) maxima[name.lane] = n;
    }
    pen.textAlign = 'left';
    for (const [i, {label, colour}] of this.#scene.lanes.entries()) {
      const base = TOP + (i + 1) * this.lane, of = counts[i], most = Math.log(1 + maxima[i]);
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

  /** Draws text on a background of its own, so that it is readable in front of marks. */
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
    const {selected} = this.#scene, pen = this.#pen;
    if (!selected || selected.name.hidden || !this.#scene.lanes.length) return;
    const x = (Math.floor(this.#x(selected.t) / BIN) + .5) * BIN, y = TOP + (selected.name.lane + 1) * this.lane - LANE / 2;
    pen.fillStyle = pen.strokeStyle = this.#colour('text');
    pen.fillRect(x - .5, TOP, 1, this.lane * this.#scene.lanes.length);
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(x, y, MARK + 3, 0, 7);
    pen.stroke();
    pen.lineWidth = 1;
  }

  #drawPointer(width, bottom) {
    if (!this.#scene.pointer || this.#scene.pointer.y < TOP || this.#scene.pointer.y > bottom) return;
    const pen = this.#pen, {x} = this.#scene.pointer, {from, to} = this.#scene.view;
    const digits = Math.min(9, Math.max(0, Math.ceil(3 - Math.log10((to - from) / width))));
    pen.fillStyle = this.#colour('muted');
    pen.fillRect(Math.round(x), TOP, 1, bottom - TOP);
    pen.textAlign = 'center';
    const text = (to - from > 864e5 ? moment : clock)(this.#scene.events.second, from + x / width * (to - from), digits);
    this.#drawText(text, this.#inside(text, x), bottom + 13, 'text');
  }

  /** Draws the strip of all events, with a window around those in view. */
  #drawOverview(width) {
    const pen = this.#pen, range = this.#scene.range, {shown} = this.#scene.events, tall = OVERVIEW - 6;
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
    const left = Math.max(0, this.#x(this.#scene.view.from, range)), right = Math.min(width, this.#x(this.#scene.view.to, range));
    pen.fillStyle = this.#colour('window');
    pen.fillRect(left, 0, Math.max(4, right - left), OVERVIEW);
    pen.strokeStyle = this.#colour('accent');
    pen.strokeRect(left + .5, .5, Math.max(4, right - left - 1), OVERVIEW - 1);
  }

  #colour(name) {
    return this.#colours.getPropertyValue(typeof name === 'number' ? `--c${name}` : `--${name}`);
  }

  #x(t, {from, to} = this.#scene.view) {
    return (t - from) / (to - from) * this.#canvas.clientWidth;
  }
}
