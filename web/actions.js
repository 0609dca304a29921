// What can be done with a clip. The server says which of these work for it.
import { request, urlOf } from "./api.js";
import { addNode, confirm, nodeByExecutionId, openWorkflow, redraw, runNodes, showOutput, toast, widgetOf } from "./host.js";
import { playerOf } from "./node.js";
import { amountText, createElement } from "./ui.js";

export const CLIP_TYPE = "application/x-vidu-clip";
const SAVED_CLIP = "FalViduSavedClip";
const SEED_MAX = 2 ** 31 - 1;
const WIDTH = 340; // of a node that shows a clip
const BESIDES_CLIP = 300; // its outputs, widgets and the line under them

export function actionsFor(clip, context) {
  const { t } = context;
  const can = new Set(clip.actions);
  const action = (label, icon, work, danger) => ({
    label,
    icon,
    danger,
    run: () => run(() => work(clip, context), t),
  });
  return [
    can.has("canvas") && action(t("putOnCanvas"), "plus", () => putOnCanvas(clip)),
    can.has("resume") && action(t("resume"), "cloud-download", resume),
    can.has("restore") && action(t("restore"), "sitemap", restore),
    clip.rerun && action(rerunLabel(clip, t), "refresh", runAgain),
    can.has("open") && action(t("open"), "external-link", open),
    clip.prompt && action(t("copyPrompt"), "copy", () => copy(clip.prompt, context)),
    clip.seed != null && action(t("copySeed"), "copy", () => copy(String(clip.seed), context)),
    clip.request_id && action(t("copyRequest"), "copy", () => copy(clip.request_id, context)),
    can.has("forget") && action(t("forget"), "trash", forget, true),
  ].filter(Boolean);
}

// Does what was asked for, and says why where it fails.
export async function run(work, t) {
  try {
    await work();
  } catch (error) {
    toast("error", t.line(error.message));
  }
}

// Whether a clip has a workflow, and for how much it runs again, takes reading the workflow.
export async function withRerun(clip) {
  if (!clip.actions.includes("restore")) return clip;
  const unknown = { has_workflow: false, rerun: null };
  const { has_workflow: has, rerun } = await request(`clips/${clip.id}/rerun`).catch(() => unknown);
  const actions = clip.actions.filter((name) => has || name !== "restore");
  return { ...clip, actions, rerun: rerun?.clips === 0 ? undefined : rerun };
}

function rerunLabel({ rerun: { clips, total } }, t) {
  const price = amountText(total, t);
  return clips === null ? t("againForOpen", { price }) : t("againFor", { count: clips, price });
}

function rerunQuestion({ clips, total }, t) {
  const price = amountText(total, t);
  if (clips === null) return t("againCostsOpen", { price });
  return t(clips === 1 ? "againCostsOne" : "againCosts", { count: clips, price });
}

// -- on the canvas ----------------------------------------------------------------------------

export function putOnCanvas(clip, at) {
  const { width, height, view } = clip.file;
  const size = [WIDTH, BESIDES_CLIP + (WIDTH * height) / width];
  const node = addNode(SAVED_CLIP, { request_id: clip.request_id }, size, at);
  // The clip is there at once, not after a run, and in the room that the node has for it.
  const player = playerOf(node);
  const isStill = clip.file.frame_count === 1;
  player.leaveToEditor(isStill);
  if (!isStill) {
    player.makeRoom({ width, height });
    player.show([urlOf(`clips/${clip.id}/file`)]);
  }
  if (view) showOutput(node.id, isStill ? { images: [view] } : { images: [view], animated: [true] });
  redraw();
}

async function restore(clip, { t }) {
  const { workflow } = await request(`clips/${clip.id}/workflow`);
  if (!workflow) throw new Error(t("noWorkflow"));
  await openWorkflow(workflow, clip.file.name.replace(/\.\w+$/, ""));
}

async function runAgain(clip, context) {
  const { t } = context;
  // Nobody confirms money for a run that is then refused.
  if (clip.rerun.problem) throw new Error(clip.rerun.problem);
  if (!(await confirm(t("again"), rerunQuestion(clip.rerun, t)))) return;
  await restore(clip, context);
  const seed = widgetOf(nodeByExecutionId(clip.rerun.node_id), clip.rerun.seed_input);
  if (!seed) throw new Error(t("noSeedFound"));
  seed.value = 1 + Math.floor(Math.random() * SEED_MAX);
  seed.callback?.(seed.value);
  await runNodes([clip.rerun.node_id]);
}

// -- the clip itself --------------------------------------------------------------------------

const open = (clip) => window.open(urlOf(`clips/${clip.id}/file`), "_blank", "noopener");

async function resume(clip, { t, say, changed }) {
  say(t("resuming"));
  try {
    await request(`clips/${clip.id}/resume`, { method: "POST" });
    say(t("resumed"));
  } catch (error) {
    say("");
    throw error;
  } finally {
    changed();
  }
}

export async function forget(clip, { t, say, changed }) {
  const consequence =
    clip.state === "unreadable" ? "forgetUnreadable" : clip.actions.includes("resume") ? "forgetOwed" : "forgetKept";
  if (!(await confirm(t("forget"), t(consequence)))) return;
  await request(`clips/${clip.id}`, { method: "DELETE" });
  say(t("forgotten"));
  changed();
}

async function copy(text, { t, root, say }) {
  if (navigator.clipboard) await navigator.clipboard.writeText(text);
  else copyByHand(text, root);
  say(t("copied"));
}

// Over plain HTTP from another machine browsers give no clipboard.
function copyByHand(text, root) {
  const field = createElement("textarea", { class: "vidu-hidden" });
  field.value = text;
  root.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}
