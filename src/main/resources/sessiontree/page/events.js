// The events of one session, sorted by time: all of them, and those that pass the filters.

import {parseChild} from './json.js';
import {parseTimestamp, since} from './time.js';

export const COLOURS = 8; // --c0 to --c7 in style.css

/** The colour that each name had in the session shown last. */
const lastColours = new Map();

/** Returns a name's index in the palette: its last one, or else a hash of its characters; if that is taken, the next. */
function colourOf(name, taken) {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash, 31) + name.charCodeAt(i) | 0;
  let colour = lastColours.get(name) ?? (hash >>> 0) % COLOURS;
  for (let i = 0; i < COLOURS && taken.has(colour); i++) colour = (colour + 1) % COLOURS;
  lastColours.set(name, colour);
  return colour;
}

export class Events {
  /** {t, raw, timestamp, digits, name, membersAt}, sorted by t, equal ones in the order stored. */
  all = [];
  /** The events that pass the filter and whose name is not hidden. */
  shown = [];
  /** By the JSON text of a name: {text, colour, count, hidden, lane}. The timeline sets the lane. */
  names = new Map();
  /** Times are in milliseconds since this epoch second. */
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

  /** Adds children, as raw text, in the order received, which need not be that of their times. */
  add(children) {
    const added = children.map(raw => {
      const {timestamp, name, membersAt} = parseChild(raw);
      const known = this.#named(name);
      known.count++;
      const time = parseTimestamp(timestamp);
      const digits = time.nanos % 1e6 === 0 ? 3 : time.nanos % 1e3 === 0 ? 6 : 9; // decimal places of the second to show
      return {t: since(this.second, time), raw, timestamp, digits, name: known, membersAt};
    });
    this.all = merge(this.all, added.sort((a, b) => a.t - b.t));
    this.shown = merge(this.shown, added.filter(event => this.#passes(event)));
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

  /** Shows the events that contain the text, ignoring case, and whose name is not hidden. */
  show(filter = this.#filter) {
    this.#filter = filter.toLowerCase();
    this.shown = this.all.filter(event => this.#passes(event));
  }

  #passes(event) {
    return !event.name.hidden && (!this.#filter || event.raw.toLowerCase().includes(this.#filter));
  }

  /** The times that the session covers: from its start or first event to its end or last event. */
  get span() {
    const first = this.all[0]?.t ?? this.start, last = this.all.at(-1)?.t ?? this.start;
    return {from: Math.min(this.start, first), to: Math.max(this.start, this.end ?? this.start, last)};
  }
}

/** Returns the members of an event as JSON text, without the braces. */
export const members = event => event.raw.slice(event.membersAt, -1);

/** Returns the index of the first event at t or later. */
export function firstAt(events, t) {
  let low = 0, high = events.length;
  while (low < high) {
    const middle = low + high >> 1;
    if (events[middle].t < t) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Merges a sorted list into an older one, and returns that; at equal times, the older list's events come first. */
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
