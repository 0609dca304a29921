// The editor fills in %date:...% and %Node.widget% for its own Save nodes only; here it is done for
// filename_prefix of the generating node, by the same rules.
import { allNodes, GENERATING, widgetOf } from "./nodes.mjs";

const PARTS = {
  y: (now) => now.getFullYear(),
  M: (now) => now.getMonth() + 1,
  d: (now) => now.getDate(),
  h: (now) => now.getHours(),
  m: (now) => now.getMinutes(),
  s: (now) => now.getSeconds(),
};

export function fillInPrefix(node) {
  const prefix = node.comfyClass === GENERATING && widgetOf(node, "filename_prefix");
  if (prefix) prefix.serializeValue = () => filledIn(prefix.value);
}

function filledIn(prefix) {
  return prefix.replace(/%([^%]+)%/g, (whole, rule) => {
    if (rule.startsWith("date:")) return dated(rule.slice("date:".length), new Date());
    const [node, widget, ...more] = rule.split(".");
    // Others, such as %year%, are the server's.
    return more.length || !widget ? whole : (valueOf(node, widget) ?? whole);
  });
}

function dated(form, now) {
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
