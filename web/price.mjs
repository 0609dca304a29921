// What the next run of a generating node costs, as a badge in both rendering modes; and the line
// under a node that did not have to run, which the server says nothing of.
import { api } from "../../scripts/api.js";
import { GENERATING, nodeThatRuns, PRICE_USD, SAVED, widgetOf } from "./nodes.mjs";
import { loadWords } from "./words.mjs";

const PRICE = `$${PRICE_USD.toFixed(2)}`;

export function showPrice(node) {
  const mode = node.comfyClass === GENERATING && widgetOf(node, "mode");
  if (!mode) return;
  const badge = () => {
    const draft = mode.value === "draft";
    return new window.LGraphBadge({
      text: draft ? "draft: free" : PRICE,
      fgColor: "#ffffff",
      bgColor: draft ? "#3f6f4f" : "#6b4fa0",
    });
  };
  node.badges.push(badge);
}

export function tellOfWhatDidNotRun() {
  api.addEventListener("execution_cached", async ({ detail }) => {
    const ours = detail.nodes.filter((id) => [GENERATING, SAVED].includes(nodeThatRuns(id)?.type));
    if (!ours.length) return;
    const t = await loadWords();
    for (const nodeId of ours) api.dispatchCustomEvent("progress_text", { nodeId, text: t("unchanged") });
  });
}
