// What is spent today and this month, and the daily budget, which can be changed here.
import { budgetField } from "../budget.mjs";
import { ask } from "../client.mjs";
import { make } from "../elements.mjs";
import { money } from "../words.mjs";

export function moneyLine(t) {
  const today = make("b");
  const month = make("b");
  const budget = budgetField(t, (asked) => tell(asked));
  const problem = make("p", { class: "vidu-problem", role: "alert" });

  const show = (state) => {
    today.textContent = money(state.today_usd);
    month.textContent = money(state.month_usd);
    budget.show(state);
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
    cell(t("budgetShort"), make("span", { class: "vidu-budget" }, "$", budget.input)),
    problem,
  );
  return { element, refresh };
}
