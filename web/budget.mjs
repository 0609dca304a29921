// The field for the daily budget, in the library and in the settings.
import { ask } from "./client.mjs";
import { make } from "./elements.mjs";

// `stored` is given the promise of the state that a change leads to.
export function budgetField(t, stored) {
  let held = "";
  const input = make("input", {
    type: "number",
    min: 0,
    max: 1e6,
    step: "0.2",
    placeholder: t("noLimit"),
    "aria-label": t("budget"),
    title: t("budget"),
    onchange: () => {
      // What is no number has an empty value, as no limit has: it must not lift the one there is.
      if (input.validity.badInput) return input.reportValidity();
      const asked = ask("budget", { method: "POST", body: { daily_usd: Number(input.value) || 0 } });
      asked.catch(() => (input.value = held)); // what is shown is what holds
      stored(asked);
    },
  });
  const show = (state) => {
    held = state.daily_budget_usd || "";
    if (document.activeElement !== input) input.value = held;
    input.disabled = state.budget_is_fixed;
    if (state.budget_is_fixed) input.title = t("budgetFixed");
  };
  return { input, show };
}
