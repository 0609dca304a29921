// The sidebar tab: money on top, then what is on its way, then every clip of the ledger.
import { actionsFor } from "./actions.mjs";
import { clipCard, emptyCard } from "./card.mjs";
import { liveSection } from "./jobs.mjs";
import { openMenu } from "./menu.mjs";
import { moneyLine } from "./money.mjs";
import { ClipList } from "./list.mjs";
import { ask } from "../client.mjs";
import { make, stylesheet } from "../elements.mjs";
import { loadWords } from "../words.mjs";

const TYPING_PAUSE_MS = 200;
// What the clips are shown by, and the word for it.
const GROUPS = { all: "all", saved: "saved", unfinished: "unfinished", failed: "failures" };

export function openLibrary(element, live) {
  const closing = new AbortController();
  element.style.height = "100%";
  const root = make("section", { class: "vidu-library" }, stylesheet("./library.css", import.meta.url));
  element.replaceChildren(root);
  loadWords().then((t) => closing.signal.aborted || fill(root, live, t, closing.signal));
  return () => closing.abort();
}

function fill(root, live, t, signal) {
  const said = make("p", { class: "vidu-said", role: "status" });
  const found = make("span", { class: "vidu-found", role: "status" });
  const money = moneyLine(t);
  const filters = filterLine(t, () => list.restart());
  const context = { t, root, live, changed, say: (words) => (said.textContent = words) };

  const list = new ClipList({
    label: t("clips"),
    empty: emptyCard,
    card: (clip) => clipCard(clip, context, () => actionsFor(clip, context)),
    menu: (clip, card) => openMenu(root, card, actionsFor(clip, context)),
    load: async (offset, limit, abort) => {
      const query = new URLSearchParams({ ...filters.values(), offset, limit });
      const page = await ask(`clips?${query}`, { signal: abort });
      const words = page.total ? t("found", { count: page.total }) : t(filters.nothing());
      if (found.textContent !== words) found.textContent = words;
      return page;
    },
    failed: (error) => (found.textContent = error.message),
  });

  function changed() {
    list.refresh();
    money.refresh();
  }

  root.append(
    make("header", {}, make("h2", {}, "Vidu"), found),
    money.element,
    filters.element,
    liveSection(live, t, signal, changed),
    said,
    list.element,
  );
  list.start(signal);
}

function filterLine(t, changed) {
  let pause;
  const later = () => {
    clearTimeout(pause);
    pause = setTimeout(changed, TYPING_PAUSE_MS);
  };
  const text = make("input", {
    type: "search",
    placeholder: t("search"),
    "aria-label": t("search"),
    oninput: later,
  });
  const options = Object.entries(GROUPS).map(([value, word]) => make("option", { value }, t(word)));
  const group = make("select", { "aria-label": t("show"), onchange: changed }, ...options);
  return {
    element: make("div", { class: "vidu-filters", role: "search" }, text, group),
    values: () => ({ text: text.value, group: group.value }),
    nothing: () => (text.value || group.value !== "all" ? "nothingFound" : "nothingYet"),
  };
}
