// Elements from plain values: what is given as text never becomes markup.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export const icon = (name) => make("i", { class: `pi pi-${name}`, "aria-hidden": "true" });

export const stylesheet = (file, besides) =>
  make("link", { rel: "stylesheet", href: new URL(file, besides).href });
