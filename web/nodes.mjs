// The pack's nodes in the editor's graph.
import { app } from "../../scripts/app.js";

export const GENERATING = "FalViduImageToVideo";
export const SAVED = "FalViduSavedClip";
export const PRICE_USD = 0.2; // of a clip; a test holds it to vidu/request.py

export const widgetOf = (node, name) => node.widgets?.find((widget) => widget.name === name);

// Those of subgraphs, too.
export function* allNodes(graph = app.graph) {
  for (const node of graph.nodes) {
    yield node;
    if (node.subgraph) yield* allNodes(node.subgraph);
  }
}

// A node by the id it runs under: "7", or "3:7" where 3 is a subgraph.
export const nodeThatRuns = (id) =>
  id.split(":").reduce((above, part) => (above?.subgraph ?? above)?.getNodeById(Number(part)), app.graph);
