// Settings > Vidu. The fields speak to the pack's own routes and never call the editor's setter,
// so that nothing of them enters comfy.settings.json.
import { budgetField } from "./budget.mjs";
import { ask } from "./client.mjs";
import { make, stylesheet } from "./elements.mjs";
import { loadWords } from "./words.mjs";

export const settings = [
  {
    id: "viduonfal.Budget",
    name: "Daily budget (US dollars)",
    category: ["Vidu", "Spending", "Budget"],
    tooltip: "The most that is spent in one calendar day; 0 means no limit.",
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
  const element = make("div", { class: "vidu-field" }, stylesheet("./settings.css", import.meta.url));
  loadWords().then((t) => field(element, t));
  return element;
}

function keyField(element, t) {
  const told = make("div", { class: "vidu-told", role: "status" });
  const source = make("div", { class: "vidu-source" });
  const input = make("input", {
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    "aria-label": t("key"),
    placeholder: t("keyPlaceholder"),
    onkeydown: (event) => event.key === "Enter" && save(),
  });
  const button = (name, act) =>
    make("button", { type: "button", class: `vidu-${name}`, onclick: () => act() }, t(name));
  const saveButton = button("save", save);
  const checkButton = button("check", check);
  const removeButton = button("remove", remove);

  const show = (words, kind = "") => {
    told.textContent = words;
    told.dataset.kind = kind;
  };
  const refresh = ({ key }) => {
    source.textContent = key.configured
      ? t("keyFrom", { source: key.source === "the stored key" ? t("storedKey") : key.source })
      : (key.problem ?? t("noKey"));
    source.dataset.kind = key.configured ? "good" : key.problem ? "bad" : "";
    checkButton.disabled = !key.configured;
    removeButton.disabled = !key.stored;
  };
  const attempt = async (work) => {
    try {
      await work();
    } catch (error) {
      show(error.message, "bad");
    }
  };

  function save() {
    if (!input.value.trim()) return input.focus();
    return attempt(async () => {
      const typed = input.value;
      input.value = "";
      const state = await ask("key", { method: "POST", body: { key: typed } });
      refresh(state);
      if (state.key.problem) return show(state.key.problem, "bad");
      show(state.key.source === "the stored key" ? t("keySaved") : t("keyShadowed", state.key), "good");
    });
  }
  function check() {
    show(t("checking"));
    return attempt(async () => {
      await ask("key/check", { method: "POST" });
      show(t("keyAccepted"), "good");
    });
  }
  function remove() {
    return attempt(async () => {
      refresh(await ask("key", { method: "DELETE" }));
      show(t("keyRemoved"));
    });
  }

  const buttons = make("div", { class: "vidu-buttons" }, checkButton, removeButton);
  element.append(source, make("div", { class: "vidu-line" }, input, saveButton), buttons, told);
  attempt(async () => refresh(await ask("state")));
}

function spendingField(element, t) {
  const told = make("span", { class: "vidu-told", role: "status" });
  const budget = budgetField(t, (asked) => tell(asked, t("stored")));
  const tell = async (asked, words) => {
    try {
      const state = await asked;
      budget.show(state);
      told.textContent = state.budget_is_fixed ? t("budgetFixed") : words;
    } catch (error) {
      told.textContent = error.message;
    }
  };
  element.append(make("div", { class: "vidu-line" }, "$", budget.input), told);
  tell(ask("state"), "");
}
