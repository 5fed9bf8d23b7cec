/** Sends the events of one session. */
export class SessionTree {
  constructor(options?: { url?: string; token?: string; id?: string });
  readonly url: string;
  readonly id: string;
}
