// One clip: its first frame, which plays under the pointer, and all that is known of it.
import { addressOf } from "../client.mjs";
import { icon, make } from "../elements.mjs";
import { money, moment } from "../words.mjs";
import { openMenu } from "./menu.mjs";

const POINTING_MS = 150;

export const emptyCard = () =>
  make("article", { class: "vidu-card vidu-empty", "aria-busy": "true" }, make("div", { class: "vidu-poster" }));

export function clipCard(clip, { t, root, live }, actions) {
  const state = stateOf(clip, live);
  const cost = clip.cost_usd ? money(clip.cost_usd) : t("free");
  const file = clip.file;
  const seed = clip.seed ? String(clip.seed) : t("seedChosen");
  const asked = [t("seedIs", { seed }), clip.options.movement_amplitude];
  const made = [file && `${file.width}\u00d7${file.height}`, moment(clip.asked_at)];
  const more = make("button", {
    type: "button",
    class: "vidu-more",
    tabindex: -1,
    title: t("actions"),
    "aria-label": t("actions"),
    "aria-haspopup": "menu",
    onclick: () => openMenu(root, more, actions()),
  }, icon("ellipsis-v"));
  const poster = posterOf(clip, t);
  const card = make(
    "article",
    {
      class: "vidu-card",
      "aria-label": [clip.prompt, t(state), clip.failure, cost, moment(clip.asked_at)].filter(Boolean).join(". "),
      ondblclick: () => clip.state === "saved" && actions()[0].run(),
      oncontextmenu: (event) => {
        event.preventDefault();
        openMenu(root, more, actions());
      },
    },
    poster,
    make(
      "div",
      { class: "vidu-text" },
      make("p", { class: "vidu-prompt", title: clip.prompt }, clip.prompt),
      make("p", { class: "vidu-facts" }, dotted(asked)),
      make("p", { class: "vidu-facts" }, dotted(made)),
      make(
        "p",
        { class: "vidu-foot" },
        make("span", { class: "vidu-state", "data-state": state, title: clip.failure ?? "" }, t(state)),
        make("span", { class: "vidu-cost" }, cost),
      ),
    ),
    more,
  );
  if (!file?.exists) return card;
  let pointing;
  card.settle = poster.settle;
  card.play = poster.toggle;
  card.addEventListener("pointerenter", () => (pointing = setTimeout(poster.play, POINTING_MS)));
  card.addEventListener("pointerleave", () => {
    clearTimeout(pointing);
    poster.stop();
  });
  return card;
}

const dotted = (facts) => facts.filter(Boolean).join(" \u00b7 ");

export function stateOf(clip, live) {
  if (live.of(clip.fingerprint) && clip.state !== "failed") return "live";
  return clip.state === "saved" && !clip.file.exists ? "missing" : clip.state;
}

function posterOf(clip, t) {
  const file = clip.file;
  const holder = make("div", { class: "vidu-poster" });
  if (!file?.exists) {
    holder.append(icon(clip.state === "failed" ? "times-circle" : file ? "cloud-download" : "hourglass"));
    return holder;
  }
  holder.append(make("span", { class: "vidu-length" }, t("seconds", { count: Math.round(file.duration_s) })));
  let video;
  holder.settle = () => {
    if (holder.querySelector("img")) return;
    const source = addressOf(`clips/${clip.id}/poster?${file.version}`);
    holder.prepend(make("img", { src: source, alt: "", draggable: "false", onerror: (event) => event.target.remove() }));
  };
  holder.play = () => {
    if (video || !holder.isConnected) return;
    video = make("video", { loop: true, playsinline: true, src: addressOf(`clips/${clip.id}/file`) });
    video.muted = true;
    holder.append(video);
    video.play().catch(() => {}); // taken away before it began
  };
  holder.stop = () => {
    video?.pause();
    video?.removeAttribute("src");
    video?.load();
    video?.remove();
    video = undefined;
  };
  holder.toggle = () => (video ? holder.stop() : holder.play());
  return holder;
}
