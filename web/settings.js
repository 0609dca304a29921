// Settings > Vidu, and the money on top of the library. The fields speak to the pack's own routes
// and never call the editor's setter, so that nothing of them enters comfy.settings.json.
import { request } from "./api.js";
import { confirm, openDialog } from "./host.js";
import { loadTexts } from "./texts.js";
import { amountText, createElement, keepKeys, money, parseAmount, stylesheet } from "./ui.js";

const KEYS_PAGE = "https://fal.ai/dashboard/keys";
const MOST_USD = 1_000_000;

export const settings = [
  {
    id: "viduonfal.Budget",
    name: "Daily budget (US dollars)",
    category: ["Vidu", "Spending", "Budget"],
    tooltip: "The most that is spent in one day (UTC); empty means no limit.",
    type: () => drawn(spendingField),
    defaultValue: null,
  },
  {
    id: "viduonfal.Key",
    name: "fal key",
    category: ["Vidu", "Account", "Key"],
    tooltip: "Kept in ComfyUI's private folder on this server; it is never shown again.",
    type: () => drawn(keyField),
    defaultValue: null,
  },
];

function drawn(field) {
  const element = createElement("div", { class: "vidu-field" }, stylesheet());
  loadTexts().then((t) => field(element, t));
  return element;
}

// -- the key ----------------------------------------------------------------------------------

let asking;

// Opens a dialog with the key's field, once; `problem` says what is wrong with the key there is.
export async function askForKey(problem, onSaved) {
  if (asking?.isConnected) return;
  const t = await loadTexts();
  const field = createElement("div", { class: "vidu-field" });
  asking = createElement("div", { class: "vidu-key-dialog" }, stylesheet(), createElement("p", {}, problem ? t.line(problem) : t("keyNeeded")), field);
  keepKeys(asking);
  const close = openDialog("extension-viduonfal-key", t("key"), asking);
  keyField(field, t, {
    onSaved: () => {
      onSaved();
      setTimeout(close, 1500);
    },
  });
}

function keyField(element, t, { onSaved = () => {} } = {}) {
  const status = createElement("div", { class: "vidu-told", role: "status" });
  const source = createElement("div", { class: "vidu-source" });
  const input = createElement("input", {
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    "aria-label": t("key"),
    placeholder: t("keyPlaceholder"),
    onkeydown: (event) => event.key === "Enter" && save(),
  });
  const button = (name, act) =>
    createElement("button", { type: "button", class: `vidu-${name}`, onclick: act }, t(name));
  const checkButton = button("check", () => attempt(check));
  const removeButton = button("remove", () => attempt(remove));

  const show = (text, kind = "") => {
    status.textContent = text;
    status.dataset.kind = kind;
  };
  const refresh = ({ key }) => {
    source.textContent = key.configured
      ? t("keyFrom", { source: key.source === "the stored key" ? t("storedKey") : key.source })
      : (key.problem ? t.line(key.problem) : t("noKey"));
    source.dataset.kind = key.configured ? "good" : key.problem ? "bad" : "";
    checkButton.hidden = !key.configured;
    removeButton.hidden = !key.stored;
    return key;
  };
  const attempt = async (work) => {
    try {
      await work();
    } catch (error) {
      show(t.line(error.message), "bad");
    }
  };

  // What was typed stays until fal has accepted it: a typo can be corrected.
  const save = () =>
    attempt(async () => {
      if (!input.value.trim()) return input.focus();
      show(t("checking"));
      const { key } = await request("key", { method: "POST", body: { key: input.value } });
      input.value = "";
      refresh({ key });
      if (key.source !== "the stored key") return show(t("keyShadowed", key), "bad");
      if (key.warning) return show(t.line(key.warning), "bad");
      show(t(key.checked ? "keySaved" : "keySavedUnchecked"), key.checked ? "good" : "");
      onSaved();
    });
  async function check() {
    show(t("checking"));
    await request("key/check", { method: "POST" });
    show(t("keyAccepted"), "good");
  }
  async function remove() {
    if (!(await confirm(t("remove"), t("removeKey")))) return;
    refresh(await request("key", { method: "DELETE" }));
    show(t("keyRemoved"));
  }

  const link = createElement("a", { href: KEYS_PAGE, target: "_blank", rel: "noopener noreferrer" }, t("keyLink"));
  const line = createElement("div", { class: "vidu-line" }, input, button("save", save));
  const buttons = createElement("div", { class: "vidu-buttons" }, checkButton, removeButton);
  element.append(source, line, link, buttons, status);
  attempt(async () => refresh(await request("state")));
}

// -- the budget -------------------------------------------------------------------------------

function spendingField(element, t) {
  const status = createElement("span", { class: "vidu-told", role: "status" });
  const budget = budgetField(t, () => (status.textContent = t("stored")));
  element.append(createElement("div", { class: "vidu-line" }, "$", budget.input), budget.problem, status);
  request("state").then(budget.show, (error) => (budget.problem.textContent = t.line(error.message)));
}

// `onStored` is given the state that a change led to.
function budgetField(t, onStored) {
  let stored = "";
  const problem = createElement("p", { class: "vidu-problem", role: "alert" });
  const input = createElement("input", {
    type: "text",
    inputmode: "decimal",
    autocomplete: "off",
    placeholder: t("noLimit"),
    "aria-label": t("budget"),
    title: t("budget"),
    onchange: save,
    onkeydown: (event) => event.key === "Enter" && input.blur(),
  });

  async function save() {
    const usd = parseAmount(input.value);
    // What cannot be read stays in the field, and the budget as it was.
    const readable = usd >= 0 && usd <= MOST_USD;
    input.setAttribute("aria-invalid", String(!readable));
    if (!readable) return (problem.textContent = t("budgetUnreadable"));
    problem.textContent = "";
    try {
      const state = await request("budget", { method: "POST", body: { daily_usd: usd } });
      show(state, true);
      onStored(state);
    } catch (error) {
      problem.textContent = t.line(error.message);
    }
  }
  function show(state, own = false) {
    const before = stored;
    stored = state.daily_budget_usd ? state.daily_budget_usd.toFixed(2) : "";
    if (own || input.value === before) input.value = stored;
    input.disabled = state.budget_is_fixed;
    if (state.budget_is_fixed) problem.textContent = t("budgetFixed");
  }
  return { input, problem, show };
}

// What is spent today and this month, and the daily budget, which can be changed here.
export function moneyLine(t) {
  const today = createElement("b");
  const month = createElement("b");
  const budget = budgetField(t, (state) => show(state));
  const problem = createElement("p", { class: "vidu-problem", role: "alert" });
  const loss = createElement(
    "p",
    { class: "vidu-problem", role: "alert", hidden: true },
    t("ledgerIncomplete"),
    " ",
    createElement("button", { type: "button", class: "vidu-quick", onclick: acceptLoss }, t("acceptLoss")),
  );
  // What fal may not charge after all has a question mark where it stands alone.
  const amount = ({ usd, open_usd: open }) =>
    usd || !open ? amountText({ least: usd, most: usd + open }, t) : `${money(open)}?`;

  function show(state) {
    today.textContent = amount(state.today);
    month.textContent = amount(state.month);
    today.parentElement.title = month.parentElement.title = t("spentHint");
    budget.show(state);
    loss.hidden = !state.ledger_is_incomplete;
    problem.textContent = "";
  }
  async function acceptLoss() {
    if (!(await confirm(t("acceptLoss"), t("acceptLossHint")))) return;
    request("accept-loss", { method: "POST" }).then(show, (error) => (problem.textContent = t.line(error.message)));
  }
  const refresh = () => request("state").then(show, (error) => (problem.textContent = t.line(error.message)));

  const cell = (label, value) => createElement("label", {}, createElement("span", {}, label), value);
  const element = createElement(
    "div",
    { class: "vidu-money" },
    cell(t("today"), today),
    cell(t("month"), month),
    cell(t("budgetShort"), createElement("span", { class: "vidu-budget" }, "$", budget.input)),
    budget.problem,
    loss,
    problem,
  );
  refresh();
  return { element, refresh };
}
