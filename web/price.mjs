// What the next run of a generating node costs, as a badge in both rendering modes.
const GENERATING = "FalViduImageToVideo";
const PRICE = "$0.20";

export function showPrice(node) {
  if (node.comfyClass !== GENERATING) return;
  const mode = node.widgets?.find((widget) => widget.name === "mode");
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
