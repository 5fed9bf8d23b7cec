// Sends a demo session with the browser client, as a shop's page would, for users who have no session to look at yet.

import {pathOf, request, token} from './api.js';

const NAMES = ['page_opened', 'product_viewed', 'scrolled', 'scrolled', 'cart_changed', 'request', 'request', 'request', 'error'];
const PRODUCTS = ['teapot', 'kettle', 'cup', 'strainer'];
const SECONDS = 30;
const pick = values => values[Math.floor(Math.random() * values.length)];
const wait = millis => new Promise(resolve => setTimeout(resolve, millis));

/** Starts a session that lasts half a minute. Resolves to its id once the server knows it. */
export async function sendDemo() {
  const {SessionTree} = await import('/sessiontree.js');
  const id = `demo-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
  let refused;
  const session = new SessionTree({url: location.origin, token: token() ?? undefined, id, onError: problem => { if (problem.id === id) refused = problem; }}).start();
  send(session);
  for (;;) {
    const {status} = await request(pathOf(id)).catch(error => error);
    if (refused) throw refused;
    if (status !== 404) return id;
    await wait(200);
  }
}

async function send(session) {
  session.event('page_opened', {path: '/', referrer: 'https://search.example/', viewport: [innerWidth, innerHeight]});
  for (const until = Date.now() + SECONDS * 1000; Date.now() < until; await wait(Math.random() * 700)) {
    const product = pick(PRODUCTS), name = pick(NAMES);
    const members = {
      request: {method: 'GET', path: `/api/products/${product}`, status: 200, millis: Math.round(Math.random() * 300)},
      cart_changed: {product, items: 1 + Math.floor(Math.random() * 4), total: '23.50'},
      error: {message: `The picture of ${product} did not load`, retried: true},
    };
    session.event(name, members[name] ?? {path: `/products/${product}`});
  }
  session.end();
}
