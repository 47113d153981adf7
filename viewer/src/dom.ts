// Small helpers for elements. Text goes in as text, never as markup: names come from people and files.

export const $ = <T extends HTMLElement = HTMLElement>(id: string): T => document.getElementById(id) as T;

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K, properties: Partial<Record<string, unknown>> = {}, ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (name === "class") element.className = String(value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value as EventListener);
    else if (name.startsWith("data-") || name.startsWith("aria-") || name === "role" || name === "for") element.setAttribute(name, String(value));
    else (element as unknown as Record<string, unknown>)[name] = value;
  }
  element.append(...children);
  return element;
}

export const icon = (name: string): SVGSVGElement => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
};

/** A line at the foot of the page, for a while; problems stay until they are closed. */
export function message(words: string, options: { bad?: boolean; action?: [string, () => void] } = {}): void {
  const place = $("messages");
  const element = make("div", { class: options.bad ? "message bad" : "message" }, make("span", {}, words));
  const close = () => element.remove();
  if (options.action) {
    const [name, act] = options.action;
    element.append(make("button", { onclick: () => (close(), act()) }, name));
  }
  if (options.bad) element.append(make("button", { onclick: close, "aria-label": "Close the message" }, "Close"));
  while (place.children.length > 2) place.firstChild!.remove();
  place.append(element);
  if (!options.bad) setTimeout(close, 6000);
}

export function speak(words: string): void {
  $("spoken").textContent = words;
}

/** Ask for one value; null where the dialog is cancelled. */
export function ask(title: string, field: HTMLInputElement | HTMLSelectElement, label: string, action: string): Promise<string | null> {
  const dialog = $<HTMLDialogElement>("ask");
  field.id = "ask-value";
  return new Promise((done) => {
    let answer: string | null = null;
    const form = make(
      "form", {
        onsubmit: (e: Event) => {
          e.preventDefault();
          answer = field.value;
          dialog.close();
        },
      },
      make("h2", { id: "ask-title" }, title),
      make("label", { for: "ask-value" }, label),
      field,
      make("div", { class: "ends" },
        make("button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
        make("button", { type: "submit", class: "primary" }, action)),
    );
    dialog.replaceChildren(form);
    dialog.addEventListener("close", () => done(answer), { once: true });
    dialog.showModal();
    field.focus();
    if (field instanceof HTMLInputElement) field.select();
  });
}
