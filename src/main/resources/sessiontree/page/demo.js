// A session as a shop's page would send it, by the browser client: for who has none to look at yet.

import {token} from './api.js';

const NAMES = ['page_opened', 'product_viewed', 'scrolled', 'scrolled', 'cart_changed', 'request', 'request', 'request', 'error'];
const PRODUCTS = ['teapot', 'kettle', 'cup', 'strainer'];
const pick = values => values[Math.floor(Math.random() * values.length)];

/** Begins the session; it goes on for about half a minute. Resolves to its id once the server has it. */
export async function sendDemo() {
  const {SessionTree} = await import('/sessiontree.js');
  const session = new SessionTree({url: location.origin, token: token() ?? undefined, id: `demo-${crypto.randomUUID().slice(0, 8)}`}).start();
  session.event('page_opened', {path: '/', referrer: 'https://search.example/', viewport: [innerWidth, innerHeight]});
  const until = Date.now() + 30_000;
  const next = () => {
    if (Date.now() > until) return void session.end();
    const name = pick(NAMES), product = pick(PRODUCTS);
    if (name === 'request') session.event(name, {method: 'GET', path: `/api/products/${product}`, status: 200, millis: Math.round(Math.random() * 300)});
    else if (name === 'cart_changed') session.event(name, {product, items: 1 + Math.floor(Math.random() * 4), total: '23.50'});
    else if (name === 'error') session.event(name, {message: `The picture of ${product} did not load`, retried: true});
    else session.event(name, {path: `/products/${product}`});
    setTimeout(next, Math.random() * 700);
  };
  setTimeout(next, 300);
  return session.id;
}
