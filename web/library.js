// The sidebar tab: money on top, then what is in progress, then every clip of the ledger.
import { onReconnect, request } from "./api.js";
import { refreshPrices } from "./badge.js";
import { clipCard, emptyCard, openClipMenu } from "./card.js";
import { ClipList } from "./list.js";
import { moneyLine } from "./settings.js";
import { loadTexts } from "./texts.js";
import { createElement, keepKeys, stylesheet } from "./ui.js";

const TYPING_PAUSE_MS = 200;
// What the clips are filtered by, and the text for it.
const STATES = { all: "all", saved: "filterSaved", unfinished: "unfinished", failed: "failures" };

export function openLibrary(element, jobs) {
  const closing = new AbortController();
  element.style.height = "100%";
  const root = createElement("section", { class: "vidu-library" }, stylesheet());
  element.replaceChildren(root);
  keepKeys(root);
  loadTexts().then((t) => closing.signal.aborted || fill(root, jobs, t, closing.signal));
  return () => closing.abort();
}

function fill(root, jobs, t, signal) {
  const status = createElement("p", { class: "vidu-said", role: "status" });
  const found = createElement("span", { class: "vidu-found", role: "status" });
  const note = createElement("div", { class: "vidu-note" });
  const money = moneyLine(t);
  const filters = filterLine(t, () => list.restart());
  const context = { t, root, changed, machines: () => filters.machines(), say: (text) => (status.textContent = text) };

  const list = new ClipList({
    label: t("clips"),
    empty: emptyCard,
    card: (clip) => clipCard(clip, context),
    menu: (clip, card) => openClipMenu(clip, card, context),
    remove: (_, card) => card.remove_?.(),
    load: async (offset, limit, abort) => {
      const query = new URLSearchParams({ ...filters.values(), offset, limit });
      if (!filters.known()) query.set("choices", "1");
      const page = await request(`clips?${query}`, { signal: abort });
      filters.offer(page);
      const text = t("found", { count: page.is_more ? `${page.total}+` : page.total });
      if (found.textContent !== text) found.textContent = text;
      note.replaceChildren(...(page.total ? [] : [createElement("p", {}, t(filters.nothing()))]));
      return page;
    },
    failed: (error) => {
      const retry = createElement("button", { type: "button", onclick: changed }, t("retry"));
      note.replaceChildren(createElement("p", { role: "alert" }, t.line(error.message)), retry);
    },
  });

  function changed() {
    filters.forget();
    list.refresh();
    money.refresh();
    refreshPrices(); // what was forgotten is paid for again, what was resumed is not
  }

  root.append(
    createElement("header", {}, createElement("h2", {}, "Vidu"), found),
    money.element,
    filters.element,
    jobSection(jobs, t, signal, changed),
    status,
    note,
    list.element,
  );
  onReconnect(changed, signal);
  list.start(signal);
}

function filterLine(t, changed) {
  let pause;
  let known = false;
  const later = () => {
    clearTimeout(pause);
    pause = setTimeout(changed, TYPING_PAUSE_MS);
  };
  const text = createElement("input", {
    type: "search",
    placeholder: t("search"),
    "aria-label": t("search"),
    oninput: later,
  });
  const choice = (label, options) =>
    createElement(
      "select",
      { "aria-label": label, onchange: changed },
      ...options.map(([value, name]) => createElement("option", { value }, name)),
    );
  const state = choice(t("show"), Object.entries(STATES).map(([value, name]) => [value, t(name)]));
  const more = { model: choice(t("model"), [["", t("allModels")]]), machine: choice(t("machine"), [["", t("allMachines")]]) };
  for (const select of Object.values(more)) select.hidden = true;
  const values = () => ({
    text: text.value,
    state: state.value,
    ...Object.fromEntries(Object.entries(more).map(([name, { value }]) => [name, value]).filter(([, value]) => value)),
  });
  return {
    element: createElement("div", { class: "vidu-filters", role: "search" }, text, state, more.model, more.machine),
    values,
    // A filter is there when it has something to tell apart.
    known: () => known,
    forget: () => (known = false),
    machines: () => more.machine.options.length - 1,
    offer: ({ models, machines = [] }) => {
      if (!models) return;
      known = true;
      for (const [name, options] of Object.entries({ model: models, machine: machines })) {
        const there = new Set([...more[name].options].map(({ value }) => value));
        for (const option of options) if (!there.has(option)) more[name].append(createElement("option", { value: option }, option));
        more[name].hidden = more[name].options.length < 3;
      }
    },
    nothing: () => (text.value || Object.keys(values()).length > 2 || state.value !== "all" ? "nothingFound" : "nothingYet"),
  };
}

// -- what is in progress: what it does, how far it is, for how many seconds --------------------

function jobSection(jobs, t, signal, changed) {
  const list = createElement("ul", { class: "vidu-jobs", "aria-label": t("inProgress") });
  const status = createElement("p", { class: "vidu-hidden", role: "status" });
  const key = (job) => job.fingerprint + (job.phase === "done");
  let before;
  let phases = new Set();

  const draw = () => {
    list.replaceChildren(...jobs.list.map((job) => jobRow(job, t)));
    // Read aloud when a phase changes, not each second.
    const news = jobs.list.filter((job) => !phases.has(job.fingerprint + job.phase));
    if (news.length) status.textContent = news.map((job) => `${job.prompt.slice(0, 40)}: ${t.line(job.text)}`).join(", ");
    phases = new Set(jobs.list.map((job) => job.fingerprint + job.phase));
    const now = jobs.list.map(key).join();
    if (before !== undefined && now !== before) changed();
    before = now;
  };

  jobs.addEventListener("change", draw, { signal });
  draw();
  return createElement("div", {}, list, status);
}

function jobRow(job, t) {
  const percent = Math.round(100 * job.fraction);
  // The others of its node may go on, and their time with them.
  const seconds = job.phase === "done" ? "" : t("seconds", { count: job.elapsed_s });
  return createElement(
    "li",
    { class: "vidu-job" },
    createElement("span", { class: "vidu-prompt", title: job.prompt }, job.prompt),
    createElement("span", { class: "vidu-doing" }, t.line(job.text)),
    createElement("span", { class: "vidu-seconds" }, seconds),
    createElement("progress", { max: 100, value: percent, "aria-label": job.prompt.slice(0, 80) }),
  );
}
