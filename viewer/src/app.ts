// The page: what is shown, what is selected, and what happens when something is clicked or a key is pressed.

import type { Access } from "./access";
import { Corrections } from "./corrections";
import { $, ask, make, message, speak } from "./dom";
import { fillHelp, listenToKeys, type KeyGroups } from "./keys";
import type { Layers } from "./overlay";
import { Pane, type Look } from "./pane";
import { Panels } from "./panels";
import { clockText, frameAt, nearestFrame } from "./times";
import { Timeline } from "./timeline";
import { STATES, type Session } from "./types";

const SPEEDS = [0.1, 0.25, 0.5, 1, 1.5, 2, 4, 8];
const LAYERS: [keyof Layers, string, string, string][] = [
  ["skeletons", "Skeleton", "K", "Skeletons"],
  ["boxes", "Box", "B", "Boxes: detected solid, recovered dashed, interpolated dotted, by hand ringed"],
  ["names", "Name", "N", "Names or numbers"],
  ["trails", "Trail", "T", "Where people came from"],
  ["halo", "Spread", "H", "How far the hypotheses of a joint disagree"],
];

export class App {
  readonly panes: Pane[] = [];
  active!: Pane;
  timeline: Timeline | null = null;
  readonly look: Look = {
    layers: { skeletons: true, boxes: true, names: true, trails: false, halo: false },
    minScore: 0, selected: null, other: null, joint: null, alone: false,
  };
  /** The frame that was asked for; the one on the screen is `active.frame`. */
  frame = 0;
  suspect = -1;
  mark: [number | null, number | null] = [null, null];
  playing = false;
  looping = false;
  speed = 1;
  private clock = { wall: 0, time: 0 };
  private readonly panels: Panels;
  private readonly corrections: Corrections;

  constructor(readonly access: Access, token: string, readonly session: Session) {
    for (const [number, run] of session.runs.entries()) {
      this.panes.push(new Pane(number, run, access, token, this.look, {
        shown: (pane) => this.shown(pane),
        pick: (pane, track, joint, second) => {
          this.activate(pane);
          this.pick(track, joint, second);
        },
        moved: (_pane, track, joint, xy) => void this.corrections.moveJoint(track, joint, xy),
        trouble: (words) => message(words, { bad: true }),
      }));
    }
    this.active = this.panes[0];
    this.corrections = new Corrections(this);
    this.panels = new Panels(this, this.corrections);
  }

  async open(): Promise<void> {
    const titles = this.session.runs.map((run) => run.name);
    $("title").textContent = titles.join("  |  ");
    document.title = `${titles.join(" | ")} – dettrack`;
    $("stages").append(...this.panes.map((pane) => pane.element));
    this.buildControls();
    this.buildKeys();
    this.showNotes();
    await Promise.all(this.panes.map((pane) => pane.loadTracks()));
    const { run, times, lanes } = this.active;
    if (this.panes.length > 1) this.panes.forEach((pane) => pane.setCaption(caption(pane)));
    this.timeline = new Timeline($<HTMLCanvasElement>("timeline"), run, times, lanes, (track) => this.active.name(track), {
      seek: (frame) => this.seek(frame),
      pick: (track, frame, second) => {
        this.pick(track, null, second);
        this.seek(frame);
      },
      suspect: (place) => this.goToSuspect(place),
      moved: () => this.panels.themeChanged(),
    });
    this.panels.refresh();
    this.showLength();
    if (!run.frames) return message(`${run.name}: there is no frame to show`, { bad: true });
    if (run.folder === null && !run.rows) message("No result beside this video. dettrack track makes one.");
    await Promise.all(this.panes.map((pane) => pane.load()));
    this.seek(0);
  }

  // --- time

  get times(): Float64Array {
    return this.active.times;
  }

  /** The frame that a person means: when paused, the one that was asked for, which may not be on the screen yet. */
  get here(): number {
    return this.playing ? this.active.frame : this.frame;
  }

  seek(frame: number, keepPlaying = false): void {
    if (this.playing && !keepPlaying) this.startClock(frame);
    this.frame = Math.max(0, Math.min(this.active.run.frames - 1, Math.round(frame) || 0));
    for (const pane of this.panes) pane.request(pane === this.active ? this.frame : this.matching(pane, this.frame));
  }

  /** The frame of another run at the same time. */
  private matching(pane: Pane, frame: number): number {
    return pane.times ? nearestFrame(pane.times, this.times[frame]) : 0;
  }

  step(by: number): void {
    this.pause();
    this.seek(this.frame + by);
  }

  toggle(): void {
    if (this.playing) this.pause();
    else this.play();
  }

  play(): void {
    const [from, to] = this.range;
    if (this.frame >= to || (this.looping && this.frame < from)) this.seek(from);
    this.playing = true;
    this.startClock(this.frame);
    this.showPlaying();
    requestAnimationFrame(() => this.tick());
  }

  pause(): void {
    if (!this.playing) return;
    this.playing = false;
    this.showPlaying();
    if (this.active.frame >= 0) this.seek(this.active.frame);
    this.announce();
  }

  private startClock(frame: number): void {
    this.clock = { wall: performance.now(), time: this.times[Math.max(0, Math.min(this.times.length - 1, frame))] };
  }

  /** First and last frame of what is played: the marked stretch, or everything. */
  private get range(): [number, number] {
    const last = this.active.run.frames - 1;
    return this.looping ? [this.mark[0] ?? 0, this.mark[1] ?? last] : [0, last];
  }

  private tick(): void {
    if (!this.playing) return;
    const [from, to] = this.range;
    const time = this.clock.time + ((performance.now() - this.clock.wall) / 1000) * this.speed;
    let frame = frameAt(this.times, time + 1e-6);
    if (frame >= to && time >= this.times[to] + (this.looping ? 0 : 0)) {
      if (this.looping) {
        frame = from;
        this.startClock(from);
      } else if (this.active.frame >= to) return this.pause();
      else frame = to;
    }
    if (!this.panes.some((pane) => pane.busy) && frame !== this.frame) this.seek(frame, true);
    requestAnimationFrame(() => this.tick());
  }

  /** Milliseconds from the call of the page to its first frame; 0 before. */
  firstFrame = 0;

  private shown(pane: Pane): void {
    if (pane !== this.active) return;
    this.firstFrame ||= performance.now();
    const frame = pane.frame;
    $("time").textContent = clockText(this.times[frame]);
    const field = $<HTMLInputElement>("frame");
    if (document.activeElement !== field) field.value = String(frame + pane.run.first_frame);
    const slider = $("timeline");
    slider.setAttribute("aria-valuenow", String(frame + pane.run.first_frame));
    slider.setAttribute("aria-valuetext", `frame ${frame + pane.run.first_frame}, ${clockText(this.times[frame])}`);
    this.refreshTimeline(true);
    this.panels.frameChanged();
    if (!this.playing) this.announceSoon();
  }

  private announceTimer = 0;

  private announceSoon(): void {
    clearTimeout(this.announceTimer);
    this.announceTimer = window.setTimeout(() => this.announce(), 500);
  }

  private announce(): void {
    const pane = this.active;
    if (pane.frame < 0) return;
    const people = pane.people.map((p) => pane.name(p.track)).join(", ");
    speak(`Frame ${pane.frame + pane.run.first_frame}, ${clockText(this.times[pane.frame])}: ${people || "nobody"}`);
  }

  refreshTimeline(follow = false): void {
    if (!this.timeline) return;
    const here = new Set(this.active.people.map((p) => p.track));
    const { selected, other } = this.look;
    this.timeline.state = { frame: this.active.frame, selected, other, suspect: this.suspect, mark: this.mark, here };
    if (follow) this.timeline.follow(Math.max(0, this.active.frame));
    else this.timeline.redraw();
  }

  // --- selection

  activate(pane: Pane): void {
    if (pane === this.active) return;
    this.frame = pane.frame;
    this.active = pane;
    this.look.selected = this.look.other = this.look.joint = null;
    this.timeline?.setRun(pane.run, pane.times, pane.lanes);
    this.panels.refresh();
    this.showLength();
    this.shown(pane);
  }

  pick(track: number | null, joint: number | null = null, second = false): void {
    const look = this.look;
    if (second && track !== null && look.selected !== null && track !== look.selected) look.other = look.other === track ? null : track;
    else {
      if (track !== look.selected) look.other = null;
      look.joint = track !== null && track === look.selected ? joint : null;
      look.selected = track;
      if (track === null) look.alone = false;
    }
    this.selectionChanged();
  }

  selectionChanged(): void {
    this.panes.forEach((pane) => pane.draw());
    this.timeline?.follow(Math.max(0, this.active.frame), this.look.selected);
    this.refreshTimeline();
    this.panels.selectionChanged();
  }

  /** The next person of the frame, from left to right. */
  private cycle(by: number): void {
    const people = [...this.active.people].sort((a, b) => a.box[0] + a.box[2] - b.box[0] - b.box[2]);
    if (!people.length) return;
    const at = people.findIndex((p) => p.track === this.look.selected);
    const next = at < 0 ? (by > 0 ? 0 : people.length - 1) : (at + by + people.length) % people.length;
    this.pick(people[next].track);
    speak(`${this.active.name(people[next].track)} selected`);
  }

  isolate(): void {
    if (this.look.selected === null) return message("Select a person first.");
    this.look.alone = !this.look.alone;
    this.panes.forEach((pane) => pane.draw());
    this.panels.selectionChanged();
  }

  toggleHypotheses(): void {
    const pane = this.active;
    if (this.look.selected === null) return message("Select a person first.");
    if (!pane.run.hypotheses) return message("This run kept no tracklets: dettrack track --save-tracklets keeps them.");
    pane.showHypotheses = !pane.showHypotheses;
    pane.draw();
    this.panels.selectionChanged();
  }

  zoomToSelected(): void {
    if (this.look.selected === null) return message("Select a person first.");
    this.active.zoomTo(this.look.selected);
  }

  escape(): void {
    if (this.look.other !== null) this.look.other = null;
    else if (this.look.alone) this.look.alone = false;
    else if (this.mark[0] !== null || this.mark[1] !== null) this.mark = [null, null];
    else return this.pick(null);
    this.selectionChanged();
  }

  setMark(end: 0 | 1): void {
    this.mark[end] = this.here;
    const [a, b] = this.mark;
    if (a !== null && b !== null && a > b) this.mark = end ? [null, b] : [a, null];
    this.refreshTimeline();
    this.panels.selectionChanged();
  }

  // --- suspects

  /** The next one (1) or the one before (-1) that no person has settled; of all where all are settled. */
  walkSuspects(way: number): void {
    const { suspects } = this.active.run;
    const count = suspects.length;
    let place = this.suspect < 0 && way < 0 ? 0 : this.suspect;
    if (suspects.every((suspect) => suspect.settled)) return this.goToSuspect(place + way);
    do place = (place + way + count) % count;
    while (suspects[place].settled);
    this.goToSuspect(place);
  }

  goToSuspect(place: number): void {
    const { suspects, first_frame } = this.active.run;
    if (!suspects.length) return message("This run has no suspects.");
    this.suspect = (place + suspects.length) % suspects.length;
    const suspect = suspects[this.suspect];
    this.pause();
    this.look.alone = false;
    const known = this.active.tracks;
    this.look.selected = known.has(suspect.track) ? suspect.track : null;
    this.look.other = suspect.other !== null && known.has(suspect.other) ? suspect.other : null;
    this.look.joint = null;
    this.seek(suspect.frame - first_frame);
    this.selectionChanged();
    this.panels.suspectChanged();
    speak(`Suspect ${suspect.rank}: ${suspect.reason}`);
  }

  // --- tracks after a correction

  /** Whether a correction is on its way. */
  get correcting(): boolean {
    return this.corrections.waiting;
  }

  async reload(): Promise<void> {
    const pane = this.active;
    await pane.loadTracks();
    this.timeline?.setRun(pane.run, pane.times, pane.lanes);
    if (this.look.selected !== null && !pane.tracks.has(this.look.selected)) this.look.selected = null;
    if (this.look.other !== null && !pane.tracks.has(this.look.other)) this.look.other = null;
    if (pane.frame >= 0) await pane.rows.ensure(pane.frame);
    this.panels.refresh();
    this.selectionChanged();
  }

  // --- controls

  private showLength(): void {
    const { run, times } = this.active;
    $("length").textContent = times.length ? ` / ${clockText(times[times.length - 1])}` : "";
    const field = $<HTMLInputElement>("frame");
    field.min = String(run.first_frame);
    field.max = String(run.first_frame + Math.max(0, run.frames - 1));
    const slider = $("timeline");
    slider.setAttribute("aria-valuemin", field.min);
    slider.setAttribute("aria-valuemax", field.max);
    slider.setAttribute("aria-valuenow", field.value);
  }

  private showPlaying(): void {
    const button = $("play");
    button.querySelector("use")!.setAttribute("href", this.playing ? "#i-pause" : "#i-play");
    button.setAttribute("aria-label", this.playing ? "Pause" : "Play");
  }

  private showNotes(): void {
    const notes = this.session.runs.flatMap((run) => [...(run.complete ? [] : [`${run.name}: the run did not come to its end`]), ...run.notes]);
    const button = $<HTMLButtonElement>("notes");
    button.hidden = !notes.length;
    button.textContent = notes.length === 1 ? "1 note" : `${notes.length} notes`;
    button.onclick = () => notes.forEach((note) => message(note));
  }

  setSpeed(speed: number): void {
    if (this.playing) this.startClock(this.frame);
    this.speed = speed;
    $<HTMLSelectElement>("speed").value = String(speed);
  }

  private faster(by: number): void {
    const at = SPEEDS.indexOf(this.speed);
    this.setSpeed(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, at + by))]);
  }

  toggleLoop(): void {
    this.looping = !this.looping;
    $("loop").setAttribute("aria-pressed", String(this.looping));
  }

  toggleLayer(layer: keyof Layers): void {
    this.look.layers[layer] = !this.look.layers[layer];
    $(`layer-${layer}`).setAttribute("aria-pressed", String(this.look.layers[layer]));
    this.panes.forEach((pane) => pane.draw());
  }

  private toggleTheme(): void {
    const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    try {
      localStorage.setItem("theme", next);
    } catch {
      /* no storage: for this page only */
    }
    this.timeline?.redraw(true);
    this.panels.themeChanged();
  }

  private async askFrame(): Promise<void> {
    const { run, frame } = this.active;
    const field = make("input", { type: "text", value: String(frame + run.first_frame), inputMode: "decimal" });
    const text = await ask("Go to", field, "Frame number, or a time such as 12.4s or 1:02.5", "Go");
    if (text === null) return;
    const time = /^(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)(s?)$/.exec(text.trim());
    if (!time) return message(`${text}: neither a frame nor a time`, { bad: true });
    const seconds = Number(time[1] ?? 0) * 3600 + Number(time[2] ?? 0) * 60 + Number(time[3]);
    const isTime = time[2] !== undefined || time[4] === "s" || time[3].includes(".");
    this.pause();
    this.seek(isTime ? frameAt(this.times, seconds + 1e-6) : Number(time[3]) - run.first_frame);
  }

  private buildControls(): void {
    $("play").onclick = () => this.toggle();
    $("back").onclick = () => this.step(-1);
    $("forward").onclick = () => this.step(1);
    $("loop").onclick = () => this.toggleLoop();
    $("fit").onclick = () => this.panes.forEach((pane) => pane.fit());
    $("theme").onclick = () => this.toggleTheme();
    $("help-open").onclick = () => this.help();
    $("undo").onclick = () => void this.corrections.undo();
    const speed = $<HTMLSelectElement>("speed");
    speed.append(...SPEEDS.map((s) => make("option", { value: String(s) }, `${s}×`)));
    speed.value = "1";
    speed.onchange = () => this.setSpeed(Number(speed.value));
    const field = $<HTMLInputElement>("frame");
    field.onchange = () => {
      this.pause();
      this.seek(Number(field.value) - this.active.run.first_frame);
    };
    const score = $<HTMLInputElement>("score");
    score.oninput = () => {
      this.look.minScore = Number(score.value);
      $("score-value").textContent = score.value;
      this.panes.forEach((pane) => pane.draw());
    };
    $("layers").append(...LAYERS.map(([layer, name, key, about]) =>
      make("button", {
        id: `layer-${layer}`, title: `${about} (${key})`, "aria-pressed": String(this.look.layers[layer]), onclick: () => this.toggleLayer(layer),
      }, name)));
    if (this.session.runs.some((run) => run.smooth)) {
      const button = make("button", { "aria-pressed": "false", title: "Smoothed positions instead of the raw ones" }, "Smooth");
      button.onclick = () => {
        const on = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(on));
        this.panes.forEach((pane) => (pane.rows.setSmooth(on), pane.draw()));
      };
      $("layers").append(button);
    }
    const exports = $<HTMLSelectElement>("export");
    $("exports").hidden = !this.access.writable || !this.session.runs.some((run) => run.rows);
    exports.append(...this.session.downloads.map((name) => make("option", { value: name }, name)));
    exports.onchange = () => {
      const format = exports.value;
      exports.value = "";
      this.access.download(this.active.number, format).then(
        () => message(`${format}: exported${this.active.run.edits.length ? ", corrections included" : ""}`),
        (error) => message(error.message, { bad: true }));
    };
    $("legend").append(
      ...STATES.map((name, i) => make("span", {}, make("i", { class: `s${i}` }), name)),
      make("span", {}, make("i", { class: "diamond" }), "suspect"),
      make("span", {}, "height of a lane: score"));
  }

  help(): void {
    $<HTMLDialogElement>("help").showModal();
  }

  private buildKeys(): void {
    const c = this.corrections;
    const key = (keys: string[], shown: string[], about: string, act: () => void) => ({ keys, shown, about, act });
    const groups: KeyGroups = {
      Play: [
        key([" "], ["space"], "play or pause", () => this.toggle()),
        key(["ArrowLeft", ","], ["←"], "one frame back", () => this.step(-1)),
        key(["ArrowRight", "."], ["→"], "one frame on", () => this.step(1)),
        key(["Shift+ArrowLeft"], ["shift ←"], "ten frames back", () => this.step(-10)),
        key(["Shift+ArrowRight"], ["shift →"], "ten frames on", () => this.step(10)),
        key(["Home"], ["home"], "first frame", () => this.step(-Infinity)),
        key(["End"], ["end"], "last frame", () => this.step(this.active.run.frames)),
        key(["<"], ["<"], "slower", () => this.faster(-1)),
        key([">"], [">"], "faster", () => this.faster(1)),
        key(["l"], ["L"], "repeat all, or the marked stretch", () => this.toggleLoop()),
        key(["g"], ["G"], "go to a frame or time", () => void this.askFrame()),
      ],
      Look: [
        key(["ArrowDown"], ["↓"], "next person of the frame", () => this.cycle(1)),
        key(["ArrowUp"], ["↑"], "person before", () => this.cycle(-1)),
        key(["a"], ["A"], "show the selected person alone", () => this.isolate()),
        key(["z"], ["Z"], "zoom to the selected person", () => this.zoomToSelected()),
        key(["+", "="], ["+"], "zoom in", () => this.active.zoomBy(1.25)),
        key(["-"], ["-"], "zoom out", () => this.active.zoomBy(0.8)),
        key(["0"], ["0"], "the whole picture, the whole time", () => (this.panes.forEach((p) => p.fit()), this.timeline?.fit())),
        ...LAYERS.map(([layer, , name, about]) => key([name.toLowerCase()], [name], about.split(":")[0].toLowerCase(), () => this.toggleLayer(layer))),
        key(["y"], ["Y"], "hypotheses of the selected person's joints, or of the chosen joint", () => this.toggleHypotheses()),
        key(["p"], ["P"], "plot of the selected person", () => this.panels.togglePlot()),
        key(["["], ["["], "suspect before", () => this.walkSuspects(-1)),
        key(["]"], ["]"], "next suspect", () => this.walkSuspects(1)),
        key(["d"], ["D"], "light or dark", () => this.toggleTheme()),
        key(["Escape"], ["esc"], "select nothing", () => this.escape()),
        key(["?"], ["?"], "this list", () => this.help()),
      ],
      "Correct the selected person": c.keys(),
    };
    fillHelp(groups);
    listenToKeys(groups);
  }
}

function caption(pane: Pane): string {
  const { name, folder } = pane.run;
  return folder ? `${folder.split(/[\\/]/).slice(-2).join("/")}` : name;
}
