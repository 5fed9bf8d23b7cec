export interface Options {
  /** The server, such as `https://sessions.example.org`. Default: where the module was loaded from. */
  url?: string;
  /** 1 to 128 of `A-Z a-z 0-9 . _ ~ -`. Default: random. Pages and tabs with the same id feed one session. */
  id?: string;
  /** Where the server wants one: a write token, or a JWT. */
  token?: string;
  /** Is asked for another token when the server answers 401 or 403. If that one is refused too, nothing more is sent. */
  getToken?: () => string | Promise<string>;
  /** Told of what the server refused. Default: `console.error`. */
  onError?: (problem: SessionTreeProblem) => void;
  /** Told how many events were dropped, the oldest first, because the outbox was full. Default: `console.warn`. */
  onDropped?: (events: number) => void;
  /** Bounds of the outbox. Defaults: 250,000 events, 32 MiB. */
  maxEvents?: number;
  maxBytes?: number;
  /** Where there is no global one, such as `ws` in Node 20. Without any, messages are posted. */
  WebSocket?: typeof WebSocket;
}

export interface SessionTreeProblem extends Error {
  /** The server's, such as `invalid_entry`, `session_complete` or `unauthorized`. */
  code?: string;
  /** Of the HTTP response, if it was one. */
  status?: number;
  /** The session's id. It is another session's when a former page left something that is refused now. */
  id: string;
  /** What was taken out of the outbox, and is not stored. */
  entries: Record<string, unknown>[];
}

/** One session, as this page feeds it. */
export class SessionTree {
  constructor(options?: Options);
  readonly url: string;
  readonly id: string;
  /** Begins the session, or goes on with it. */
  start(): this;
  /**
   * Keeps an event, with the time of the call, until the server has stored it.
   * `members` is whatever JSON can hold; `type`, `timestamp`, `name` and `session_id` are not among its names.
   */
  event(name: string, members?: Record<string, unknown>): void;
  /** Ends the session. Resolves to the URL of its tree, when all is stored; rejects with what prevents that. */
  end(): Promise<string>;
}
