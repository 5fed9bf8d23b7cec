// Parses timestamps; formats times of day, durations and counts. A session's times are in milliseconds since the whole
// second of its start: exact to the nanosecond for a span of 104 days, which epoch milliseconds are not.

const DAY = 86_400_000;
const two = n => String(n).padStart(2, '0');

/** Parses a JSON number of epoch seconds into whole seconds and nanoseconds, without the rounding of a double. */
export function parseTimestamp(text) {
  const [, whole, fraction = '', exponent = 0] = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  const point = whole.length + Number(exponent);
  if (point < -9) return {seconds: 0, nanos: 0};
  const digits = '0'.repeat(Math.max(0, -point)) + (whole + fraction).padEnd(point, '0');
  const split = Math.max(0, point);
  return {seconds: Number(digits.slice(0, split)), nanos: Number(digits.slice(split, split + 9).padEnd(9, '0'))};
}

/** Returns a parsed timestamp as milliseconds since a second. */
export const since = (second, {seconds, nanos}) => (seconds - second) * 1000 + nanos / 1e6;

/** Splits a time into seconds and nanoseconds; rounds to the nanosecond, to undo the error of a double. */
function split(t) {
  const whole = Math.floor(t / 1000), nanos = Math.round((t - whole * 1000) * 1e6);
  return nanos < 1e9 ? {whole, nanos} : {whole: whole + 1, nanos: 0};
}

const fraction = (nanos, digits) => digits > 0 ? '.' + String(nanos).padStart(9, '0').slice(0, digits) : '';

/** Returns the local date, such as 2026-11-26. */
export function date(second, t = 0) {
  const d = new Date((second + split(t).whole) * 1000);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
}

/** Returns the local time of day: h:m:s with so many decimal places of the second, or h:m if digits is negative. */
export function clock(second, t = 0, digits = 3) {
  const {whole, nanos} = split(t), d = new Date((second + whole) * 1000);
  const minutes = `${two(d.getHours())}:${two(d.getMinutes())}`;
  return digits < 0 ? minutes : `${minutes}:${two(d.getSeconds())}${fraction(nanos, digits)}`;
}

/** Formats an offset from the start: 1.250 s, 2:05.250, 1:02:05.250; from two days on, like a duration. */
export function offset(t, digits = 3) {
  if (t < 0) return '−' + offset(-t, digits);
  const {whole, nanos} = split(t), minutes = Math.floor(whole / 60);
  if (minutes < 1) return `${whole}${fraction(nanos, digits)} s`;
  if (minutes >= 2880) return duration(t);
  const clocked = minutes < 60 ? minutes : `${Math.floor(minutes / 60)}:${two(minutes % 60)}`;
  return `${clocked}:${two(whole % 60)}${fraction(nanos, digits)}`;
}

/** Returns the local date and time of day. */
export const moment = (second, t = 0, digits = 3) => `${date(second, t)} ${clock(second, t, digits)}`;

/** Formats a duration in its one or two largest units: 2 h 05 min, 3.21 s, 40 ms, 1.5 µs. */
export function duration(millis) {
  if (millis < 0) return '−' + duration(-millis);
  const places = (value, unit) => `${value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toPrecision(3)} ${unit}`;
  if (millis === 0) return '0 s';
  if (millis < 1e-3) return places(millis * 1e6, 'ns');
  if (millis < 1) return places(millis * 1e3, 'µs');
  if (millis < 999.5) return places(millis, 'ms');
  if (millis < 59_950) return places(millis / 1000, 's');
  const seconds = Math.round(millis / 1000), minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
  if (hours < 1) return `${minutes} min ${two(seconds % 60)} s`;
  if (hours < 48) return `${hours} h ${two(minutes % 60)} min`;
  const days = Math.floor(hours / 24);
  return days < 730 ? `${days} d ${hours % 24} h` : `${(days / 365.25).toFixed(1)} years`;
}

export const count = (n, noun) => `${n.toLocaleString('en')} ${noun}${n === 1 ? '' : 's'}`;

export function bytes(n) {
  if (n < 1000) return `${n} B`;
  const unit = n < 1e6 ? 1 : n < 1e9 ? 2 : 3;
  return `${(n / 1000 ** unit).toPrecision(3)} ${['', 'kB', 'MB', 'GB'][unit]}`;
}

const STEPS = [1, 2, 5].flatMap(n => [1e-6, 1e-5, 1e-4, 1e-3, .01, .1, 1, 10, 100].map(unit => n * unit))
    .concat([1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200].map(s => s * 1000))
    .concat([1, 2, 7, 14].map(days => days * DAY), [1, 3, 6].map(months => months * 30 * DAY))
    .concat([1, 2, 5, 10, 20, 50, 100].map(years => years * 365 * DAY)).sort((a, b) => a - b);

/** Returns the ticks of a local time axis, at round times at least so many milliseconds apart, with their two labels. */
export function ticks(second, from, to, apart) {
  const step = STEPS.find(each => each >= apart) ?? STEPS.at(-1);
  const times = step < DAY ? timesOfDay(second, from, to, step) : days(second, from, to, step);
  const digits = step >= 60_000 ? -1 : Math.max(0, Math.min(9, Math.ceil(3 - Math.log10(step) - 1e-9)));
  let previous;
  return times.map(t => {
    const day = date(second, t), isNewDay = day !== previous;
    previous = day;
    if (step >= DAY) return {t, label: step >= 365 * DAY ? day.slice(0, 4) : day, day: ''};
    return {t, label: clock(second, t, digits), day: isNewDay ? day : ''};
  });
}

function timesOfDay(second, from, to, step) {
  const zone = new Date(second * 1000 + from).getTimezoneOffset() * 60_000;
  const origin = step > 1000 ? (second * 1000 - zone) % step : 0; // smaller steps divide a second
  const first = Math.ceil((from + origin) / step), times = [];
  for (let i = first; i * step - origin <= to; i++) times.push(i * step - origin);
  return times;
}

function days(second, from, to, step) {
  const start = new Date(second * 1000 + from), times = [];
  const years = Math.round(step / 365 / DAY), months = years ? 0 : Math.round(step / 30 / DAY);
  const whole = months ? start.getMonth() - start.getMonth() % months : 0;
  const year = years ? start.getFullYear() - start.getFullYear() % years : start.getFullYear();
  for (let i = 0; i < 1000; i++) {
    const day = years ? new Date(year + i * years, 0, 1) : months ? new Date(year, whole + i * months, 1)
        : new Date(year, start.getMonth(), start.getDate() + i * Math.round(step / DAY));
    const t = day.getTime() - second * 1000;
    if (t > to) break;
    if (t >= from) times.push(t);
  }
  return times;
}
