// Reads server-sent events with fetch, which, unlike EventSource, can send an Authorization header.

/** Parses text/event-stream. push() takes text cut anywhere, and returns the events completed by it. */
export class EventStreamParser {
  #rest = '';
  #event = {};

  push(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    const events = [];
    for (const line of lines) {
      if (line === '') {
        if (this.#event.data !== undefined) events.push(this.#event);
        this.#event = {};
      } else if (line[0] !== ':') {
        const colon = line.indexOf(':');
        const field = colon < 0 ? line : line.slice(0, colon);
        const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
        if (field === 'data') this.#event.data = this.#event.data === undefined ? value : this.#event.data + '\n' + value;
        if (field === 'event') this.#event.type = value;
        if (field === 'id') this.#event.id = value;
      }
    }
    return events;
  }
}

/**
 * Follows a stream until take() returns true, the server responds 204, or the signal aborts. Reconnects with
 * Last-Event-ID after growing delays.
 *
 * @param open (headers, signal) => a Response; an error with a status below 500 is thrown on, others cause a reconnect
 * @param take called with the events of each chunk read
 * @param onState called with 'connected' and 'waiting'
 */
export async function follow({open, take, onState, signal}) {
  let last, delay = 500;
  while (!signal.aborted) {
    try {
      const response = await open(last === undefined ? {} : {'Last-Event-ID': last}, signal);
      if (response.status === 204) return; // the client has seen all events
      onState('connected');
      const parser = new EventStreamParser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let read; !(read = await reader.read()).done;) {
        const events = parser.push(read.value);
        for (const {id} of events) last = id ?? last;
        if (events.length && take(events)) return void reader.cancel();
        delay = 500;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status && error.status < 500) throw error;
    }
    onState('waiting');
    await new Promise(resolve => setTimeout(resolve, delay * (.5 + Math.random() / 2)));
    delay = Math.min(2 * delay, 10_000);
  }
}
