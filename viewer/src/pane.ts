// One run on the page: its picture, and its people over it. What is drawn over a picture always belongs to that picture.

import { ServerAccess, type Access } from "./access";
import { Unsupported } from "./mp4";
import { drawHypotheses, drawPeople, isVisible, type Drawing, type Layers } from "./overlay";
import { BlankPicture, DecodedPicture, ElementPicture, MismatchError, type Picture } from "./picture";
import { Rows, type Person } from "./rows";
import type { HypothesesInfo, RunInfo, TrackInfo } from "./types";

const TRAIL_FRAMES = 40;

export interface Look {
  layers: Layers;
  minScore: number;
  selected: number | null;
  other: number | null;
  joint: number | null;
  alone: boolean;
}

export interface PaneEvents {
  shown(pane: Pane): void;
  pick(pane: Pane, track: number | null, joint: number | null, second: boolean): void;
  moved(pane: Pane, track: number, joint: number, xy: [number, number]): void;
  trouble(words: string): void;
}

export class Pane {
  /** The frame that is on the screen; -1 before the first one. */
  frame = -1;
  rows!: Rows;
  times!: Float64Array;
  lanes!: DataView;
  picture: Picture | null = null;
  tracks = new Map<number, TrackInfo>();
  readonly element = document.createElement("div");
  private readonly pictureCanvas = document.createElement("canvas");
  private readonly overlay = document.createElement("canvas");
  private readonly caption = document.createElement("div");
  private readonly veil = document.createElement("div");
  private width = 0;
  private height = 0;
  private zoom = 1;
  private panX = 0;
  private panY = 0;
  private dirty = false;
  private drag: { kind: "pan" | "joint"; joint: number; x: number; y: number; moved: boolean } | null = null;
  private preview: { joint: number; x: number; y: number } | null = null;
  private readonly pointers = new Map<number, [number, number]>();

  constructor(
    readonly number: number,
    public run: RunInfo,
    private readonly access: Access,
    private readonly token: string,
    private readonly look: Look,
    private readonly events: PaneEvents,
  ) {
    this.element.className = "stage";
    this.overlay.className = "overlay";
    this.overlay.setAttribute("role", "img");
    this.overlay.setAttribute("aria-label", `Video ${run.name} with the people that were found`);
    this.caption.className = "caption";
    this.caption.hidden = true;
    this.veil.className = "veil";
    this.element.append(this.pictureCanvas, this.overlay, this.caption, this.veil);
    new ResizeObserver(() => this.resize()).observe(this.element);
    this.listen();
  }

  async load(): Promise<void> {
    this.veil.textContent = "";
    if (this.run.frames) await this.openPicture();
  }

  async loadTracks(): Promise<void> {
    const { run, access, number } = this;
    const [rows, lanes, times] = await Promise.all([
      Rows.open(access, number, run),
      access.data(number, run.version, "lanes"),
      access.data(number, run.version, "times"),
    ]);
    rows.smooth = this.rows?.smooth ?? false;
    [this.rows, this.lanes, this.times] = [rows, new DataView(lanes), new Float64Array(times)];
    this.tracks = new Map(run.tracks.map((track) => [track.id, track]));
  }

  name(track: number): string {
    return this.tracks.get(track)?.name || String(track);
  }

  private async openPicture(): Promise<void> {
    const { run, access, number } = this;
    const shown = (frame: number, picture: CanvasImageSource) => this.show(frame, picture);
    const failed = (error: unknown) => this.events.trouble(`${run.name}: ${String((error as Error)?.message ?? error)}`);
    const tries: ("file" | "copy")[] = run.video === "file" ? ["file", "copy"] : run.video === "copy" ? ["copy"] : [];
    for (const which of tries) {
      try {
        const place = await access.video(number, which, (done) => this.veilProgress("Preparing a copy that browsers can play", done));
        const zero = run.zero ?? (which === "copy" ? this.times[0] : 0);
        try {
          if (!place.blob && location.protocol === "file:") throw new Error("a page without a server cannot read beside itself");
          this.setPicture(await DecodedPicture.open(place, run.size, this.times, zero, shown, failed));
        } catch (error) {
          if (which === "file" && (error instanceof MismatchError || error instanceof Unsupported)) throw error;
          const token = access instanceof ServerAccess ? this.token : "";
          this.setPicture(await ElementPicture.open(place, token, this.times, zero, shown));
        }
        this.veil.hidden = true;
        return;
      } catch (error) {
        if (which === tries[tries.length - 1]) failed(error);
      }
    }
    const [width, height] = run.size ?? [1280, 720];
    this.setPicture(new BlankPicture(width, height, shown));
    this.veil.hidden = true;
    this.setCaption("the video was not found: dettrack view --video FILE names it");
  }

  private veilProgress(words: string, done: number): void {
    this.veil.hidden = false;
    let bar = this.veil.querySelector("progress");
    if (!bar) {
      const text = document.createElement("div");
      text.textContent = words;
      bar = document.createElement("progress");
      bar.setAttribute("aria-label", words);
      this.veil.replaceChildren(text, bar);
    }
    bar.value = done;
  }

  private setPicture(picture: Picture): void {
    this.picture?.close();
    this.picture = picture;
    [this.width, this.height] = this.run.size ?? [picture.width, picture.height];
    this.resize();
  }

  request(frame: number): void {
    this.picture?.request(Math.max(0, Math.min(this.run.frames - 1, frame)));
  }

  get busy(): boolean {
    return this.picture?.busy ?? false;
  }

  private show(frame: number, picture: CanvasImageSource): void {
    const [w, h] =
      picture instanceof HTMLVideoElement
        ? [picture.videoWidth, picture.videoHeight]
        : [(picture as ImageBitmap).width, (picture as ImageBitmap).height];
    if (this.pictureCanvas.width !== w || this.pictureCanvas.height !== h) {
      this.pictureCanvas.width = w;
      this.pictureCanvas.height = h;
    }
    this.pictureCanvas.getContext("2d")!.drawImage(picture, 0, 0, w, h);
    this.frame = frame;
    this.preview = null;
    if (this.rows.at(frame) === null) void this.rows.ensure(frame).then(() => this.draw()).catch((e) => this.events.trouble(String(e.message ?? e)));
    this.rows.prefetch(frame);
    this.draw();
    this.events.shown(this);
  }

  get people(): Person[] {
    return this.frame < 0 ? [] : (this.rows.at(this.frame) ?? []);
  }

  // --- where things are on the screen

  private get base(): number {
    const box = this.element.getBoundingClientRect();
    return Math.min(box.width / this.width, box.height / this.height) || 1;
  }

  private get scale(): number {
    return this.base * this.zoom;
  }

  private get origin(): [number, number] {
    const box = this.element.getBoundingClientRect();
    return [(box.width - this.width * this.scale) / 2 + this.panX, (box.height - this.height * this.scale) / 2 + this.panY];
  }

  private toVideo(x: number, y: number): [number, number] {
    const [ox, oy] = this.origin;
    return [(x - ox) / this.scale, (y - oy) / this.scale];
  }

  fit(): void {
    [this.zoom, this.panX, this.panY] = [1, 0, 0];
    this.place();
  }

  zoomBy(factor: number, x?: number, y?: number): void {
    const box = this.element.getBoundingClientRect();
    const [px, py] = [x ?? box.width / 2, y ?? box.height / 2];
    const [vx, vy] = this.toVideo(px, py);
    this.zoom = Math.max(1, Math.min(40, this.zoom * factor));
    if (this.zoom === 1) [this.panX, this.panY] = [0, 0];
    else {
      const [ox, oy] = this.origin;
      this.panX += px - (ox + vx * this.scale);
      this.panY += py - (oy + vy * this.scale);
    }
    this.place();
  }

  /** Fill the view with one person of the frame. */
  zoomTo(track: number): void {
    const person = this.people.find((p) => p.track === track);
    if (!person) return;
    const box = this.element.getBoundingClientRect();
    const [x1, y1, x2, y2] = person.box;
    this.zoom = Math.max(1, Math.min(12, (0.62 * Math.min(box.width / (x2 - x1), box.height / (y2 - y1))) / this.base));
    this.panX = ((this.width - x1 - x2) / 2) * this.scale;
    this.panY = ((this.height - y1 - y2) / 2) * this.scale;
    this.place();
  }

  private resize(): void {
    const box = this.element.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    this.overlay.width = Math.max(1, Math.round(box.width * ratio));
    this.overlay.height = Math.max(1, Math.round(box.height * ratio));
    this.place();
  }

  private place(): void {
    const [x, y] = this.origin;
    const style = this.pictureCanvas.style;
    style.width = `${this.width * this.scale}px`;
    style.height = `${this.height * this.scale}px`;
    style.transform = `translate(${x}px, ${y}px)`;
    style.imageRendering = this.scale > 6 ? "pixelated" : "auto";
    this.draw();
  }

  draw(): void {
    if (this.dirty) return;
    this.dirty = true;
    requestAnimationFrame(() => {
      this.dirty = false;
      this.paint();
    });
  }

  private drawing(people: Person[]): Drawing {
    return {
      ...this.look, people, joints: this.run.joint_set, scale: this.scale,
      name: (track) => this.name(track), trail: (track) => this.trail(track),
    };
  }

  private paint(): void {
    const context = this.overlay.getContext("2d")!;
    const ratio = window.devicePixelRatio || 1;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.overlay.width, this.overlay.height);
    if (this.frame < 0) return;
    const [x, y] = this.origin;
    // Whole numbers are pixel centres: half a pixel lies between them and the picture's edge.
    context.setTransform(ratio, 0, 0, ratio, (x + this.scale / 2) * ratio, (y + this.scale / 2) * ratio);
    let people = this.people;
    if (this.preview && this.look.selected !== null) {
      const { joint, x, y } = this.preview;
      people = people.map((p) => (p.track === this.look.selected ? withJoint(p, joint, x, y) : p));
    }
    drawPeople(context, this.drawing(people));
    this.paintHypotheses(context);
  }

  showHypotheses = false;
  private hypotheses: { key: string; found: HypothesesInfo | null } = { key: "", found: null };

  private paintHypotheses(context: CanvasRenderingContext2D): void {
    const person = this.people.find((p) => p.track === this.look.selected);
    if (!this.showHypotheses || !person) return;
    const key = `${this.run.version}/${this.frame}/${person.track}`;
    if (this.hypotheses.key !== key) {
      this.hypotheses = { key, found: null };
      const path = `/api/hypotheses/${this.number}/${this.frame + this.run.first_frame}/${person.track}`;
      this.access.json<HypothesesInfo>(path).then(
        (found) => {
          if (this.hypotheses.key !== key) return;
          this.hypotheses.found = found;
          this.draw();
        },
        (error) => {
          this.showHypotheses = false;
          this.events.trouble(error.message);
        });
    }
    const { found } = this.hypotheses;
    if (found) drawHypotheses(context, found, person, this.scale, this.frame + this.run.first_frame, this.look.joint);
  }

  /** Where the person's middle was in the frames before, as far as these are loaded. */
  private trail(track: number): [number, number][] {
    const points: [number, number][] = [];
    for (let f = Math.max(0, this.frame - TRAIL_FRAMES); f <= this.frame; f++) {
      const person = this.rows.at(f)?.find((p) => p.track === track);
      if (person) points.push([(person.box[0] + person.box[2]) / 2, person.box[3]]);
    }
    return points;
  }

  // --- pointer

  private hit(x: number, y: number): { track: number | null; joint: number | null } {
    const [vx, vy] = this.toVideo(x, y);
    const reach = 11 / this.scale;
    let best: { track: number | null; joint: number | null } = { track: null, joint: null };
    let least = Infinity;
    for (const person of this.people) {
      if (!isVisible(person, this.look)) continue;
      for (let j = 0; j < person.x.length; j++) {
        const d = Math.hypot(person.x[j] - vx, person.y[j] - vy) / (person.track === this.look.selected ? 1.5 : 1);
        if (d < reach && d < least) [best, least] = [{ track: person.track, joint: j }, d];
      }
    }
    if (best.track !== null) return best;
    let area = Infinity;
    for (const person of this.people) {
      const [x1, y1, x2, y2] = person.box;
      const size = (x2 - x1) * (y2 - y1);
      if (isVisible(person, this.look) && vx >= x1 && vx <= x2 && vy >= y1 && vy <= y2 && size < area)
        [best, area] = [{ track: person.track, joint: null }, size];
    }
    return best;
  }

  private listen(): void {
    const el = this.overlay;
    const at = (e: PointerEvent | WheelEvent | MouseEvent): [number, number] => {
      const box = el.getBoundingClientRect();
      return [e.clientX - box.left, e.clientY - box.top];
    };
    el.addEventListener("pointerdown", (e) => {
      const [x, y] = at(e);
      el.setPointerCapture(e.pointerId);
      this.pointers.set(e.pointerId, [x, y]);
      const hit = this.hit(x, y);
      const holds = this.access.writable && e.button === 0 && !e.shiftKey && hit.joint !== null && hit.track === this.look.selected;
      this.drag = { kind: holds && this.pointers.size === 1 ? "joint" : "pan", joint: hit.joint ?? -1, x, y, moved: false };
    });
    el.addEventListener("pointermove", (e) => {
      const [x, y] = at(e);
      if (this.pointers.size === 2 && this.pointers.has(e.pointerId)) return this.pinch(e.pointerId, x, y);
      if (!this.drag) {
        const hit = this.hit(x, y);
        el.style.cursor = hit.track === null ? (this.zoom > 1 ? "grab" : "default") : hit.joint !== null && hit.track === this.look.selected ? "move" : "pointer";
        return;
      }
      this.drag.moved ||= Math.hypot(x - this.drag.x, y - this.drag.y) > 4;
      if (!this.drag.moved) return;
      if (this.drag.kind === "joint") {
        const [vx, vy] = this.toVideo(x, y);
        this.preview = { joint: this.drag.joint, x: vx - 0.5, y: vy - 0.5 };
        this.draw();
      } else if (this.zoom > 1) {
        this.panX += x - this.drag.x;
        this.panY += y - this.drag.y;
        [this.drag.x, this.drag.y] = [x, y];
        this.place();
      }
    });
    const up = (e: PointerEvent) => {
      const [x, y] = at(e);
      const drag = this.drag;
      const pinching = this.pointers.size > 1;
      this.pointers.delete(e.pointerId);
      this.drag = null;
      if (!drag || pinching || e.type === "pointercancel") return;
      if (drag.kind === "joint" && drag.moved && this.preview && this.look.selected !== null) {
        this.events.moved(this, this.look.selected, drag.joint, [this.preview.x, this.preview.y]);
      } else if (!drag.moved) {
        const hit = this.hit(x, y);
        this.events.pick(this, hit.track, hit.joint, e.shiftKey);
      }
    };
    el.addEventListener("pointerup", up);
    el.addEventListener("pointercancel", up);
    el.addEventListener("wheel", (e) => {
      e.preventDefault();
      this.zoomBy(Math.exp(-e.deltaY * 0.0016), ...at(e));
    }, { passive: false });
    el.addEventListener("dblclick", (e) => {
      const hit = this.hit(...at(e));
      if (hit.track !== null) this.zoomTo(hit.track);
      else this.fit();
    });
  }

  private pinch(id: number, x: number, y: number): void {
    const [other] = [...this.pointers].filter(([key]) => key !== id).map(([, value]) => value);
    const before = this.pointers.get(id)!;
    const ratio = Math.hypot(x - other[0], y - other[1]) / Math.max(1, Math.hypot(before[0] - other[0], before[1] - other[1]));
    this.pointers.set(id, [x, y]);
    if (this.drag) this.drag.moved = true;
    this.zoomBy(ratio, (x + other[0]) / 2, (y + other[1]) / 2);
  }

  /** Draw the frame again as the tracks have it, after a correction that was refused. */
  seekAgain(): void {
    this.preview = null;
    this.draw();
  }

  setCaption(words: string): void {
    this.caption.textContent = words;
    this.caption.hidden = !words;
  }

  /** The pixels on the screen before zooming, for tests and for copying a frame. */
  get canvas(): HTMLCanvasElement {
    return this.pictureCanvas;
  }

  /** Where a joint, or the middle of the person, is on the page. */
  pagePoint(track: number, joint: number | null): [number, number] | null {
    const person = this.people.find((p) => p.track === track);
    if (!person) return null;
    const box = this.element.getBoundingClientRect();
    const [ox, oy] = this.origin;
    const x = joint === null ? (person.box[0] + person.box[2]) / 2 : person.x[joint];
    const y = joint === null ? (person.box[1] + person.box[3]) / 2 : person.y[joint];
    return [box.left + ox + (x + 0.5) * this.scale, box.top + oy + (y + 0.5) * this.scale];
  }
}

function withJoint(person: Person, joint: number, x: number, y: number): Person {
  const moved = { ...person, x: person.x.slice(), y: person.y.slice() };
  moved.x[joint] = x;
  moved.y[joint] = y;
  return moved;
}

/** The corrections that hold: those that no later one takes back. */
export function effective(run: RunInfo) {
  const undone = new Set<number>();
  for (let i = run.edits.length - 1; i >= 0; i--) {
    const edit = run.edits[i];
    if (edit.op === "undo" && !undone.has(edit.id)) undone.add(edit.undoes!);
  }
  return run.edits.filter((edit) => edit.op !== "undo" && !undone.has(edit.id));
}
