// What the pack's nodes show of a run: its lines, how it ended, and its clips.
import { api } from "../../scripts/api.js";
import { request } from "./api.js";
import { followPrices, setUpBadge, translateBadges } from "./badge.js";
import {
  allNodes,
  isOurs,
  keepInnerValues,
  nodeByExecutionId,
  onProgressText,
  onRefusedRun,
  onRenderingChange,
  outputsOf,
  showText,
  toast,
  widgetOf,
} from "./host.js";
import { Lines, Player } from "./player.js";
import { askForKey } from "./settings.js";
import { loadTexts } from "./texts.js";
import { money } from "./ui.js";

const LINE_END = "  \n"; // Nodes 2.0 shows a node's text as Markdown

let t = Object.assign((name) => name, { line: (text) => text, note: (text) => text });
const players = new WeakMap();

export async function followTexts() {
  t = await loadTexts();
  translateBadges(t);
}

// The notes of a template in the language, when it is opened.
export function translateNotes(graph) {
  for (const node of graph.nodes ?? []) {
    if (node.title) node.title = t.note(node.title);
    if (node.type !== "MarkdownNote") continue;
    node.widgets_values = node.widgets_values?.map((text) => (typeof text === "string" ? t.note(text) : text));
  }
}

// -- setting up -------------------------------------------------------------------------------

export function setUpNode(node) {
  if (!isOurs(node)) return;
  fillInPrefix(node);
  keepInnerValues(node, "model");
  const definition = node.constructor.nodeData;
  if (definition?.output_node) new Lines(node, read);
  if (definition?.output?.includes("VIDEO")) addPlayer(node);
  setUpBadge(node);
}

// -- the lines of a run -----------------------------------------------------------------------

export function followRuns() {
  followPrices();
  onRenderingChange(() => {
    for (const node of allNodes()) players.get(node)?.arrange();
  });
  onProgressText(showOnSubgraphs);
  onRefusedRun(showRefusal);
  api.addEventListener("execution_cached", ({ detail }) => {
    for (const id of detail.nodes)
      if (players.has(nodeByExecutionId(id))) showLines(id, [t("unchanged")]);
  });
  api.addEventListener("execution_error", ({ detail }) => {
    if (isOurs(nodeByExecutionId(detail.node_id))) showError(detail.node_id, detail.exception_message);
  });
  api.addEventListener("execution_interrupted", ({ detail }) => showOutcome(detail.prompt_id));
  api.addEventListener("vidu.warning", ({ detail }) => showWarning(detail));
}

// Progress of the server: in English, and with foreign characters as numeric entities.
const read = (text) => text.split(/ *\n/).map((line) => t.line(decoded(line)));

const showLines = (id, lines) => showText(id, lines.map(encoded).join(LINE_END));

// What a node in a subgraph shows, the subgraph shows outside.
function showOnSubgraphs(id, text) {
  const node = nodeByExecutionId(id);
  if (!isOurs(node)) return;
  const parts = id.split(":");
  const line = encoded(`${node.title}: ${read(text).join(" \u00b7 ")}`);
  for (let length = parts.length - 1; length > 0; length--) showText(parts.slice(0, length).join(":"), line);
}

// Markdown and HTML alike read an entity as the character itself.
const encoded = (text) => text.replace(/[^\p{L}\p{N} $,.:()/%+-]/gu, (char) => `&#${char.codePointAt(0)};`);
const decoded = (text) => text.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)));

// -- how a run ended --------------------------------------------------------------------------

function showRefusal(errors) {
  for (const [id, { errors: reasons }] of Object.entries(errors)) {
    if (!isOurs(nodeByExecutionId(id))) continue;
    const words = new Set(reasons.map(({ details, message }) => details?.replace(/^\w+ - /, "") || message));
    showError(id, [...words].join(" "));
  }
}

async function showError(id, message) {
  showLines(id, message.trim().split(/\n+/));
  const node = nodeByExecutionId(id);
  if (widgetOf(node, "mode")?.value === "draft") return;
  const { key } = await request("state");
  if (!key.configured) askForKey(key.problem, () => showLines(id, [t("keyReady")]));
}

async function showOutcome(promptId) {
  const { nodes } = await request(`outcome?${new URLSearchParams({ prompt_id: promptId })}`);
  for (const [id, outcomes] of Object.entries(nodes)) {
    const lines = outcomes.map(({ outcome, usd }) => t(`cancelled_${outcome}`, { price: money(usd) }));
    showLines(id, lines.length === 1 ? lines : lines.map((line, at) => `${at + 1}: ${line}`));
  }
}

function showWarning({ text }) {
  toast("warn", text.split("\n").map(t.line).join("\n"), 30_000);
}

// -- the player -------------------------------------------------------------------------------

function addPlayer(node) {
  const player = new Player(node, (name) => t(name));
  players.set(node, player);
  const executed = node.onExecuted;
  node.onExecuted = function (output) {
    executed?.call(this, output);
    player.showOutput(output, { isNew: true });
  };
}

// After a reload or a change of tabs the editor knows what the nodes put out.
export function restoreOutputs() {
  for (const node of allNodes()) {
    const output = outputsOf(node);
    if (output) players.get(node)?.showOutput(output);
  }
}

export const playerOf = (node) => players.get(node);

// -- filename_prefix --------------------------------------------------------------------------

// The editor fills in %date:...% and %Node.widget% for its own Save nodes only; here it is done
// for ours, by the same rules.
function fillInPrefix(node) {
  const prefix = widgetOf(node, "filename_prefix");
  if (prefix) prefix.serializeValue = () => filledIn(prefix.value);
}

const PARTS = {
  y: (now) => now.getFullYear(),
  M: (now) => now.getMonth() + 1,
  d: (now) => now.getDate(),
  h: (now) => now.getHours(),
  m: (now) => now.getMinutes(),
  s: (now) => now.getSeconds(),
};

function filledIn(prefix) {
  return prefix.replace(/%([^%]+)%/g, (whole, rule) => {
    if (rule.startsWith("date:")) return formatDate(rule.slice("date:".length), new Date());
    const [node, widget, ...more] = rule.split(".");
    // Others, such as %year%, are the server's.
    return more.length || !widget ? whole : (valueOf(node, widget) ?? whole);
  });
}

function formatDate(form, now) {
  return form.replace(/yyyy|yy|dd?|MM?|hh?|mm?|ss?/g, (part) => {
    const text = String(PARTS[part[0]](now)).padStart(part.length, "0");
    return part === "yy" ? text.slice(2) : text;
  });
}

function valueOf(name, widget) {
  const nodes = [...allNodes()];
  const node =
    nodes.find(({ properties }) => properties?.["Node name for S&R"] === name) ??
    nodes.find(({ title }) => title === name);
  const found = node && widgetOf(node, widget);
  return found && String(found.value ?? "").replaceAll(/[/?<>\\:*|"\x00-\x1f\x7f]/g, "_");
}
