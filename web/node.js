// What the pack's nodes show: the price of the next run, each line of a run, and in the classic
// rendering the player.
import { api } from "../../scripts/api.js";
import { request } from "./api.js";
import {
  addBadge,
  allNodes,
  apiPrompt,
  isOurs,
  nodeByExecutionId,
  onGraphChange,
  onRefusedRun,
  onRenderingChange,
  onProgressText,
  outputsOf,
  showText,
  toast,
  widgetOf,
} from "./host.js";
import { Lines, Player } from "./player.js";
import { askForKey } from "./settings.js";
import { loadTexts, money } from "./ui.js";

const SETTLE_MS = 250;
const LINE_END = "  \n"; // Nodes 2.0 shows a node's text as Markdown
const FREE = "#3f6f4f";
const PAID = "#6b4fa0";

let t = Object.assign((name) => name, { line: (text) => text });
const prices = new WeakMap(); // node -> what the server says that its next run costs
const badges = new WeakMap(); // node -> what shows a badge on it
const players = new WeakMap();

export async function followTexts() {
  t = await loadTexts();
  for (const node of allNodes()) badges.get(node)?.(badgeOf(prices.get(node)));
}

// -- the price of the next run ----------------------------------------------------------------

export function setUpNode(node) {
  if (!isOurs(node)) return;
  fillInPrefix(node);
  const definition = node.constructor.nodeData;
  if (definition?.output_node) new Lines(node, read);
  if (definition?.output?.includes("VIDEO")) addPlayer(node);
  if (definition?.output_node) badges.set(node, addBadge(node, watchValues(node)));
  const connectionsChanged = node.onConnectionsChange;
  node.onConnectionsChange = function (...details) {
    refreshPrices();
    return connectionsChanged?.apply(this, details);
  };
}

// Values also change without an event, as after each run by "control after generate".
function watchValues(node) {
  let before;
  return () => {
    const now = (node.widgets ?? [])
      .filter((widget) => widget.serialize !== false)
      .map(({ name, value }) => `${name}=${typeof value === "object" ? "" : value}`)
      .join();
    if (before !== now) refreshPrices();
    before = now;
  };
}

function badgeOf(price) {
  if (!price) return null;
  const words = {
    draft: () => t("badgeDraft"),
    saved: () => t("badgeSaved"),
    exact: () => total(price),
    each: () => t("badgeEach", { price: money(price.usd) }),
    from: () => t("badgeFrom", { price: money(price.usd * (price.count ?? 1)) }),
    up_to: () => t("badgeUpTo", { price: total(price) }),
    each_up_to: () => t("badgeUpTo", { price: t("badgeEach", { price: money(price.usd) }) }),
  }[price.kind];
  return { text: words(), color: price.kind === "draft" || price.kind === "saved" ? FREE : PAID };
}

function total({ usd, count }) {
  if (count === 1) return money(usd);
  return t("badgeMany", { count, price: money(usd), total: money(usd * count) });
}

let settling;
function refreshPrices() {
  clearTimeout(settling);
  settling = setTimeout(readPrices, SETTLE_MS);
}

let asked = 0;
async function readPrices() {
  if (![...allNodes()].some(isOurs)) return;
  const number = ++asked;
  let answer;
  try {
    answer = await request("prices", { method: "POST", body: { prompt: await apiPrompt() } });
  } catch {
    return; // half a graph, or the server is away: what was shown still stands
  }
  if (number !== asked) return; // a newer graph was asked about meanwhile
  const priced = new Map(
    Object.entries(answer.prices).map(([id, price]) => [nodeByExecutionId(id), price]),
  );
  // A node that is muted has no price, and takes back the one that it had.
  for (const node of allNodes()) if (isOurs(node)) setPrice(node, priced.get(node));
  for (const node of allNodes()) if (node.subgraph) setPrice(node, sumOf(node));
}

function setPrice(node, price) {
  if (JSON.stringify(prices.get(node)) === JSON.stringify(price)) return;
  if (!badges.has(node)) badges.set(node, addBadge(node, () => {}));
  prices.set(node, price);
  badges.get(node)(badgeOf(price));
}

// A subgraph costs what the nodes inside cost together, those in subgraphs inside it as well.
function sumOf(subgraph) {
  const nodes = [...allNodes(subgraph.subgraph)].filter((node) => !node.subgraph);
  const inside = nodes.map((node) => prices.get(node)).filter(Boolean);
  const paid = inside.filter(({ kind }) => kind !== "draft" && kind !== "saved");
  if (inside.length < 2 || !paid.length) return paid[0] ?? inside[0];
  const usd = paid.reduce((sum, price) => sum + price.usd * (price.count ?? 1), 0);
  const kinds = new Set(paid.map(({ kind }) => kind));
  const kind = ["each", "from", "each_up_to"].some((open) => kinds.has(open)) ? "from" : kinds.has("up_to") ? "up_to" : "exact";
  return { kind, usd, count: 1 };
}

// -- the lines of a run -----------------------------------------------------------------------

export function followRuns() {
  onGraphChange(refreshPrices);
  onRenderingChange(() => {
    for (const node of allNodes()) players.get(node)?.arrange();
  });
  onProgressText(showOnSubgraphs);
  onRefusedRun(showRefusal);
  for (const kind of ["execution_success", "execution_error", "execution_interrupted"])
    api.addEventListener(kind, refreshPrices);
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
  if (!key.configured) askForKey(key.problem);
}

async function showOutcome(promptId) {
  const { nodes } = await request(`outcome?${new URLSearchParams({ prompt_id: promptId })}`);
  for (const [id, outcomes] of Object.entries(nodes)) {
    const lines = outcomes.map(({ outcome, usd }) => t(`cancelled_${outcome}`, { price: money(usd) }));
    showLines(id, lines.length === 1 ? lines : lines.map((line, at) => `${at + 1}: ${line}`));
  }
}

function showWarning({ text }) {
  toast("warn", text, 30_000);
}

// -- the player of the classic rendering ------------------------------------------------------

function addPlayer(node) {
  const player = new Player(node, (name) => t(name));
  players.set(node, player);
  const executed = node.onExecuted;
  node.onExecuted = function (output) {
    executed?.call(this, output);
    player.showOutput(output);
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
