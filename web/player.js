// The lines of a run on a node, and its clips in room that is reserved before the run.
import { api } from "../../scripts/api.js";
import { addLinesWidget, addPlayerWidget, forwardWheel, growBy, growToFit, isNodes2, pictureBefore, showsPicture } from "./host.js";
import { createElement } from "./ui.js";

const LINE = 18; // px, as in vidu.css
const MOST_LINES = 6; // more scroll
const PAGES = 26;
const TALLEST = 420;
const WIDGET_MARGIN = 10; // px around an element on the canvas
const USUAL = { width: 16, height: 9 };

// Inline, for a style sheet would be fetched once for each node.
const FONT = "color: var(--input-text); font: 12px/18px Inter, Arial, sans-serif";
const LINES = `width: 100%; height: 100%; min-height: ${LINE}px; overflow: hidden auto; overflow-wrap: anywhere; ${FONT}`;
const PLAYER = `display: flex; flex-direction: column; width: 100%; height: 100%; ${FONT}`;
const STAGE = "flex: 1; min-height: 0; border-radius: 6px; overflow: hidden; background: var(--comfy-input-bg)";
const VIDEO = "display: block; width: 100%; height: 100%; object-fit: contain";
const TURN = "width: 26px; height: 22px; border: 0; border-radius: 5px; cursor: pointer; color: inherit; background: var(--comfy-input-bg)";
const PAGING = `flex: none; display: flex; justify-content: center; align-items: end; gap: 10px; height: ${PAGES}px`;

export class Lines {
  // `read` turns a text of the server into lines in the editor's language.
  constructor(node, read) {
    this.node = node;
    this.rows = 1;
    this.element = createElement("div", { class: "vidu-lines", role: "status", style: LINES });
    this.element.addEventListener("wheel", forwardWheel);
    addLinesWidget(node, this.element, () => this.height(), (text) => this.show(read(text)));
  }

  height() {
    return LINE * Math.max(1, Math.min(MOST_LINES, this.rows)) + 2 * WIDGET_MARGIN;
  }

  show(lines) {
    this.element.replaceChildren(...lines.map((line) => createElement("div", { title: line }, line)));
    // Wrapped lines need their rows; measured in the page, whatever the canvas' zoom is.
    this.element.style.height = "auto";
    const rows = Math.round(this.element.scrollHeight / LINE) || lines.length;
    this.element.style.height = "100%";
    if (rows === this.rows) return;
    this.rows = rows;
    growToFit(this.node);
  }
}

export class Player {
  constructor(node, t) {
    this.node = node;
    this.t = t;
    this.clips = [];
    this.page = 0;
    this.isNew = false; // whether the clips came from a run just now
    this.isStill = false;
    this.tallest = undefined; // of the pictures and clips that were here
    this.stage = createElement("div", { class: "vidu-stage", style: STAGE });
    this.pages = createElement("div", { class: "vidu-pages", style: `${PAGING}; display: none` });
    this.element = createElement("div", { class: "vidu-player", style: PLAYER }, this.stage, this.pages);
    this.element.addEventListener("wheel", forwardWheel);
    addPlayerWidget(node, this.element, () => this.height());
    this.arrange();
  }

  // In Nodes 2.0 the page lays a node out, and may make it wider than its size says.
  arrange() {
    const { width, height } = this.tallest ?? USUAL;
    Object.assign(
      this.stage.style,
      isNodes2()
        ? { flex: "none", aspectRatio: `${width} / ${height}`, maxHeight: `${TALLEST}px` }
        : { flex: "1", aspectRatio: "", maxHeight: "" },
    );
    this.element.style.height = isNodes2() ? "auto" : "100%";
  }

  // In pixels of the graph, for the width that the node has. The editor asks for it as often as it
  // draws, and so for each new picture at an input.
  height() {
    if (this.isStill) return 0;
    const picture = pictureBefore(this.node);
    if (picture && this.isTaller(picture)) setTimeout(() => this.grow(() => this.makeRoom(picture)));
    const { width, height } = this.tallest ?? USUAL;
    const stage = Math.min(TALLEST, ((this.node.size[0] - 2 * WIDGET_MARGIN) * height) / width);
    const pages = this.pages.style.display === "none" ? 0 : PAGES;
    return Math.round(stage + pages + 2 * WIDGET_MARGIN);
  }

  isTaller({ width, height }) {
    return !this.tallest || height * this.tallest.width > width * this.tallest.height;
  }

  // The room is never less than it was, or the prompt would take what is left.
  makeRoom(size) {
    if (!this.isTaller(size)) return;
    this.tallest = size;
    this.arrange();
  }

  // Does something that may need room. For a clip that is new, the node grows by just that, so that
  // the prompt keeps its height; a node that is opened again was saved with the room.
  grow(work) {
    const before = this.height();
    work();
    if (this.isNew) growBy(this.node, this.height() - before);
    else growToFit(this.node);
  }

  showOutput(output, { isNew = false } = {}) {
    if (!output?.images?.length) return;
    this.leaveToEditor(!output.animated);
    if (output.animated) this.show(output.images.map((file) => api.apiURL(`/view?${new URLSearchParams(file)}`)), isNew);
  }

  // A still is a picture like any other: the editor shows it, and no room is kept here.
  leaveToEditor(isStill) {
    this.isStill = isStill;
    showsPicture(this.node, isStill);
    this.element.style.display = isStill ? "none" : "flex";
    if (!isStill) return;
    this.clips = [];
    this.stage.replaceChildren();
  }

  show(urls, isNew = false) {
    if (urls.join() === this.clips.join()) return;
    this.clips = urls;
    this.isNew = isNew;
    this.grow(() => this.open(0));
  }

  open(page) {
    this.page = (page + this.clips.length) % this.clips.length;
    const video = createElement("video", {
      style: VIDEO,
      src: this.clips[this.page],
      controls: true,
      loop: true,
      playsinline: true,
      preload: "auto",
      onloadedmetadata: () => {
        const { videoWidth: width, videoHeight: height } = video;
        if (width && height) this.grow(() => this.makeRoom({ width, height }));
      },
    });
    this.stage.replaceChildren(video);
    const turn = (by, sign, label) =>
      createElement("button", { type: "button", style: TURN, "aria-label": this.t(label), onclick: () => this.open(this.page + by) }, sign);
    const several = this.clips.length > 1;
    if (several) this.pages.style.display = "flex";
    const place = createElement("span", {}, `${this.page + 1} / ${this.clips.length}`);
    this.pages.replaceChildren(...(several ? [turn(-1, "\u2039", "previous"), place, turn(1, "\u203a", "next")] : []));
  }
}
