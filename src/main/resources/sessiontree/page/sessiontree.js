// @ts-self-types="./sessiontree.d.ts"

/** Sends the events of one session. */
export class SessionTree {
  /** @param {{url?: string, token?: string, id?: string}} options */
  constructor(options = {}) {
    this.url = options.url ?? new URL('.', import.meta.url).href.replace(/\/$/, '');
    this.id = options.id ?? crypto.randomUUID();
  }
}
