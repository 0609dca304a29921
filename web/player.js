// The lines of a run on a node, and its clips in room that is reserved before the run.
import { api } from "../../scripts/api.js";
import { addLinesWidget, addPlayerWidget, forwardWheel, growToFit, isNodes2, pictureBefore } from "./host.js";
import { createElement } from "./ui.js";

const LINE = 18; // px, as in vidu.css
const MOST_LINES = 6; // more scroll
const PAGES = 26;
const TALLEST = 420;
const WIDGET_MARGIN = 10; // px around an element on the canvas
const USUAL = { width: 16, height: 9 };
const HOST_LABEL = 30; // px that the player of Nodes 2.0 takes below and above the picture

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
    this.element = createElement("div", { class: "vidu-lines", role: "status", style: LINES });
    this.element.addEventListener("wheel", forwardWheel);
    addLinesWidget(node, this.element, () => this.height(), (text) => this.show(read(text)));
  }

  height() {
    return LINE * Math.max(1, Math.min(MOST_LINES, this.rows ?? 1)) + 2 * WIDGET_MARGIN;
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
    this.size = undefined; // of the clip, once there is one
    this.stage = createElement("div", { class: "vidu-stage", style: STAGE });
    this.pages = createElement("div", { class: "vidu-pages", style: `${PAGING}; display: none` });
    this.element = createElement("div", { class: "vidu-player", style: PLAYER }, this.stage, this.pages);
    this.element.addEventListener("wheel", forwardWheel);
    addPlayerWidget(node, this.element, () => (isNodes2() && this.clips.length ? 0 : this.height()));
    this.arrange();
  }

  // Nodes 2.0 has a player of its own, and only its room is kept until there is a clip.
  arrange() {
    const hostPlays = isNodes2() && this.clips.length > 0;
    this.element.style.display = hostPlays ? "none" : "flex";
    this.reserve(isNodes2() && !hostPlays);
    if (hostPlays) this.stage.replaceChildren();
    else if (this.clips.length) this.open(this.page);
  }

  // There the page lays a node out, and may make it wider than its size says.
  reserve(isNeeded) {
    const { width, height } = pictureBefore(this.node) ?? USUAL;
    Object.assign(
      this.stage.style,
      isNeeded
        ? { flex: "none", aspectRatio: `${width} / ${height}`, maxHeight: `${TALLEST}px` }
        : { flex: "1", aspectRatio: "", maxHeight: "" },
    );
    this.element.style.paddingBottom = isNeeded ? `${HOST_LABEL}px` : "";
    this.element.style.height = isNeeded ? "auto" : "100%";
  }

  // In pixels of the graph, for the width that the node has.
  height() {
    const { width, height } = this.size ?? pictureBefore(this.node) ?? USUAL;
    const stage = Math.min(TALLEST, ((this.node.size[0] - 2 * WIDGET_MARGIN) * height) / width);
    return Math.round(stage + (this.clips.length > 1 ? PAGES : 0) + 2 * WIDGET_MARGIN);
  }

  showOutput(output) {
    if (!output?.images?.length || !output.animated) return;
    this.show(output.images.map((file) => api.apiURL(`/view?${new URLSearchParams(file)}`)));
  }

  show(urls) {
    if (urls.join() === this.clips.join()) return;
    this.clips = urls;
    this.page = 0;
    this.arrange();
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
        this.size = { width: video.videoWidth || USUAL.width, height: video.videoHeight || USUAL.height };
        growToFit(this.node);
      },
    });
    this.stage.replaceChildren(video);
    const turn = (by, sign, label) =>
      createElement("button", { type: "button", style: TURN, "aria-label": this.t(label), onclick: () => this.open(this.page + by) }, sign);
    const several = this.clips.length > 1;
    this.pages.style.display = several ? "flex" : "none";
    const place = createElement("span", {}, `${this.page + 1} / ${this.clips.length}`);
    this.pages.replaceChildren(...(several ? [turn(-1, "\u2039", "previous"), place, turn(1, "\u203a", "next")] : []));
    growToFit(this.node);
  }
}
