// What is spent today and this month, and the daily budget, which can be changed here.
import { ask } from "../client.mjs";
import { make } from "../elements.mjs";
import { money } from "../words.mjs";

export function moneyLine(t) {
  const today = make("b");
  const month = make("b");
  const budget = make("input", {
    type: "number",
    min: 0,
    max: 1e6,
    step: "0.2",
    placeholder: t("noLimit"),
    "aria-label": t("budget"),
    title: t("budget"),
    onchange: () => tell(ask("budget", { method: "POST", body: { daily_usd: Number(budget.value) || 0 } })),
  });
  const problem = make("p", { class: "vidu-problem", role: "alert" });

  const show = (state) => {
    today.textContent = money(state.today_usd);
    month.textContent = money(state.month_usd);
    budget.value = state.daily_budget_usd || "";
    budget.disabled = state.budget_is_fixed;
    if (state.budget_is_fixed) budget.title = t("budgetFixed");
    problem.textContent = "";
  };
  const tell = (asked) => asked.then(show, (error) => (problem.textContent = error.message));
  const refresh = () => tell(ask("state"));

  refresh();
  const cell = (label, value) => make("label", {}, make("span", {}, label), value);
  const element = make(
    "div",
    { class: "vidu-money" },
    cell(t("today"), today),
    cell(t("month"), month),
    cell(t("budgetShort"), make("span", { class: "vidu-budget" }, "$", budget)),
    problem,
  );
  return { element, refresh };
}
