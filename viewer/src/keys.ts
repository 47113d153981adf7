// Every key, in one table: it is what keys do and what the help says.

import { $, make, icon } from "./dom";

export interface Key {
  keys: string[];
  shown: string[];
  about: string;
  act: () => void;
}

export type KeyGroups = Record<string, Key[]>;

/** The name of a key press: "Ctrl+z", "Shift+ArrowLeft", "?". */
export function keyName(e: KeyboardEvent): string {
  const printable = e.key.length === 1;
  const key = printable ? e.key.toLowerCase() : e.key;
  const parts = [];
  if (e.ctrlKey || e.metaKey) parts.push("Ctrl");
  if (e.altKey) parts.push("Alt");
  if (e.shiftKey && (!printable || /[a-z ]/.test(key))) parts.push("Shift");
  return [...parts, key].join("+");
}

export function listenToKeys(groups: KeyGroups): void {
  const table = new Map(Object.values(groups).flat().flatMap((key) => key.keys.map((name) => [name, key.act] as const)));
  window.addEventListener("keydown", (e) => {
    const target = e.target as HTMLElement;
    if (document.querySelector("dialog[open]")) return;
    const typing = target instanceof HTMLInputElement && target.type !== "range" && target.type !== "checkbox";
    if (typing || target instanceof HTMLSelectElement) {
      if (e.key === "Escape") target.blur();
      return;
    }
    const name = keyName(e);
    if (name === " " && (target instanceof HTMLButtonElement || (target instanceof HTMLInputElement && target.type === "checkbox"))) return;
    if (target instanceof HTMLInputElement && target.type === "range" && e.key.startsWith("Arrow")) return;
    const tab = target.getAttribute("role") === "tab";
    if (tab && e.key.startsWith("Arrow")) return;
    const act = table.get(name);
    if (!act) return;
    e.preventDefault();
    act();
  });
}

export function fillHelp(groups: KeyGroups): void {
  const dialog = $<HTMLDialogElement>("help");
  const lists = Object.entries(groups).map(([title, keys]) =>
    make("section", {},
      make("h3", {}, title),
      make("dl", {},
        ...keys.filter((key) => key.about).flatMap((key) => [
          make("dt", {}, ...key.shown.flatMap((name, i) => [...(i ? [" "] : []), make("kbd", {}, name)])),
          make("dd", {}, key.about),
        ]))));
  lists.push(
    make("section", {},
      make("h3", {}, "Pointer"),
      make("dl", {},
        ...[
          ["click", "select a person; drag a joint of the selected one to correct it"],
          ["shift click", "choose a second person, to swap or merge with"],
          ["double click", "zoom to a person; beside people: the whole picture"],
          ["wheel", "zoom the picture; over the lanes: scroll, with Ctrl zoom, with shift move"],
        ].flatMap(([name, about]) => [make("dt", {}, make("kbd", {}, name)), make("dd", {}, about)]))));
  dialog.replaceChildren(
    make("h2", { id: "help-title" }, "Keys",
      make("button", { class: "icon", "aria-label": "Close", onclick: () => dialog.close() }, icon("close"))),
    make("div", { class: "keys" }, ...lists));
  dialog.addEventListener("click", (e) => {
    if (e.target === dialog) dialog.close();
  });
}
