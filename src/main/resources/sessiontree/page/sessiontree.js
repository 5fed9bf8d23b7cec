// @ts-self-types="./sessiontree.d.ts"

/**
 * The browser client of sessiontree, which loses no event and stores none twice.
 *
 * Events wait in an outbox, in memory and in IndexedDB, until the server has acknowledged them. The outbox is a queue of
 * messages, the first of which has the number `stored + 1` of this page's writer. One message is in flight at a time, so
 * after a broken connection the server either has stored it under its number, or does not have it. A message that may
 * have been sent is sealed, so a number always stands for the same message; where messages must get other numbers, the
 * writer gets another name. Each page is a writer of its own, and holds a Web Lock of that name; a later page that gets the
 * lock knows that the earlier page is dead, and sends its leftovers.
 */

const BATCH_MILLIS = 100;
const BATCH_BYTES = 16 << 10;
const MESSAGE_BYTES = 60_000; // browsers allow 64 KiB in flight when a page is left
const RESPONSE_MILLIS = 20_000; // after which a connection counts as broken
const BLOCKED_MILLIS = 60_000; // until WebSockets are tried again where only POST got through
const OTHERS_MILLIS = 2_000; // how long an end waits for the entries of other pages, which may be about to die
const OTHERS_POLL_MILLIS = 50;
const FIRST_DELAY_MILLIS = 250;
const MAX_DELAY_MILLIS = 30_000;

const ID = /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/;
const SUBPROTOCOL = /^[\w!#$%&'*+.^`|~-]+$/; // the characters that a token may have to be part of a subprotocol
const RESERVED = ['type', 'timestamp', 'name', 'session_id'];

/** Codes after which the session takes nothing more from this writer. */
const OVER = /^(session_(complete|deleted|not_started)|message_out_of_order|too_many_writers)$/;
/** Codes of a message that is refused for good. With any other code, or none, the message may be stored later. */
const REFUSED = /^(invalid_.*|session_id_mismatch|entry_after_end|message_too_big)$/;
/** Other statuses that retries will hardly change, such as 404 from a wrong url. */
const LASTING = /^4(?!08|29)/;

const DEFAULTS = {
  maxEvents: 250_000,
  maxBytes: 32 << 20,
  WebSocket: globalThis.WebSocket,
  onError: problem => console.error('sessiontree:', problem),
  onDropped: count => console.warn(`sessiontree: the outbox is full, ${count} events were dropped`),
};

/** A problem that the server reported. */
class Problem extends Error {
  constructor({code, detail = code, status, pointer}) {
    super(detail);
    Object.assign(this, {name: 'SessionTreeProblem', code, status, pointer});
  }
}

/** A session that this page feeds. */
export class SessionTree {
  #settings;
  #outbox;
  #over; // once started, a promise that resolves when the session is complete
  #problem; // why the session takes nothing more
  #isEnded = false;

  constructor(options = {}) {
    this.id = options.id ?? randomId();
    this.url = (options.url ?? new URL('.', import.meta.url).href).replace(/\/+$/, '');
    if (!ID.test(this.id)) throw new TypeError(`id must be 1 to 128 of A-Z a-z 0-9 . _ ~ -; got ${this.id}`);
    if (!/^https?:/.test(this.url)) throw new TypeError(`url must begin with http: or https:; got ${this.url}`);
    const given = Object.entries(options).filter(([, value]) => value !== undefined);
    this.#settings = {...DEFAULTS, ...Object.fromEntries(given)};
    this.#outbox = new Outbox([this.url, this.id, randomId()], this.#settings);
  }

  start() {
    if (this.#over) return this;
    this.#outbox.add({type: 'SESSION_START', timestamp: now(), session_id: this.id});
    this.#outbox.open();
    this.#over = new Sender(this.#outbox, this.#settings).run();
    this.#over.then(() => this.#problem = new Problem({code: 'session_complete'}), problem => this.#problem = problem);
    return this;
  }

  event(name, members = {}) {
    if (typeof name !== 'string' || !name) throw new TypeError('name must be a string, and not empty');
    const reserved = RESERVED.find(member => Object.hasOwn(members, member));
    if (reserved) throw new TypeError(`an event has its own ${reserved}`);
    if (!this.#over || this.#isEnded) throw new Error('events come after start() and before end()');
    const entry = {type: 'EVENT', timestamp: now(), name, ...members};
    if (this.#isOver) tell(this.#settings, this.#problem, this.id, [JSON.stringify(entry)]);
    else this.#outbox.add(entry);
  }

  end() {
    if (!this.#over) throw new Error('start() comes before end()');
    if (!this.#isEnded && !this.#isOver) this.#outbox.add({type: 'SESSION_END', timestamp: now(), session_id: this.id});
    this.#isEnded = true;
    const stored = this.#over.then(() => `${this.url}/sessions/${this.id}`);
    stored.catch(() => {}); // onError reports it, whether or not the promise is awaited
    return stored;
  }

  get #isOver() {
    return OVER.test(this.#problem?.code);
  }
}

/** Messages without an ACK, in memory and, if available, in IndexedDB. */
class Outbox {
  messages = []; // {place, entries: JSON texts, bytes, isSealed}
  stored = 0; // the number of this writer's last stored message
  onDue = () => {};
  release = () => {}; // lets go of the lock of a name that rename() has given
  mayArriveLate = false; // whether a request of this writer, with another message than the first, may still reach the server
  #settings;
  #events = 0;
  #bytes = 0;
  #lastPlace = 0;
  #database; // undefined until it is open, null if there is none
  #changes = new Map(); // not yet in the database, by place: a message's entries, or undefined to delete them; at 0: stored

  /** @param key [the server's URL, the session's id, the writer] */
  constructor(key, settings) {
    this.key = key;
    this.#settings = settings;
  }

  async open() {
    try {
      await hold(lockOf(this.key));
      const database = await openDatabase();
      if (this.#database === undefined) this.#database = database;
      this.save();
    } catch {
      this.#database = null;
    }
  }

  /** Loads the outbox that a dead page left. The caller holds that page's lock. */
  static async load(key, settings) {
    const outbox = new Outbox(key, settings);
    outbox.mayArriveLate = true;
    outbox.#database = await openDatabase();
    const store = outbox.#database.transaction(STORE).objectStore(STORE);
    const [keys, values] = await Promise.all([result(store.getAllKeys(below(key))), result(store.getAll(below(key)))]);
    keys.forEach(([, , , place], i) => {
      if (place === 0) outbox.stored = values[i];
      else outbox.messages.push(outbox.#sealed(place, values[i]));
      outbox.#lastPlace = Math.ceil(place); // keys come in order
    });
    return outbox;
  }

  add(entry) {
    const text = JSON.stringify(entry);
    const bytes = sizeOf(text);
    let last = this.messages.at(-1);
    if (!last || last.isSealed || last.bytes + bytes > BATCH_BYTES) {
      last = {place: ++this.#lastPlace, entries: [], bytes: 0, isSealed: false};
      this.messages.push(last);
    }
    last.entries.push(text);
    last.bytes += bytes;
    this.#events++;
    this.#bytes += bytes;
    this.#change(last.place, last.entries);
    this.#dropOldest();
    if (this.isDue || last.entries.length === 1) this.onDue();
  }

  /** Whether the first message is to be sent without waiting for more entries. */
  get isDue() {
    return this.messages.length > 1 || this.messages.some(message => message.isSealed || isEnding(message));
  }

  get hasEvents() {
    return this.messages.some(({entries}) => entries.some(text => !text.startsWith('{"type":"SESSION_')));
  }

  /** Seals the first unsealed message, after adding as many of the messages behind it as fit. */
  seal() {
    const at = this.messages.findIndex(message => !message.isSealed);
    if (at < 0) return;
    const message = this.messages[at];
    for (let next; (next = this.messages[at + 1]) && message.bytes + next.bytes < MESSAGE_BYTES;) {
      message.entries.push(...next.entries);
      message.bytes += next.bytes;
      this.messages.splice(at + 1, 1);
      this.#change(next.place);
      this.#change(message.place, message.entries);
    }
    message.isSealed = true;
    this.save();
  }

  numberOf(message) {
    return this.stored + 1 + this.messages.indexOf(message);
  }

  /** Gives the writer another name, under which messages are counted from 1: a late request cannot meet a new number. */
  async rename() {
    const old = this.key;
    const key = [...old.slice(0, 2), randomId()];
    const release = await hold(lockOf(key)).catch(() => this.#forget());
    this.release();
    this.release = release ?? this.release;
    this.save();
    this.#changes.delete(0);
    [this.key, this.stored, this.mayArriveLate] = [key, 0, false];
    const database = this.#database;
    if (!database) return;
    try {
      const transaction = database.transaction(STORE, 'readwrite', {durability: 'relaxed'});
      const store = transaction.objectStore(STORE);
      store.delete(below(old));
      for (const {place, entries} of this.messages) store.put(entries, [...key, place]);
      transaction.onabort = () => this.#forget(old, database);
      transaction.commit();
    } catch {
      this.#forget(old, database);
    }
  }

  acknowledge(number) {
    if (number < this.stored) throw new Problem({code: 'session_deleted'});
    for (; this.stored < number; this.stored++) if (this.messages.length > 0) this.#remove(0);
    this.#change(0, this.stored);
  }

  /** Drops SESSION_START from the first message, as another page, or an earlier one, has started the session. */
  dropStart() {
    const [first] = this.messages;
    const bytes = sizeOf(first.entries.shift());
    first.bytes -= bytes;
    this.#bytes -= bytes;
    this.#events--;
    if (first.entries.length === 0) this.#remove(0);
    else this.#change(first.place, first.entries);
  }

  /** Halves the refused first message, or removes its only entry, the one at fault. Returns the entries removed. */
  refuse() {
    const [{place, entries}, next] = this.messages;
    if (entries.length === 1) return this.#remove(0);
    const at = entries.length >> 1;
    const between = (place + (next?.place ?? ++this.#lastPlace)) / 2;
    const halves = [this.#sealed(place, entries.slice(0, at)), this.#sealed(between, entries.slice(at))];
    this.messages.splice(0, 1, ...halves);
    for (const half of halves) this.#change(half.place, half.entries);
    return [];
  }

  /** Empties the outbox, as the session takes nothing more. Returns the entries removed. */
  clear() {
    const entries = this.messages.splice(0).flatMap(message => message.entries);
    this.#forget();
    return entries;
  }

  #sealed(place, entries) {
    return {place, entries, bytes: entries.reduce((sum, text) => sum + sizeOf(text), 0), isSealed: true};
  }

  #remove(at) {
    const [{place, entries, bytes}] = this.messages.splice(at, 1);
    this.#events -= entries.length;
    this.#bytes -= bytes;
    this.#change(place);
    return entries;
  }

  #dropOldest() {
    const isDroppable = message => !message.isSealed && !isStarting(message) && !isEnding(message);
    while (this.#events > this.#settings.maxEvents || this.#bytes > this.#settings.maxBytes) {
      const at = this.messages.findIndex(isDroppable);
      if (at < 0) return;
      const {length} = this.#remove(at);
      queueMicrotask(() => this.#settings.onDropped(length));
    }
  }

  // --- IndexedDB: all changes of a task are one transaction, which is committed at its end.

  #change(place, value) {
    if (this.#database === null) return;
    if (this.#changes.size === 0) queueMicrotask(() => this.save());
    this.#changes.set(place, value);
  }

  save() {
    if (!this.#database || this.#changes.size === 0) return;
    try {
      const transaction = this.#database.transaction(STORE, 'readwrite', {durability: 'relaxed'});
      const store = transaction.objectStore(STORE);
      for (const [place, value] of this.#changes) {
        if (value === undefined) store.delete([...this.key, place]);
        else store.put(value, [...this.key, place]);
      }
      transaction.onabort = () => this.#forget(); // without these changes, later ones would be wrong
      transaction.commit();
      this.#changes.clear();
    } catch {
      this.#forget();
    }
  }

  #forget(old = this.key, database = this.#database) {
    try {
      const store = database?.transaction(STORE, 'readwrite').objectStore(STORE);
      for (const key of [old, this.key]) store?.delete(below(key));
    } catch {
      // the browser has closed the database
    }
    this.#database = null;
    this.#changes.clear();
  }
}

/** Sends the messages of one outbox in order, and repeats each until the server has stored or refused it. */
class Sender {
  #outbox;
  #settings;
  #isLeftover;
  #socket;
  #receive; // called with the server's next frame, or without one if the connection breaks
  #blockedUntil;
  #batching = new Pause();
  #retrying = new Pause();
  #hasWaited = false; // for other pages' entries
  #awaited = 0; // running calls that send leftovers of this session

  constructor(outbox, settings, isLeftover = false) {
    this.#outbox = outbox;
    this.#settings = settings;
    this.#isLeftover = isLeftover;
    this.#blockedUntil = settings.WebSocket ? 0 : Infinity;
    outbox.onDue = () => this.#batching.end();
  }

  /** Returns when the session is complete, or all leftovers are sent. Any other end is thrown as a problem, and reported. */
  async run() {
    const over = new AbortController();
    const on = (target, type, action) => target?.addEventListener?.(type, action, {signal: over.signal});
    on(globalThis, 'online', () => this.#retrying.end());
    on(globalThis.document, 'visibilitychange', () => this.#retrying.end());
    if (!this.#isLeftover) {
      on(globalThis.document, 'visibilitychange', () => {
        if (document.visibilityState === 'hidden') this.#leave();
      });
      on(globalThis, 'pagehide', () => this.#leave());
      this.#sendLeftovers(true).then(() => this.#sendLeftovers(false));
    }
    try {
      await this.#sendAll();
    } catch (problem) {
      const isOver = OVER.test(problem.code);
      const entries = isOver ? this.#outbox.clear() : [];
      if (isOver || !this.#isLeftover) tell(this.#settings, problem, this.#outbox.key[1], entries);
      throw problem;
    } finally {
      over.abort();
      this.#socket?.close();
    }
  }

  async #sendAll() {
    const outbox = this.#outbox, {messages} = outbox;
    let delay = FIRST_DELAY_MILLIS, isTokenNew = false, reported;
    while (!this.#isLeftover || messages.length > 0) {
      while (messages.length === 0) await this.#batching.for();
      if (!outbox.isDue) await this.#batching.for(BATCH_MILLIS);
      if (messages.length === 0) continue; // the message was dropped
      if (!messages[0].isSealed) outbox.seal();
      if (!this.#isLeftover && isEnding(messages[0])) await this.#sendLeftovers(true, OTHERS_MILLIS);
      try {
        await this.#send(messages[0]);
        [delay, isTokenNew, reported] = [FIRST_DELAY_MILLIS, false];
      } catch (problem) {
        if (problem.code === 'session_complete' && !outbox.hasEvents) break;
        if (OVER.test(problem.code)) throw problem;
        if (problem.code === 'session_already_started') {
          await this.#dropStart();
        } else if (REFUSED.test(problem.code)) {
          await this.#renumber();
          const entries = outbox.refuse();
          if (entries.length > 0) tell(this.#settings, problem, outbox.key[1], entries);
        } else if (problem.status === 401 || problem.status === 403) {
          const isAnothers = this.#isLeftover && problem.status === 403; // the token may be right for this page's session
          if (isTokenNew || isAnothers || !this.#settings.getToken) throw problem;
          isTokenNew = await this.#renewToken();
          if (!isTokenNew && this.#isLeftover) throw problem; // the next look for leftovers tries again
          if (!isTokenNew) await this.#retrying.for(MAX_DELAY_MILLIS * Math.random());
        } else {
          if (LASTING.test(problem.status) && problem.status !== reported && !this.#isLeftover) {
            reported = problem.status;
            tell(this.#settings, problem, outbox.key[1], []);
          }
          await this.#retrying.for(delay * (0.5 + Math.random() / 2));
          isTokenNew = false; // it may have expired meanwhile
          delay = Math.min(2 * delay, MAX_DELAY_MILLIS);
        }
      }
    }
    outbox.clear();
  }

  /** Returns whether getToken() has given another token; it may fail while the network does. */
  async #renewToken() {
    try {
      this.#settings.token = await this.#settings.getToken();
      return true;
    } catch {
      return false;
    }
  }

  async #send(message) {
    if (Date.now() < this.#blockedUntil) return this.#post(message);
    try {
      return await this.#stream(message);
    } catch (problem) {
      if (problem instanceof Problem) throw problem;
    }
    await this.#post(message); // works where WebSockets are blocked, or throws the reason
    this.#blockedUntil = Date.now() + BLOCKED_MILLIS;
  }

  async #stream(message) {
    if (this.#socket?.readyState !== 1) {
      this.#connect();
      const open = await this.#response();
      this.#take(open);
      if (open.entries > 0) await this.#dropStart();
      if (message !== this.#outbox.messages[0] || !this.#socket) return; // stored, but the ACK was lost; or renumbered
    }
    const response = this.#response();
    this.#socket.send(bodyOf(message));
    this.#take(await response);
    if (!isEnding(message)) return;
    await this.#response(); // COMPLETE follows the ACK of the end, which is stored even if it does not come
    throw new Problem({code: 'session_complete'});
  }

  #connect() {
    const {token, WebSocket} = this.#settings;
    const fits = SUBPROTOCOL.test(token);
    const url = this.#address('stream', token && !fits ? {access_token: token} : {}).replace(/^http/, 'ws');
    const socket = new WebSocket(url, token && fits ? ['sessiontree', `bearer.${token}`] : ['sessiontree']);
    socket.onmessage = ({data}) => socket === this.#socket && this.#receive?.(JSON.parse(data));
    socket.onclose = socket.onerror = () => socket === this.#socket && this.#receive?.();
    this.#socket = socket;
  }

  /** Resolves to the server's next frame; to undefined if the connection breaks, or nothing comes in time. */
  #response() {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, RESPONSE_MILLIS);
      this.#receive = response => {
        clearTimeout(timer);
        resolve(response);
      };
    });
  }

  #take(response) {
    if (response && response.type !== 'ERROR') this.#outbox.acknowledge(response.messages);
    if (response?.type === 'OPEN' || response?.type === 'ACK') return;
    this.#socket.close(); // after an ERROR, too, so that the number can be used again
    this.#socket = undefined;
    if (!response) throw new Error('the connection is broken');
    throw new Problem({code: 'session_complete', ...response});
  }

  /** Drops SESSION_START, if it is still to be sent: the session has begun. */
  async #dropStart() {
    const [first] = this.#outbox.messages;
    if (!first || !isStarting(first)) return;
    if (first.entries.length === 1) await this.#renumber();
    this.#outbox.dropStart();
  }

  /** Prepares for other numbers of the messages. */
  async #renumber() {
    if (!this.#outbox.mayArriveLate) return;
    this.#socket?.close();
    this.#socket = undefined;
    await this.#outbox.rename();
  }

  async #post(message, isLeaving = false) {
    const number = this.#outbox.numberOf(message);
    const {token} = this.#settings;
    const query = token && isLeaving ? {message: number, access_token: token} : {message: number};
    const response = await fetch(this.#address('events', query), {
      method: 'POST',
      body: bodyOf(message),
      headers: token && !isLeaving ? {Authorization: `Bearer ${token}`} : {}, // without it, no preflight when a page is left
      keepalive: isLeaving,
      signal: AbortSignal.timeout(RESPONSE_MILLIS),
    });
    const {status} = response;
    const body = await response.json().catch(() => ({}));
    if (isLeaving) return; // if the page lives on, it sends the message again
    if (!response.ok) {
      const code = status === 413 ? 'message_too_big' : undefined;
      throw new Problem({code, detail: `${response.url} responds with status ${status}`, ...body, status});
    }
    if (body.session_id !== this.#outbox.key[1]) throw new Error('the response is not the server\'s, but a portal\'s');
    this.#outbox.acknowledge(number);
    if (body.state === 'complete' || isEnding(message)) throw new Problem({code: 'session_complete'});
  }

  /** Sends the entries not yet sent in a request that outlives the page, as the page may be gone in a moment. */
  #leave() {
    this.#outbox.seal();
    const message = this.#outbox.messages.findLast(message => message.isSealed);
    if (!message || isEnding(message) && this.#awaited > 0) return;
    if (message !== this.#outbox.messages[0]) this.#outbox.mayArriveLate = true;
    this.#post(message, true).catch(() => {});
  }

  #address(kind, query) {
    const [url, id, writer] = this.#outbox.key;
    return `${url}/sessions/${id}/${kind}?${new URLSearchParams({writer, ...query})}`;
  }

  /** @param othersMillis how long to wait for entries that other pages have not sent; only the first time */
  async #sendLeftovers(ofThisSession, othersMillis = 0) {
    const until = performance.now() + (this.#hasWaited ? 0 : othersMillis), refused = new Set();
    this.#hasWaited ||= othersMillis > 0;
    this.#awaited += ofThisSession;
    try {
      while (await sendLeftovers(this.#outbox.key, ofThisSession, this.#settings, refused) && performance.now() < until) {
        await new Pause().for(OTHERS_POLL_MILLIS);
      }
    } catch {
      // IndexedDB or Web Locks are not available
    } finally {
      this.#awaited -= ofThisSession;
    }
  }
}

/**
 * Sends the leftovers of dead pages, for this session or for all others on the server; those with a SESSION_END last.
 * Returns whether other pages, which are not dead, have entries to send.
 *
 * @param refused locks of those whose leftovers the server refused; they are not tried again
 */
async function sendLeftovers(own, ofThisSession, settings, refused) {
  const [url, id] = own;
  let isMoreToCome = false;
  await globalThis.navigator.locks.request(`sessiontree leftovers ${url} ${ofThisSession && id}`, async () => {
    const store = (await openDatabase()).transaction(STORE).objectStore(STORE);
    const keys = await result(store.getAllKeys(below([url])));
    const writers = new Map(keys.map(key => [lockOf(key.slice(0, 3)), key])); // the last key of each has its last place
    for (const areEnding of [false, true]) {
      for (const [lock, key] of writers) {
        if ((key[1] === id) !== ofThisSession || lock === lockOf(own) || refused.has(lock)) continue;
        await navigator.locks.request(lock, {ifAvailable: true}, async isDead => {
          isMoreToCome ||= !isDead && key[3] > 0;
          const outbox = isDead && await Outbox.load(key.slice(0, 3), settings);
          if (!outbox || outbox.messages.some(isEnding) !== areEnding) return;
          await new Sender(outbox, settings, true).run().catch(() => refused.add(lock)); // run() has reported it
          outbox.release();
        });
      }
    }
  });
  return isMoreToCome;
}

/** A wait that can be ended early. */
class Pause {
  end = () => {};

  for(millis) {
    return new Promise(resolve => {
      const timer = millis && setTimeout(resolve, millis);
      this.end = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

const isStarting = message => message.entries[0].startsWith('{"type":"SESSION_START"');
const isEnding = message => message.entries.at(-1).startsWith('{"type":"SESSION_END"');
const bodyOf = message => `[${message.entries.join(',')}]`;
const encoder = new TextEncoder();
const sizeOf = text => encoder.encode(text).length + 1; // with a comma
const randomId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');

let lastMillis = 0;
/** Returns the seconds since 1970, to the millisecond. They do not go back when the clock does. */
const now = () => (lastMillis = Math.max(lastMillis, Date.now())) / 1000;

function tell({onError}, problem, id, texts) {
  const report = Object.assign(problem, {id, entries: texts.map(text => JSON.parse(text))});
  setTimeout(() => onError(report)); // when the session knows it, too
}

// --- IndexedDB and Web Locks.

const STORE = 'outbox'; // key: [url, session's id, writer, place]; values: see #changes
const below = key => IDBKeyRange.bound(key, [...key, []]);
const lockOf = key => `sessiontree ${key.join(' ')}`;
let database;

function openDatabase() {
  database ??= new Promise((resolve, reject) => {
    const request = indexedDB.open('sessiontree', 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    setTimeout(() => reject(new Error('IndexedDB does not respond')), RESPONSE_MILLIS);
  });
  return database;
}

const result = request => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

/** Takes a lock. Resolves, when it has the lock, to a function that lets go of it; the page does when it dies. */
const hold = name => new Promise((resolve, reject) => {
  navigator.locks.request(name, () => new Promise(resolve)).catch(reject);
});
