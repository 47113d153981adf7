// The lists beside the video: people, suspects, corrections; and what is known of the selected person.

import type { App } from "./app";
import { trackColour } from "./colours";
import type { Corrections } from "./corrections";
import { $, icon, make, message } from "./dom";
import { VirtualList } from "./list";
import { stateName, stateOf } from "./overlay";
import { effective } from "./pane";
import { Plot } from "./plot";
import { clockText } from "./times";
import type { Edit, Suspect, TrackInfo } from "./types";

const TABS = ["people", "suspects", "history"] as const;

export class Panels {
  private readonly people: VirtualList<TrackInfo>;
  private readonly suspects: VirtualList<Suspect>;
  private readonly history: VirtualList<Edit>;
  private readonly plot: Plot;
  private listed = "";

  constructor(private readonly app: App, private readonly corrections: Corrections) {
    this.people = new VirtualList($("people-list"), 34, (track) => this.personRow(track), "People");
    this.suspects = new VirtualList($("suspects-list"), 60, (suspect, i) => this.suspectRow(suspect, i), "Suspects, worst first");
    this.history = new VirtualList($("history-list"), 44, (edit) => this.editRow(edit), "Corrections, last first");
    this.plot = new Plot($<HTMLCanvasElement>("plot"), app);
    for (const name of TABS) {
      const tab = $(`tab-${name}`);
      tab.onclick = () => this.show(name);
      tab.onkeydown = (e) => {
        const by = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
        if (!by) return;
        const next = TABS[(TABS.indexOf(name) + by + TABS.length) % TABS.length];
        this.show(next);
        $(`tab-${next}`).focus();
      };
    }
    $("find").oninput = () => this.listPeople();
    $("here").onchange = () => this.listPeople();
    $("previous-suspect").onclick = () => app.walkSuspects(-1);
    $("next-suspect").onclick = () => app.walkSuspects(1);
  }

  show(name: (typeof TABS)[number]): void {
    for (const each of TABS) {
      const tab = $(`tab-${each}`);
      tab.setAttribute("aria-selected", String(each === name));
      tab.tabIndex = each === name ? 0 : -1;
      $(each).hidden = each !== name;
    }
    [this.people, this.suspects, this.history].forEach((list) => list.update(true));
  }

  refresh(): void {
    const { run } = this.app.active;
    $("tab-people").querySelector(".count")!.textContent = String(run.tracks.length);
    $("tab-suspects").querySelector(".count")!.textContent = String(run.suspects.filter((suspect) => !suspect.settled).length);
    const holding = effective(run).length;
    $("tab-history").querySelector(".count")!.textContent = String(holding);
    this.listed = "";
    this.listPeople();
    this.suspects.set(run.suspects);
    this.history.set(run.edits.filter((edit) => edit.op !== "undo").reverse());
    this.empty("suspects-list", !run.suspects.length, "No suspects: either all is clear, or the run was made before dettrack wrote them.");
    this.empty("history-list", !run.edits.length, "No corrections yet. Select a person; the keys are in the help (?).");
    this.corrections.showUndo();
    this.plot.refresh();
    this.inspector();
  }

  private empty(id: string, is: boolean, words: string): void {
    const place = $(id);
    place.querySelector(".empty")?.remove();
    if (is) place.append(make("p", { class: "empty" }, words));
  }

  private listPeople(): void {
    const { run, people } = this.app.active;
    const find = $<HTMLInputElement>("find").value.trim().toLowerCase();
    const here = $<HTMLInputElement>("here").checked ? new Set(people.map((p) => p.track)) : null;
    const shown = run.tracks.filter((track) =>
      (!here || here.has(track.id)) && (!find || String(track.id) === find || (track.name ?? "").toLowerCase().includes(find)));
    const key = shown.map((track) => track.id).join();
    if (key === this.listed) return this.people.update(false);
    this.listed = key;
    this.people.set(shown);
    this.empty("people-list", !shown.length,
      !run.tracks.length ? "No tracks in this result." : find ? "Nobody of that name or number." : "Nobody in this frame.");
  }

  frameChanged(): void {
    if ($<HTMLInputElement>("here").checked) this.listPeople();
    this.inspectorFacts();
    this.plot.frameChanged();
  }

  selectionChanged(): void {
    this.people.update(true);
    this.inspector();
    this.plot.refresh();
  }

  suspectChanged(): void {
    this.show("suspects");
    this.suspects.update(true);
    this.suspects.reveal(this.app.suspect);
  }

  /** Colours, or the stretch of time, are others. */
  themeChanged(): void {
    this.plot.draw();
  }

  togglePlot(): void {
    if (this.app.look.selected === null) return message("Select a person first.");
    this.plot.toggle();
    this.inspector();
  }

  private swatch(track: number): HTMLElement {
    const element = make("span", { class: "swatch" });
    element.style.background = trackColour(track);
    return element;
  }

  private personRow(track: TrackInfo): HTMLElement {
    const { app } = this;
    const { first_frame, frames } = app.active.run;
    const times = app.times;
    const seconds = times.length ? times[track.last] - times[track.first] : 0;
    return make("button", {
      class: "row", "data-key": `p${track.id}`, "aria-current": String(track.id === app.look.selected),
      title: `frames ${track.first + first_frame} to ${track.last + first_frame} of ${frames}`,
      onclick: (e: MouseEvent) => {
        app.pick(track.id, null, e.shiftKey);
        if (app.active.frame < track.first || app.active.frame > track.last) app.seek(track.first);
      },
    },
      this.swatch(track.id),
      make("span", { class: "name" }, app.active.name(track.id)),
      make("span", { class: "side" }, `${clockText(seconds, 1)}  ·  ${track.score.toFixed(2)}`));
  }

  private suspectRow(suspect: Suspect, place: number): HTMLElement {
    const { app } = this;
    const frame = suspect.frame - app.active.run.first_frame;
    return make("button", {
      class: "row", "data-key": `s${place}`, "aria-current": String(place === app.suspect), title: suspect.reason, onclick: () => app.goToSuspect(place),
    },
      make("span", { class: "rank" }, suspect.settled ? "✓" : String(suspect.rank)),
      make("span", { class: suspect.settled ? "name three gone" : "name three" }, suspect.settled ? `${suspect.reason} (settled)` : suspect.reason),
      make("span", { class: "side" }, clockText(app.times[frame] ?? 0)));
  }

  private editRow(edit: Edit): HTMLElement {
    const holds = effective(this.app.active.run).some((each) => each.id === edit.id);
    const words = this.corrections.describe(edit);
    const row = make("div", { class: "row" },
      make("span", { class: holds ? "name two" : "name two gone", title: `${edit.by}, ${edit.time}` }, words));
    if (holds && this.app.access.writable)
      row.append(make("button", { "data-key": `e${edit.id}`, onclick: () => void this.corrections.undo(edit.id), "aria-label": `Undo: ${words}` }, "Undo"));
    else row.append(make("span", { class: "side" }, holds ? "" : "undone"));
    return row;
  }

  // --- the selected person

  private inspector(): void {
    const { app } = this;
    const place = $("inspector");
    const track = app.look.selected === null ? undefined : app.active.tracks.get(app.look.selected);
    place.hidden = !track;
    if (!track) return place.replaceChildren();
    const c = this.corrections;
    const action = (name: string, key: string, act: () => unknown, extra: object = {}) =>
      make("button", { onclick: () => void act(), ...extra }, name, make("kbd", { "aria-hidden": "true" }, key));
    const other = app.look.other === null ? "…" : ` ${app.active.name(app.look.other)}`;
    const joint = app.look.joint === null ? null : app.active.run.joint_set.joints[app.look.joint].replace("_", " ");
    const marked = app.mark[0] !== null || app.mark[1] !== null;
    const corrections = [
      action(`Swap with${other}`, "S", () => c.swap()),
      action(`Merge${app.look.other === null ? "…" : other}`, "M", () => c.merge()),
      action("Split here", "X", () => c.split()),
      action("Rename…", "R", () => c.rename()),
      action(marked ? "Flip stretch" : "Flip sides", "F", () => c.flip()),
      action("Mark bad", "W", () => c.markBad(), { disabled: !marked, title: "Joints of the marked stretch become missing; I and O mark one" }),
      action("Confirm", "C", () => c.confirm(), { title: "The person is right in this frame; a suspect here is settled", class: "wide" }),
      ...(joint ? [action(`Remove ${joint}`, "⌫", () => c.dropJoint(), { class: "wide" })] : []),
      action(marked ? "Delete stretch" : "Delete", "del", () => c.remove(), { class: "danger wide" }),
    ];
    place.replaceChildren(
      make("h2", {}, this.swatch(track.id), app.active.name(track.id),
        make("button", { class: "icon", "aria-label": "Select nothing", onclick: () => app.pick(null) }, icon("close"))),
      make("p", { class: "facts", id: "facts" }),
      make("div", { class: "actions" },
        action("Alone", "A", () => app.isolate(), { "aria-pressed": String(app.look.alone) }),
        action("Zoom", "Z", () => app.zoomToSelected()),
        action("Plot", "P", () => this.togglePlot(), { "aria-pressed": String(!$("plot").hidden) }),
        action("Hypotheses", "Y", () => app.toggleHypotheses(), { "aria-pressed": String(app.active.showHypotheses), disabled: !app.active.run.hypotheses }),
        ...(app.access.writable && app.active.run.folder !== null ? corrections : [])));
    this.inspectorFacts();
  }

  private inspectorFacts(): void {
    const place = document.getElementById("facts");
    const { app } = this;
    const track = app.look.selected === null ? undefined : app.active.tracks.get(app.look.selected);
    if (!place || !track) return;
    const { first_frame } = app.active.run;
    const person = app.active.people.find((p) => p.track === track.id);
    const now = person ? `${stateName(stateOf(person))}, score ${person.score.toFixed(2)}` : "not in this frame";
    place.textContent = `${now}  ·  frames ${track.first + first_frame} to ${track.last + first_frame}, ${track.rows} poses`;
  }
}
