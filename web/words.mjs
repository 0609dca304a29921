// The texts of locales/<language>/main.json under "vidu", in the editor's language, else English.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

export async function loadWords() {
  const language = locale();
  const all = await api.getCustomNodesI18n();
  const found = { ...all.en?.vidu, ...all[language]?.vidu };
  return (name, values = {}) =>
    (found[name] ?? name).replace(/\{(\w+)\}/g, (whole, key) => shown(values[key]) ?? whole);
}

const shown = (value) => (typeof value === "number" ? value.toLocaleString(locale()) : value);

export const locale = () => app.extensionManager.setting.get("Comfy.Locale") || "en";

export const money = (usd) =>
  new Intl.NumberFormat(locale(), { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol" })
    .format(usd);

export function moment(seconds) {
  const date = new Date(seconds * 1000);
  const year = date.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  const shape = { year, month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" };
  return new Intl.DateTimeFormat(locale(), shape).format(date);
}
