// A table of any number of rows, of which only those in view, and a few more, are elements.

const ROW = 28, SPARE = 8;
const TALLEST = 8_000_000; // pixels: browsers draw no element that is much taller

export class VirtualTable {
  selected;
  #rows = [];
  #body;
  #drawn = new Map();

  /**
   * @param grid the scrolling element with role grid; rows are added to its last child
   * @param render returns a row element for an item
   * @param on {select(item)}
   */
  constructor(grid, render, on) {
    Object.assign(this, {grid, render, on});
    this.#body = grid.lastElementChild;
    this.redraw = this.redraw.bind(this);
    grid.addEventListener('scroll', this.redraw, {passive: true});
    new ResizeObserver(this.redraw).observe(grid);
    grid.addEventListener('keydown', event => this.#key(event));
    this.#body.addEventListener('click', event => {
      const row = event.target.closest('[role=row]');
      if (row) this.on.select(row.item);
    });
  }

  /** Shows these rows; elements of items that are still in view are reused. */
  set rows(rows) {
    this.#rows = rows;
    this.grid.setAttribute('aria-rowcount', rows.length + 1);
    this.#body.style.height = `${Math.min(rows.length * ROW, TALLEST)}px`;
    this.redraw();
  }

  get #visible() {
    return Math.max(1, Math.floor((this.grid.clientHeight - this.#body.offsetTop) / ROW));
  }

  /** The first row in view. If the rows do not fit into the tallest element, each step of the scroll bar skips some. */
  get #first() {
    const {scrollTop, scrollHeight, clientHeight} = this.grid;
    if (this.#rows.length * ROW <= TALLEST) return Math.floor(scrollTop / ROW);
    return Math.round(scrollTop / (scrollHeight - clientHeight) * (this.#rows.length - this.#visible));
  }

  redraw() {
    const first = this.#first, from = Math.max(0, first - SPARE);
    const until = Math.min(this.#rows.length, first + this.#visible + SPARE);
    const tall = this.#rows.length * ROW > TALLEST;
    const wanted = new Map(this.#rows.slice(from, until).map((item, i) => [item, from + i]));
    for (const [item, row] of this.#drawn) {
      if (wanted.has(item)) continue;
      row.remove();
      this.#drawn.delete(item);
    }
    let previous = null;
    for (const [item, index] of wanted) {
      let row = this.#drawn.get(item);
      if (!row) {
        row = this.render(item);
        row.item = item;
        this.#drawn.set(item, row);
      }
      const top = tall ? this.grid.scrollTop + (index - first) * ROW : index * ROW;
      row.style.transform = `translateY(${top}px)`;
      row.id = `row-${index}`;
      row.setAttribute('aria-rowindex', index + 2);
      row.setAttribute('aria-selected', item === this.selected);
      const next = previous ? previous.nextSibling : this.#body.firstChild;
      if (next !== row) this.#body.insertBefore(row, next);
      previous = row;
    }
    const index = wanted.get(this.selected);
    if (index === undefined) this.grid.removeAttribute('aria-activedescendant');
    else this.grid.setAttribute('aria-activedescendant', `row-${index}`);
  }

  /** Selects an item, and scrolls it into view. */
  select(item, index = this.#rows.indexOf(item)) {
    this.selected = item;
    const visible = this.#visible;
    if (index >= 0 && (index < this.#first || index >= this.#first + visible)) {
      const {scrollHeight, clientHeight} = this.grid;
      const first = Math.max(0, index - Math.floor(visible / 2));
      this.grid.scrollTop = this.#rows.length * ROW <= TALLEST ? first * ROW
          : first / (this.#rows.length - visible) * (scrollHeight - clientHeight);
    }
    this.redraw();
  }

  get isAtEnd() {
    return this.grid.scrollTop + this.grid.clientHeight >= this.grid.scrollHeight - ROW;
  }

  scrollToEnd() {
    this.grid.scrollTop = this.grid.scrollHeight;
  }

  #key(event) {
    const page = this.#visible, steps = {ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity};
    if (!(event.key in steps) || !this.#rows.length) return;
    event.preventDefault();
    this.step(steps[event.key]);
  }

  /** Selects the row that is so many rows after the selected one. */
  step(by) {
    const at = this.selected ? this.#rows.indexOf(this.selected) : -1;
    const index = at < 0 && by === 1 ? this.#first : Math.min(Math.max(at + by, 0), this.#rows.length - 1);
    this.on.select(this.#rows[index]);
  }
}
