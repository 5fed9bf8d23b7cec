export interface Options {
  /** The server, such as `https://sessions.example.org`. Default: where the module was loaded from. */
  url?: string;
  /** The session's id, 1 to 128 of `A-Z a-z 0-9 . _ ~ -`. Default: random. Pages and tabs with one id feed one session. */
  id?: string;
  /** A write token or a JWT, if the server requires one. */
  token?: string;
  /** Called for a new token when the server responds with 401 or 403. If that one is refused too, nothing more is sent. */
  getToken?: () => string | Promise<string>;
  /** Called when the server has refused something. Default: `console.error`. */
  onError?: (problem: SessionTreeProblem) => void;
  /** Called with the number of events dropped because the outbox was full, the oldest first. Default: `console.warn`. */
  onDropped?: (events: number) => void;
  /** Bounds of the outbox. Defaults: 250,000 events, 32 MiB. */
  maxEvents?: number;
  maxBytes?: number;
  /** The class to use if there is no global one, such as that of `ws` in Node 20. Without any, messages are posted. */
  WebSocket?: typeof WebSocket;
}

export interface SessionTreeProblem extends Error {
  /** The server's error code, such as `invalid_entry`, `session_complete` or `unauthorized`. */
  code?: string;
  /** The status, if the problem came in an HTTP response. */
  status?: number;
  /** The session's id. It is another session's if an entry that an earlier page left behind is refused. */
  id: string;
  /** The entries that were removed from the outbox, and are not stored. */
  entries: Record<string, unknown>[];
}

/** A session that this page feeds. */
export class SessionTree {
  constructor(options?: Options);
  readonly url: string;
  readonly id: string;
  /** Starts the session, or continues it. */
  start(): this;
  /**
   * Records an event with the time of the call, and keeps it until the server has stored it.
   * `members` may be anything that JSON can represent, without `type`, `timestamp`, `name` and `session_id`.
   */
  event(name: string, members?: Record<string, unknown>): void;
  /** Ends the session. Resolves to its tree's URL once everything is stored; rejects with the problem that prevents it. */
  end(): Promise<string>;
}
