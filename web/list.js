// Ten thousand clips in one scroll: only the rows in sight exist, and pages are fetched as needed.
// The keyboard pattern is WAI-ARIA's feed.
import { createElement } from "./ui.js";

const ROW = 112; // px, as in vidu.css
const PAGE = 50;
const MOST_PAGES = 12;
const MOST_ROWS = 60; // more than any screen shows; holds while the stylesheet is on its way
const BEYOND = 4; // rows drawn above and below what is seen
const LOOK_EVERY_MS = 120;

export class ClipList {
  constructor({ label, card, empty, menu, remove, load, failed }) {
    Object.assign(this, { card, empty, menu, remove, load, failed });
    this.space = createElement("div", { class: "vidu-space", role: "feed", "aria-label": label });
    this.element = createElement("div", { class: "vidu-scroll", onscroll: () => this.draw() }, this.space);
    this.space.addEventListener("keydown", (event) => this.key(event));
    this.space.addEventListener("focusin", (event) => this.focused(event));
    this.rows = new Map(); // index -> element
    this.pages = new Map(); // number -> clips, or null while they are fetched
    this.total = 0;
    this.current = 0;
    this.loading = new AbortController();
  }

  start(signal) {
    const size = new ResizeObserver(() => this.draw());
    size.observe(this.element);
    signal.addEventListener("abort", () => {
      size.disconnect();
      this.loading.abort();
      clearTimeout(this.settling);
    });
    this.restart();
  }

  // Another search: from the top.
  restart() {
    this.element.scrollTop = 0;
    this.current = 0;
    this.refresh();
  }

  // The same search, for something has changed.
  refresh() {
    this.loading.abort();
    this.loading = new AbortController();
    this.pages.clear();
    this.stale = true;
    this.fetch(Math.floor(this.seen()[0] / PAGE));
  }

  seen() {
    const { scrollTop, clientHeight } = this.element;
    const top = Math.floor(scrollTop / ROW);
    return [top, Math.min(top + MOST_ROWS, Math.ceil((scrollTop + clientHeight) / ROW))];
  }

  drawn() {
    const [top, bottom] = this.seen();
    return [Math.max(0, top - BEYOND), Math.min(this.total, bottom + BEYOND)];
  }

  clip(index) {
    return this.pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  draw() {
    const [first, last] = this.drawn();
    for (const [index, row] of this.rows) {
      // The current one stays, out of sight, for it is where Tab leads.
      if ((index >= first && index < last) || index === this.current) continue;
      row.remove();
      this.rows.delete(index);
    }
    for (let index = first; index < last; index++) {
      if (!this.rows.has(index)) this.place(index, this.clip(index));
    }
    const { current } = this;
    if (current < this.total && !this.rows.has(current)) this.place(current, this.clip(current));
    this.settling ??= setTimeout(() => this.settle(), LOOK_EVERY_MS);
  }

  // Fetched only for what is seen then: most of what is flung past is never asked for.
  settle() {
    this.settling = undefined;
    const [first, last] = this.drawn();
    for (let page = Math.floor(first / PAGE); page * PAGE < last; page++) this.fetch(page);
    for (let index = first; index < last; index++) this.rows.get(index)?.settle?.();
  }

  async fetch(page) {
    if (this.pages.has(page)) return;
    this.pages.set(page, null);
    const { signal } = this.loading;
    try {
      const { total, clips } = await this.load(page * PAGE, PAGE, signal);
      this.arrived(page, total, clips);
    } catch (error) {
      if (signal.aborted) return;
      this.pages.delete(page);
      this.failed(error);
    }
  }

  arrived(page, total, clips) {
    this.pages.delete(page);
    this.pages.set(page, clips);
    for (const oldest of this.pages.keys()) {
      if (this.pages.size <= MOST_PAGES) break;
      this.pages.delete(oldest);
    }
    this.total = total;
    this.current = Math.max(0, Math.min(this.current, total - 1));
    this.space.style.height = `${total * ROW}px`;
    if (this.stale) this.clear();
    this.stale = false;
    clips.forEach((clip, place) => {
      const index = page * PAGE + place;
      if (this.rows.has(index)) this.place(index, clip);
    });
    this.draw();
  }

  clear() {
    this.refocus = this.space.contains(document.activeElement);
    for (const row of this.rows.values()) row.remove();
    this.rows.clear();
  }

  place(index, clip) {
    const row = clip ? this.card(clip) : this.empty();
    row.style.top = `${index * ROW}px`;
    row.dataset.index = index;
    row.setAttribute("aria-posinset", index + 1);
    row.setAttribute("aria-setsize", this.total);
    row.tabIndex = index === this.current ? 0 : -1;
    const old = this.rows.get(index);
    const hadFocus = old?.contains(document.activeElement) || (this.refocus && index === this.current);
    old ? old.replaceWith(row) : this.space.append(row);
    this.rows.set(index, row);
    if (!hadFocus) return;
    this.refocus = false;
    row.focus({ preventScroll: true });
  }

  focused(event) {
    const row = event.target.closest("[data-index]");
    if (!row) return;
    const before = this.rows.get(this.current);
    if (before) before.tabIndex = -1;
    this.current = Number(row.dataset.index);
    row.tabIndex = 0;
  }

  key(event) {
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 5, PageUp: -5, Home: -Infinity, End: Infinity };
    const clip = this.clip(this.current);
    const row = this.rows.get(this.current);
    if (event.key in moves) this.go(this.current + moves[event.key]);
    else if (event.target !== row || !clip) return;
    else if (event.key === "Enter" || event.key === "ContextMenu") this.menu(clip, row);
    else if (event.key === "Delete" || event.key === "Backspace") this.remove(clip, row);
    else if (event.key === " ") row.play?.();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  go(wanted) {
    const index = Math.max(0, Math.min(this.total - 1, wanted));
    const { scrollTop, clientHeight } = this.element;
    const lowest = (index + 1) * ROW - clientHeight;
    this.element.scrollTop = Math.min(index * ROW, Math.max(scrollTop, lowest));
    this.current = index;
    this.draw();
    this.rows.get(index)?.focus({ preventScroll: true });
  }
}
