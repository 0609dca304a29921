// What can be done with a clip.
import { app } from "../../../scripts/app.js";
import { addressOf, ask } from "../client.mjs";
import { make } from "../elements.mjs";
import { allNodes, GENERATING, PRICE_USD, SAVED, widgetOf } from "../nodes.mjs";
import { money } from "../words.mjs";

const SEED_MAX = 2 ** 31 - 1;
const WIDTH = 340; // of a node that shows a clip
const BESIDES_CLIP = 300; // its outputs, widgets and the line under them
const UNFINISHED = ["submitting", "submitted", "cancelled", "finished"];

export function actionsFor(clip, context) {
  const { t } = context;
  const action = (label, icon, work, danger) => ({
    label: t(label),
    icon,
    danger,
    run: async () => {
      try {
        await work(clip, context);
      } catch (error) {
        complain(error.message);
      }
    },
  });
  const here = clip.file?.exists;
  const owed = UNFINISHED.includes(clip.state) || (clip.state === "saved" && !here);
  return [
    clip.state === "saved" && action("putOnCanvas", "plus", putOnCanvas),
    owed && action("collect", "cloud-download", collect),
    here && action("restore", "sitemap", restore),
    here && action("again", "refresh", runAgain),
    here && action("open", "external-link", open),
    action("copyPrompt", "copy", () => copy(clip.prompt, context)),
    action("copySeed", "copy", () => copy(String(clip.seed), context)),
    clip.request_id && action("copyRequest", "copy", () => copy(clip.request_id, context)),
    action("forget", "trash", forget, true),
  ].filter(Boolean);
}

function putOnCanvas(clip) {
  const node = window.LiteGraph.createNode(SAVED);
  const { graph, visible_area: area } = app.canvas;
  const [width, height] = [WIDTH, BESIDES_CLIP + (WIDTH * clip.file.height) / clip.file.width];
  let [x, y] = [area[0] + (area[2] - width) / 2, area[1] + (area[3] - height) / 3];
  while (graph.nodes.some(({ pos }) => Math.abs(pos[0] - x) < 8 && Math.abs(pos[1] - y) < 8)) {
    x += 32;
    y += 32;
  }
  node.pos = [x, y];
  node.setSize([width, height]);
  widgetOf(node, "request_id").value = clip.request_id;
  graph.beforeChange();
  graph.add(node);
  graph.afterChange();
  app.canvas.selectNodes([node]);
}

async function restore(clip, { t }) {
  const { workflow } = await ask(`clips/${clip.id}/workflow`);
  if (!workflow) throw new Error(t("noWorkflow"));
  await app.loadGraphData(workflow, true, true, clip.file.name.replace(/\.mp4$/, ""));
}

async function runAgain(clip, context) {
  const { t } = context;
  const confirmed = await app.extensionManager.dialog.confirm({
    title: t("again"),
    message: t("againCosts", { price: money(PRICE_USD) }),
  });
  if (!confirmed) return;
  await restore(clip, context);
  const node = generatingNode(clip);
  const seed = node && widgetOf(node, "seed");
  if (!seed || node.inputs.some((input) => input.name === "seed" && input.link != null)) {
    throw new Error(t("noSeedFound"));
  }
  seed.value = 1 + Math.floor(Math.random() * SEED_MAX);
  seed.callback?.(seed.value);
  await app.queuePrompt(0);
}

function generatingNode(clip) {
  const nodes = [...allNodes()].filter((node) => node.type === GENERATING);
  const value = (node, name) => widgetOf(node, name)?.value;
  const amplitude = clip.options.movement_amplitude;
  const fitting = nodes.filter(
    (node) =>
      String(value(node, "prompt")).trim() === clip.prompt &&
      value(node, "seed") === clip.seed &&
      value(node, "movement_amplitude") === amplitude,
  );
  // Of several that fit, another one's clip would be paid for.
  if (fitting.length) return fitting.length === 1 ? fitting[0] : undefined;
  return nodes.length === 1 ? nodes[0] : undefined;
}

const open = (clip) => window.open(addressOf(`clips/${clip.id}/file`), "_blank", "noopener");

async function collect(clip, { t, say, changed }) {
  say(t("collecting"));
  try {
    await ask(`clips/${clip.id}/collect`, { method: "POST" });
    say(t("collected"));
  } catch (error) {
    say("");
    throw error;
  } finally {
    changed();
  }
}

async function forget(clip, { t, say, changed }) {
  const confirmed = await app.extensionManager.dialog.confirm({
    title: t("forget"),
    message: t(UNFINISHED.includes(clip.state) ? "forgetOwed" : "forgetKept"),
  });
  if (!confirmed) return;
  await ask(`clips/${clip.id}`, { method: "DELETE" });
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
  const field = make("textarea", { class: "vidu-hidden" });
  field.value = text;
  root.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

function complain(detail) {
  app.extensionManager.toast.add({ severity: "error", summary: "Vidu", detail, life: 10000 });
}
