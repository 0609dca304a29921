// The editor's internals: every use of something that is not in ComfyUI's documented extension
// API (registerExtension, extensionManager, api.addEventListener) is in this file, with what
// replaces it once ComfyUI offers it.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

// -- documented: settings, notices, questions, nodes and the graph ------------------------------

export const setting = (name) => app.extensionManager.setting.get(name);
export const locale = () => setting("Comfy.Locale") || "en";
export const isNodes2 = () => Boolean(setting("Comfy.VueNodes.Enabled"));

export const toast = (severity, detail, life = 10_000) =>
  app.extensionManager.toast.add({ severity, summary: "Vidu", detail, life });

export const confirm = (title, message) =>
  app.extensionManager.dialog.confirm({ title, message: message ?? "" });

export const isOurs = (node) => node?.comfyClass?.startsWith("FalVidu") ?? false;
export const widgetOf = (node, name) => node?.widgets?.find((widget) => widget.name === name);

// The graph as the server runs it: {execution id: {class_type, inputs}}.
export const apiPrompt = async () => (await app.graphToPrompt()).output;

export const openWorkflow = (workflow, name) => app.loadGraphData(workflow, true, true, name);

// Called with each progress text of a node, by its execution id.
export const onProgressText = (listener) =>
  api.addEventListener("progress_text", ({ detail }) => {
    if (detail.nodeId && detail.text) listener(String(detail.nodeId), detail.text);
  });

// -- dialogs ----------------------------------------------------------------------------------

// Opens the editor's dialog with an element of ours in it, and returns what closes it. A dialog
// takes a Vue component; this one draws nothing and puts the element where it would be drawn.
// `key` begins with "extension-", or the editor does not find the dialog again to close it.
// Replaced by: dialogs that take an element, as sidebar tabs do.
export function openDialog(key, title, element) {
  const component = {
    render: () => null,
    mounted() {
      this.$el.after(element);
    },
  };
  return app.extensionManager.dialog.showExtensionDialog({ key, title, component }).closeDialog;
}

// -- settings ---------------------------------------------------------------------------------

// Called once the new value holds; the editor tells of it just before.
// Replaced by: an `onChange` for settings that another extension registered; so with those below.
const onSettingChange = (name, listener) =>
  app.ui.settings.addEventListener(`${name}.change`, () => setTimeout(listener));

export const onLocaleChange = (listener) => onSettingChange("Comfy.Locale", listener);

export const onRenderingChange = (listener) => onSettingChange("Comfy.VueNodes.Enabled", listener);

// -- the graph --------------------------------------------------------------------------------

// Replaced by: a canvas that redraws what has changed.
export const redraw = () => app.canvas?.setDirty(true, true);

// The editor complains when its graph is asked for before there is one.
const rootGraph = () => (app.isGraphReady === false ? undefined : (app.graph?.rootGraph ?? app.graph));

// Replaced by: `app.graph.nodes` with subgraphs included.
export function* allNodes(graph = rootGraph()) {
  for (const node of graph?.nodes ?? []) {
    yield node;
    if (node.subgraph) yield* allNodes(node.subgraph);
  }
}

// A node by the id it runs under: "7", or "3:7" where 3 is a subgraph.
// Replaced by: a node lookup by execution id.
export function nodeByExecutionId(id) {
  return String(id)
    .split(":")
    .reduce((above, part) => (above?.subgraph ?? above)?.getNodeById(Number(part)), rootGraph());
}

// Runs the nodes with these execution ids and what they need, not the rest of the graph.
// Replaced by: a third argument of `queuePrompt` that is documented.
export const runNodes = (ids) => app.queuePrompt(0, 1, ids);

// Called after each change of the graph, and when the editor shows another one.
// Replaced by: a documented event for graph changes.
export function onGraphChange(listener) {
  api.addEventListener("graphChanged", listener);
  app.canvas.canvas.addEventListener("litegraph:set-graph", listener);
}

// -- what stands on a node --------------------------------------------------------------------

// A badge in both rendering modes; `read` is called when the node may show something else.
// Nodes 2.0 asks for badges again only when the value of a widget changed that they read, so that
// a hidden widget holds what the badge shows. Replaced by: price badges for nodes whose provider
// is not Comfy.
export function addBadge(node, read) {
  const shown = node.addWidget("text", "vidu_badge", "", null, { serialize: false, hidden: true });
  Object.assign(shown, { hidden: true, serialize: false, computeSize: () => [0, -4] });
  node.badges.push(() => {
    read();
    const { text = "", color = "#0000" } = JSON.parse(shown.value || "{}");
    return new window.LGraphBadge({ text, fgColor: "#ffffff", bgColor: color });
  });
  return (badge) => {
    shown.value = badge ? JSON.stringify(badge) : "";
    redraw();
  };
}

// Shows a line under a node of the open graph, as progress of the server is shown.
// Replaced by: progress texts that an extension may set.
export const showText = (nodeId, text) =>
  api.dispatchCustomEvent("progress_text", { nodeId: String(nodeId), text });

// An element of our own for the progress texts of a node, in both rendering modes. Named as the
// editor's widget for them, which it then gives its texts to instead of adding one: that one reads
// text as Markdown, has one height for any number of lines, and moves all others when it comes.
// Replaced by: progress texts that are plain and have a place of their own.
export function addLinesWidget(node, element, height, show) {
  const widget = node.addDOMWidget("$$node-text-preview", "vidu_lines", element, {
    hideOnZoom: false,
    serialize: false,
    getValue: () => "",
    setValue: show,
  });
  widget.serialize = false;
  // One that has a size of its own is not stretched.
  widget.computeLayoutSize = undefined;
  widget.computeSize = (width) => [width, height()];
  return widget;
}

// What a node put out, told to the editor as if the node had run just now.
// Replaced by: node outputs that an extension may set.
export const showOutput = (nodeId, output) =>
  api.dispatchCustomEvent("executed", { node: String(nodeId), display_node: String(nodeId), output });

// The outputs that the editor holds of a node, also after a reload or a change of tabs.
// Replaced by: node outputs as an argument of `loadedGraphNode`.
export const outputsOf = (node) => app.nodeOutputs?.[String(node.id)];

// Whether a node puts out a picture, which the editor shows, or a clip, which it does not. A subgraph
// in Nodes 2.0 takes whatever its nodes put out for pictures until it is told.
// Replaced by: a kind of preview that the server's message names.
export function showsPicture(node, isPicture) {
  node.hideOutputImages = !isPicture;
  node.previewMediaType = isPicture ? "image" : "video";
}

// An element of our own for the clips of a node. Named as the editor's own player, which the editor
// then does not add: it would be part of the node's inputs and make an unchanged node run again.
// That of Nodes 2.0 is not shown: it shares what room there is with the prompt, whose height jumped
// when a clip came. Replaced by: a player that is not serialized and reserves its room.
export function addPlayerWidget(node, element, height) {
  showsPicture(node, false);
  const widget = node.addDOMWidget("video-preview", "vidu_player", element, {
    hideOnZoom: false,
    serialize: false,
  });
  widget.serialize = false;
  widget.computeLayoutSize = undefined;
  widget.computeSize = (width) => [width, height()];
  return widget;
}

// Keeps the values of the widgets inside a choice that another choice has as well: the editor makes
// them again, with their defaults. Replaced by: a DynamicCombo that keeps them.
export function keepInnerValues(node, name) {
  const choice = widgetOf(node, name);
  if (!choice) return;
  const kept = new Map(); // what was set last, also while a choice without it is shown
  const inside = () => node.widgets.filter((widget) => widget.name.startsWith(`${name}.`));
  const watch = () => {
    for (const widget of inside()) {
      const shown = widget.value;
      const onRemove = widget.onRemove;
      widget.onRemove = function () {
        if (widget.value !== shown || !kept.has(widget.name)) kept.set(widget.name, widget.value);
        onRemove?.call(this);
      };
    }
  };
  const callback = choice.callback;
  choice.callback = function (...details) {
    for (const widget of inside()) {
      const value = kept.get(widget.name);
      if (kept.has(widget.name) && takesValue(widget, value)) widget.value = value;
    }
    watch();
    return callback?.apply(this, details);
  };
  const onConfigure = node.onConfigure;
  node.onConfigure = function (...details) {
    kept.clear();
    watch();
    return onConfigure?.apply(this, details);
  };
  watch();
}

function takesValue(widget, value) {
  const { values, min, max } = widget.options ?? {};
  if (Array.isArray(values)) return values.includes(value);
  if (typeof value === "number") return value >= (min ?? value) && value <= (max ?? value);
  return typeof value === typeof widget.value;
}

// Makes a node as tall as its widgets need; it never shrinks.
// Replaced by: nodes that grow with their widgets.
export const growToFit = (node) => growBy(node, node.computeSize()[1] - node.size[1]);

// Makes a node taller, if `height` is above zero, so that the widget which needs it takes none from
// the prompt. Replaced by: nodes that grow with their widgets.
export function growBy(node, height) {
  if (height > 0) node.setSize([node.size[0], node.size[1] + height]);
  redraw();
}

// Zooms the canvas under an element of ours, as it does under the editor's own.
// Replaced by: widgets that hand the wheel on.
export const forwardWheel = (event) => app.canvas.processMouseWheel(event);

// The picture at an input of a node as the editor shows it: {width, height}, if there is one.
// Replaced by: the size of what is loaded at an input.
export function pictureBefore(node) {
  for (const input of node.inputs ?? []) {
    if (input.type !== "IMAGE" || input.link == null) continue;
    const link = node.graph?.getLink?.(input.link) ?? node.graph?.links?.[input.link];
    const image = node.graph?.getNodeById(link?.origin_id)?.imgs?.[0];
    if (image?.naturalWidth) return { width: image.naturalWidth, height: image.naturalHeight };
  }
  return undefined;
}

// -- runs -------------------------------------------------------------------------------------

// The errors of a run that the server refused, by execution id, once it has refused it.
// Replaced by: an event for refused prompts.
export function onRefusedRun(listener, { every = 150, timeout = 20_000 } = {}) {
  let watching;
  api.addEventListener("promptQueueing", () => {
    clearInterval(watching);
    const end = Date.now() + timeout;
    watching = setInterval(() => {
      const errors = app.extensionManager.lastNodeErrors ?? app.lastNodeErrors;
      if (errors && Object.keys(errors).length) listener(errors);
      else if (Date.now() < end) return;
      clearInterval(watching);
    }, every);
  });
  api.addEventListener("promptQueued", () => clearInterval(watching));
}

// -- templates --------------------------------------------------------------------------------

// Whether a graph that is about to be opened loads a picture that the server has no file of.
// Replaced by: templates that bring their files.
export function lacksPicture(graph, picture) {
  const definition = window.LiteGraph.registered_node_types.LoadImage?.nodeData;
  const [choices, options] = definition?.input?.required?.image ?? [];
  const known = Array.isArray(choices) ? choices : (options?.options ?? []);
  const isUsed = graph.nodes?.some(({ widgets_values: values }) => values?.[0] === picture);
  return Boolean(isUsed) && !known.includes(picture);
}

// Puts a picture into the server's input folder, where Load Image then finds it.
// Replaced by: templates that bring their files.
export async function uploadPicture(picture, url) {
  const body = new FormData();
  body.append("image", await (await fetch(url)).blob(), picture);
  await api.fetchApi("/upload/image", { method: "POST", body });
  await app.extensionManager.command.execute("Comfy.RefreshNodeDefinitions");
}

// -- the canvas -------------------------------------------------------------------------------

// Adds a node to the open graph where it covers no other; `at` is where its corner goes if free.
// Replaced by: adding a node at the next free place.
export function addNode(type, values, [width, height], at) {
  const node = window.LiteGraph.createNode(type);
  const { graph } = app.canvas;
  for (const [name, value] of Object.entries(values)) widgetOf(node, name).value = value;
  node.setSize([width, Math.max(height, node.computeSize()[1])]);
  node.pos = freePlace(node.size, at);
  graph.beforeChange();
  graph.add(node);
  graph.afterChange();
  app.canvas.selectNodes([node]);
  return node;
}

function freePlace([width, height], at) {
  const { graph, visible_area: area } = app.canvas;
  const title = window.LiteGraph.NODE_TITLE_HEIGHT;
  const gap = 24;
  const taken = graph.nodes.map(({ boundingRect: [x, y, w, h] }) => [x, y, w, h]);
  const [x, y] = at ?? [area[0] + (area[2] - width) / 2, area[1] + (area[3] - height) / 3];
  const covers = ([left, top]) =>
    taken.find(
      ([a, b, w, h]) =>
        left < a + w + gap && a < left + width + gap && top - title < b + h + gap && b < top + height + gap,
    );
  let place = [x, y];
  // Each step passes the node that is in the way, so that it ends.
  for (let other = covers(place); other; other = covers(place)) place = [other[0] + other[2] + gap + 1, place[1]];
  return place;
}

// Calls `drop(data, place)` when something with our kind of data is dropped on the canvas.
// Replaced by: an event for what is dropped on the canvas.
export function onCanvasDrop(kind, drop) {
  const element = app.canvas.canvas.parentElement;
  const has = (event) => event.dataTransfer?.types.includes(kind);
  const take = (event, work) => {
    if (!has(event)) return;
    event.preventDefault();
    event.stopPropagation();
    work?.();
  };
  element.addEventListener("dragover", (event) => take(event), { capture: true });
  element.addEventListener(
    "drop",
    (event) =>
      take(event, () => {
        const place = app.canvas.convertEventToCanvasOffset(event);
        drop(event.dataTransfer.getData(kind), place);
      }),
    { capture: true },
  );
}
