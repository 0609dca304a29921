// One clip: its first frame, which plays under the pointer, and all that is known of it.
import { urlOf } from "./api.js";
import { actionsFor, CLIP_TYPE, forget, putOnCanvas, run, withRerun } from "./actions.js";
import { createElement, icon, money, moment, openMenu } from "./ui.js";

const POINTING_MS = 150;
// Why a clip is not here.
const HINTS = {
  reserved: "hintReserved",
  submitting: "hintSubmitting",
  submitted: "hintSubmitted",
  cancelled: "hintCancelled",
  finished: "hintFinished",
  missing: "hintMissing",
};

export const emptyCard = () =>
  createElement("article", { class: "vidu-card vidu-empty", "aria-busy": "true" }, createElement("div", { class: "vidu-thumbnail" }));

export async function openClipMenu(clip, opener, context) {
  openMenu(context.root, opener, actionsFor(await withRerun(clip), context));
}

// A row of the ledger that cannot be read.
function brokenCard(clip, context) {
  const { t } = context;
  const title = t("unreadable", { id: String(clip.id) });
  const canForget = clip.actions.includes("forget");
  const text = createElement(
    "div",
    { class: "vidu-text" },
    createElement("p", { class: "vidu-prompt" }, title),
    createElement("p", { class: "vidu-facts", title: t("unreadableHint") }, t("unreadableHint")),
    createElement("p", { class: "vidu-foot" }, canForget && quickButton(t("forget"), () => card.remove_())),
  );
  const thumbnail = createElement("div", { class: "vidu-thumbnail" }, icon("exclamation-triangle"));
  const card = createElement("article", { class: "vidu-card", "aria-label": title }, thumbnail, text);
  card.remove_ = () => canForget && run(() => forget(clip, context), t);
  return card;
}

export function clipCard(clip, context) {
  const { t } = context;
  if (clip.state === "unreadable") return brokenCard(clip, context);
  const cost = costOf(clip, t);
  const failure = clip.failure && t.line(clip.failure);
  const why = failure || (HINTS[clip.state] && t(HINTS[clip.state]));
  const menu = () => openClipMenu(clip, more, context);
  const more = createElement("button", {
    type: "button",
    class: "vidu-more",
    tabindex: -1,
    title: t("actions"),
    "aria-label": t("actions"),
    "aria-haspopup": "menu",
    onclick: menu,
  }, icon("ellipsis-v"));
  const thumbnail = thumbnailOf(clip, t);
  const canCanvas = clip.actions.includes("canvas");
  const card = createElement(
    "article",
    {
      class: "vidu-card",
      draggable: canCanvas && "true",
      "aria-label": [clip.prompt, t(clip.state), why, cost, moment(clip.created_at)].filter(Boolean).join(". "),
      ondragstart: (event) => event.dataTransfer.setData(CLIP_TYPE, JSON.stringify(clip)),
      ondblclick: () => canCanvas && putOnCanvas(clip),
      oncontextmenu: (event) => {
        event.preventDefault();
        menu();
      },
    },
    thumbnail,
    createElement(
      "div",
      { class: "vidu-text" },
      createElement("p", { class: "vidu-prompt", title: clip.prompt }, clip.prompt || t("noPrompt")),
      createElement("p", { class: "vidu-facts" }, dotted([...asked(clip, t, context.machines()), why && moment(clip.created_at)])),
      createElement("p", { class: "vidu-facts", title: why }, why ?? dotted(made(clip))),
      createElement(
        "p",
        { class: "vidu-foot" },
        createElement("span", { class: "vidu-state", "data-state": clip.state, title: why ?? "" }, t(clip.state)),
        quickAction(clip, context),
        createElement("span", { class: "vidu-cost", title: clip.cost.certain ? "" : t("costUnknown") }, cost),
      ),
    ),
    more,
  );
  card.remove_ = () => clip.actions.includes("forget") && run(() => forget(clip, context), t);
  if (!clip.file?.exists) return card;
  let pointing;
  card.settle = thumbnail.settle;
  card.play = thumbnail.toggle;
  card.addEventListener("pointerenter", () => (pointing = setTimeout(thumbnail.play, POINTING_MS)));
  card.addEventListener("pointerleave", () => {
    clearTimeout(pointing);
    thumbnail.stop();
  });
  return card;
}

const dotted = (facts) => facts.filter(Boolean).join(" \u00b7 ");

const asked = ({ model, seed, options, machine }, t, machines) => [
  model,
  seed != null && (seed ? t("seedIs", { seed: String(seed) }) : t("seedChosen")),
  ...options,
  machines > 1 && machine,
];

const made = ({ file, created_at: at }) => [file && `${file.width}\u00d7${file.height}`, moment(at)];

// "$0.20?" where nobody knows whether fal charges it.
function costOf({ cost }, t) {
  if (cost.certain && !cost.usd) return t("free");
  const price = cost.is_upper_bound ? t("badgeUpTo", { price: money(cost.usd) }) : money(cost.usd);
  return cost.certain ? price : `${price}?`;
}

// The action that helps stands on the card of a clip that is not here.
function quickAction(clip, context) {
  if (!clip.actions.includes("resume")) return null;
  const [resume] = actionsFor({ ...clip, actions: ["resume"] }, context);
  return quickButton(resume.label, resume.run);
}

const quickButton = (label, act) =>
  createElement("button", { type: "button", class: "vidu-quick", tabindex: -1, onclick: act }, label);

function thumbnailOf(clip, t) {
  const file = clip.file;
  const holder = createElement("div", { class: "vidu-thumbnail" });
  if (!file?.exists) {
    holder.append(icon(clip.state === "failed" ? "times-circle" : file ? "cloud-download" : "hourglass"));
    return holder;
  }
  if (file.frame_count > 1) holder.append(createElement("span", { class: "vidu-length" }, t("seconds", { count: Math.round(file.duration_s) })));
  holder.settle = () => {
    if (holder.querySelector("img")) return;
    const source = urlOf(`clips/${clip.id}/thumbnail?${file.version}`);
    holder.prepend(createElement("img", { src: source, alt: "", draggable: "false", onerror: (event) => event.target.remove() }));
  };
  let video;
  holder.play = () => {
    if (video || !holder.isConnected || file.frame_count === 1) return;
    video = createElement("video", { loop: true, playsinline: true, src: urlOf(`clips/${clip.id}/file`) });
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
