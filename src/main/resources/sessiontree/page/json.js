// Handles children as text. Numbers are never parsed, so they are shown as they were sent, to the last digit.

const CHILD = /^\{"type":"EVENT","timestamp":([^,}]+),"name":("(?:[^"\\]|\\.)*")(?:,|\})/;
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]]|[,:]|[^\s{}[\],:"]+/g;

/** Splits a child of the tree: returns its timestamp and name as raw text, and the offset of its other members. */
export function parseChild(raw) {
  const [head, timestamp, name] = CHILD.exec(raw);
  return {timestamp, name, membersAt: head.length};
}

/** Returns JSON text with line breaks and indentation; every token stays as it is. */
export function indent(text) {
  let out = '', depth = 0, previous = '';
  const line = () => '\n' + '  '.repeat(depth);
  for (const [token] of text.matchAll(TOKEN)) {
    const opened = previous === '{' || previous === '[';
    if (token === '}' || token === ']') {
      depth--;
      out += opened ? token : line() + token;
    } else {
      out += (opened || previous === ',' ? line() : '') + token + (token === ':' ? ' ' : '');
      if (token === '{' || token === '[') depth++;
    }
    previous = token;
  }
  return out;
}
