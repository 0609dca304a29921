// What the next run of a node costs, on the node; and on a subgraph, what the nodes inside cost.
// The server tells the prices: the ledger knows what is saved already.
import { api } from "../../scripts/api.js";
import { request } from "./api.js";
import { addBadge, allNodes, apiPrompt, isOurs, nodeByExecutionId, onGraphChange } from "./host.js";
import { amountText, money } from "./ui.js";

const SETTLE_MS = 250;
const FREE = "#3f6f4f";
const PAID = "#6b4fa0";
const ENDS = ["execution_success", "execution_error", "execution_interrupted"];

let t = (name) => name;
const prices = new WeakMap(); // node -> what the server says that its next run costs
const badges = new WeakMap(); // node -> what shows a badge on it

export function translateBadges(texts) {
  t = texts;
  for (const node of allNodes()) badges.get(node)?.(badgeOf(prices.get(node)));
}

export function setUpBadge(node) {
  if (node.constructor.nodeData?.output_node) badges.set(node, addBadge(node, watchValues(node)));
  const connectionsChanged = node.onConnectionsChange;
  node.onConnectionsChange = function (...details) {
    refreshPrices();
    return connectionsChanged?.apply(this, details);
  };
}

export function followPrices() {
  onGraphChange(refreshPrices);
  for (const kind of [...ENDS, "reconnected"]) api.addEventListener(kind, refreshPrices);
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

let settling;
export function refreshPrices() {
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
  const paid = inside.filter(({ kind }) => kind === "paid");
  if (inside.length < 2 || !paid.length) return paid[0] ?? inside[0];
  const least = paid.reduce((sum, { total }) => sum + total.least, 0);
  const isOpen = paid.some(({ total }) => total.most === null);
  const most = isOpen ? null : paid.reduce((sum, { total }) => sum + total.most, 0);
  return { kind: "paid", count: 1, each: { least, most }, total: { least, most } };
}

function badgeOf(price) {
  if (!price) return null;
  if (price.kind === "draft") return { text: t("badgeDraft"), color: FREE };
  if (price.kind === "saved") return { text: t("badgeSaved"), color: FREE };
  return { text: paidText(price), color: PAID };
}

function paidText({ count, each, total }) {
  if (count === null) return t("badgeEach", { price: amountText(each, t) });
  const areAlike = Math.abs(each.most * count - total.most) < 1e-9;
  const isSum = count > 1 && areAlike && (total.least === 0 || total.least === total.most);
  if (!isSum) return amountText(total, t);
  const sum = t("badgeMany", { count, price: money(each.most), total: money(total.most) });
  return total.least ? sum : t("badgeUpTo", { price: sum });
}
