// Elements and menus, amounts and moments.
import { locale } from "./host.js";

// -- amounts and moments ----------------------------------------------------------------------

// US dollars with at least two decimals; a fraction of a tenth of a cent is rounded up.
export function money(usd) {
  const tenths = Math.ceil(Number((usd * 1000).toFixed(6)));
  const style = { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol" };
  return new Intl.NumberFormat(locale(), {
    ...style,
    minimumFractionDigits: 2,
    maximumFractionDigits: 3,
  }).format(tenths / 1000);
}

// An amount that is known between a least and a most: "$0.40", "up to $0.60", "$0.40, up to $0.60".
// No `most` is an amount that has no known end.
export function amountText({ least, most }, t) {
  if (most === null) return least ? t("badgeFrom", { price: money(least) }) : "$?";
  if (most - least < 1e-9) return money(most);
  if (!least) return t("badgeUpTo", { price: money(most) });
  return t("sumUpTo", { price: money(least), most: money(most) });
}

export function moment(seconds) {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return "";
  const year = date.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  const shape = { year, month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" };
  return new Intl.DateTimeFormat(locale(), shape).format(date);
}

// An amount as people type it: "2.50", "2,50", "$3". NaN where it can be read in two ways, as
// "1,000" can; an empty text is 0.
export function parseAmount(text) {
  const plain = text.replace(/[\s$\u00a0\u202f]/g, "");
  if (plain === "") return 0;
  if (!/^\d+([.,]\d{1,2})?$/.test(plain)) return NaN;
  return Number(plain.replace(",", "."));
}

// -- elements ---------------------------------------------------------------------------------

// An element from plain values: what is given as text never becomes markup.
export function createElement(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null && child !== false));
  return element;
}

export const icon = (name) => createElement("i", { class: `pi pi-${name}`, "aria-hidden": "true" });

// Goes into an element of ours, never into the shared document.
export const stylesheet = () =>
  createElement("link", { rel: "stylesheet", href: new URL("./vidu.css", import.meta.url).href });

// Keys pressed in `element` stay there: the editor would delete nodes with Delete. Escape goes on,
// for it closes the editor's dialogs.
export function keepKeys(element) {
  for (const kind of ["keydown", "keyup", "keypress", "copy", "cut", "paste"])
    element.addEventListener(kind, (event) => event.key !== "Escape" && event.stopPropagation());
}

// -- a menu over everything else, through the Popover API -------------------------------------

export function openMenu(root, opener, actions) {
  const items = actions.map((action) =>
    createElement(
      "button",
      {
        type: "button",
        role: "menuitem",
        class: action.danger && "vidu-danger",
        onclick: () => {
          menu.hidePopover();
          action.run();
        },
      },
      icon(action.icon),
      action.label,
    ),
  );
  const menu = createElement("div", { class: "vidu-menu", role: "menu", popover: "auto" }, ...items);
  menu.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    menu.remove();
    if (document.activeElement === document.body) opener.closest("[data-index]")?.focus();
  });
  menu.addEventListener("keydown", (event) => {
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    const at = items.indexOf(event.target);
    if (event.key in steps) items.at((at + steps[event.key]) % items.length).focus();
    // The editor has a use of its own for Escape, and would keep the menu open.
    else if (event.key === "Tab" || event.key === "Escape") menu.hidePopover();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  root.append(menu);
  menu.showPopover();
  const place = opener.getBoundingClientRect();
  const size = menu.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(place.right - 24, innerWidth - size.width - 8))}px`;
  menu.style.top = `${Math.max(8, Math.min(place.top + 24, innerHeight - size.height - 8))}px`;
  items[0].focus();
}
