// The events of one session: all of them in order of time, and those of them that the filters let through.

import {parseChild} from './json.js';
import {parseTimestamp, since} from './time.js';

export const COLOURS = 8; // --c0 to --c7 in style.css

/** By name, what it had in the last session that was looked at. */
const lastColours = new Map();

/** A name's place in the palette: the last one, or one from its letters; if that is taken, the next. */
function colourOf(name, taken) {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash, 31) + name.charCodeAt(i) | 0;
  let colour = lastColours.get(name) ?? (hash >>> 0) % COLOURS;
  for (let i = 0; i < COLOURS && taken.has(colour); i++) colour = (colour + 1) % COLOURS;
  lastColours.set(name, colour);
  return colour;
}

export class Events {
  /** {t, raw, timestamp, digits, name, membersAt}, by t; equal ones in the order stored. */
  all = [];
  /** What is neither filtered out nor of a hidden name. */
  shown = [];
  /** By the JSON text of the name: {text, colour, count, hidden}, and the timeline's lane. */
  names = new Map();
  /** Times are milliseconds after this second. */
  second = 0;
  start = 0;
  end;
  #filter = '';

  clear(start) {
    const parsed = parseTimestamp(String(start));
    this.second = parsed.seconds;
    this.start = since(this.second, parsed);
    this.end = undefined;
    this.all = [];
    this.shown = [];
    this.names.clear();
  }

  setEnd(text) {
    this.end = since(this.second, parseTimestamp(text));
  }

  /** Adds children as they came, in any order. */
  add(children) {
    const added = children.map(raw => {
      const {timestamp, name, membersAt} = parseChild(raw);
      const known = this.#named(name);
      known.count++;
      const time = parseTimestamp(timestamp);
      const digits = time.nanos % 1e6 === 0 ? 3 : time.nanos % 1e3 === 0 ? 6 : 9; // of a second, to be shown
      return {t: since(this.second, time), raw, timestamp, digits, name: known, membersAt};
    });
    this.all = merge(this.all, added.sort((a, b) => a.t - b.t));
    this.shown = merge(this.shown, added.filter(event => this.#lets(event)));
  }

  #named(json) {
    let name = this.names.get(json);
    if (!name) {
      const taken = new Set(this.names.size < COLOURS ? [...this.names.values()].map(each => each.colour) : []);
      const text = JSON.parse(json);
      name = {text, colour: colourOf(text, taken), count: 0, hidden: false};
      this.names.set(json, name);
    }
    return name;
  }

  get filter() {
    return this.#filter;
  }

  /** Shows what holds that text, in any case, and is of no hidden name. */
  show(filter = this.#filter) {
    this.#filter = filter.toLowerCase();
    this.shown = this.all.filter(event => this.#lets(event));
  }

  #lets(event) {
    return !event.name.hidden && (!this.#filter || event.raw.toLowerCase().includes(this.#filter));
  }

  /** The times that there are: from start or the first event, to end or the last one. */
  get span() {
    const first = this.all[0]?.t ?? this.start, last = this.all.at(-1)?.t ?? this.start;
    return {from: Math.min(this.start, first), to: Math.max(this.start, this.end ?? this.start, last)};
  }
}

/** The members of an event as JSON text, without the braces. */
export const members = event => event.raw.slice(event.membersAt, -1);

/** The index of the first one at t or later. */
export function firstAt(events, t) {
  let low = 0, high = events.length;
  while (low < high) {
    const middle = low + high >> 1;
    if (events[middle].t < t) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Two lists in order as one; of equal times, the older list's come first. */
function merge(older, newer) {
  if (!newer.length) return older;
  const from = firstAfter(older, newer[0].t);
  const tail = older.splice(from);
  for (let i = 0, j = 0; i < tail.length || j < newer.length;) {
    older.push(j === newer.length || i < tail.length && tail[i].t <= newer[j].t ? tail[i++] : newer[j++]);
  }
  return older;
}

const firstAfter = (events, t) => {
  let i = firstAt(events, t);
  while (i < events.length && events[i].t === t) i++;
  return i;
};
