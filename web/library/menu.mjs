// A menu over everything else, through the Popover API: it closes by itself and is the tab's own.
import { icon, make } from "../elements.mjs";

export function openMenu(root, opener, actions) {
  const items = actions.map((action) =>
    make(
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
  const menu = make("div", { class: "vidu-menu", role: "menu", popover: "auto" }, ...items);
  menu.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    menu.remove();
    if (document.activeElement === document.body) opener.closest("[data-index]").focus();
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
