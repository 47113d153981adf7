// All tracks on one canvas: a ruler, the suspects, and a lane for each track. A lane's height is the score; the strip
// below it is the state: solid where detected, dashed where recovered, dotted where interpolated, ringed where by hand.

import { trackColour } from "./colours";
import { clockText } from "./times";
import type { RunInfo, TrackInfo } from "./types";

const RULER = 22;
const MARKS = 16;
const LANE = 22;
const BAR = 12;
const TOP = RULER + MARKS;

export interface TimelineState {
  frame: number;
  selected: number | null;
  other: number | null;
  suspect: number;
  mark: [number | null, number | null];
  here: Set<number>;
}

interface Events {
  seek(frame: number): void;
  pick(track: number | null, frame: number, second: boolean): void;
  suspect(place: number): void;
  /** Another stretch of time is shown. */
  moved(): void;
}

export class Timeline {
  private readonly context: CanvasRenderingContext2D;
  private readonly lanesCanvas = document.createElement("canvas");
  private first = 0;
  private last = 1;
  private scroll = 0;
  private order: TrackInfo[] = [];
  private width = 1;
  private height = 1;
  private stale = true;
  private pending = false;
  private dragging: "seek" | "pan" | null = null;
  state: TimelineState = { frame: 0, selected: null, other: null, suspect: -1, mark: [null, null], here: new Set() };

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private run: RunInfo,
    private times: Float64Array,
    private entries: DataView,
    private readonly name: (track: number) => string,
    private readonly events: Events,
  ) {
    this.context = canvas.getContext("2d")!;
    new ResizeObserver(() => this.resize()).observe(canvas);
    canvas.addEventListener("pointerdown", (e) => this.down(e));
    canvas.addEventListener("pointermove", (e) => this.move(e));
    canvas.addEventListener("pointerup", () => (this.dragging = null));
    canvas.addEventListener("pointercancel", () => (this.dragging = null));
    canvas.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    this.setRun(run, times, entries);
    this.resize();
  }

  setRun(run: RunInfo, times: Float64Array, entries: DataView): void {
    const changed = run.frames !== this.run.frames || this.last <= 1;
    this.run = run;
    this.times = times;
    this.entries = entries;
    this.order = run.tracks;
    this.canvas.style.maxHeight = `${TOP + Math.max(2, run.tracks.length) * LANE + 4}px`;
    if (changed) [this.first, this.last] = [0, Math.max(1, run.frames)];
    this.clampScroll();
    this.redraw(true);
  }

  /** Width of the labels; time begins to the right of it. */
  get gutter(): number {
    return this.width < 520 ? 62 : 112;
  }

  private resize(): void {
    const box = this.canvas.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    this.width = Math.max(1, box.width);
    this.height = Math.max(1, box.height);
    for (const canvas of [this.canvas, this.lanesCanvas]) {
      canvas.width = Math.round(this.width * ratio);
      canvas.height = Math.round(this.height * ratio);
    }
    this.clampScroll();
    this.redraw(true);
  }

  redraw(lanes = false): void {
    this.stale ||= lanes;
    if (lanes) this.events.moved();
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.draw();
    });
  }

  /** Frames from one edge to the other. */
  zoom(factor: number, around = this.state.frame): void {
    const span = Math.min(this.run.frames, Math.max(20, (this.last - this.first) * factor));
    const share = Math.min(1, Math.max(0, (around - this.first) / (this.last - this.first)));
    this.first = Math.max(0, Math.min(this.run.frames - span, around - share * span));
    this.last = this.first + span;
    this.redraw(true);
  }

  fit(): void {
    [this.first, this.last] = [0, Math.max(1, this.run.frames)];
    this.redraw(true);
  }

  /** Bring the playhead, and the selected lane, into view. */
  follow(frame: number, lane: number | null = null): void {
    const span = this.last - this.first;
    if (frame < this.first || frame >= this.last) {
      this.first = Math.max(0, Math.min(this.run.frames - span, frame - span * 0.1));
      this.last = this.first + span;
      this.stale = true;
    }
    if (lane !== null) {
      const place = this.order.findIndex((track) => track.id === lane) * LANE;
      const room = this.height - TOP;
      if (place >= 0 && (place < this.scroll || place + LANE > this.scroll + room)) {
        this.scroll = place - room / 2;
        this.clampScroll();
        this.stale = true;
      }
    }
    this.redraw();
  }

  private clampScroll(): void {
    const most = Math.max(0, this.order.length * LANE - (this.height - TOP));
    this.scroll = Math.max(0, Math.min(most, this.scroll));
  }

  x(frame: number): number {
    return this.gutter + ((frame - this.first) / (this.last - this.first)) * (this.width - this.gutter);
  }

  frameOf(x: number): number {
    const frame = this.first + ((x - this.gutter) / (this.width - this.gutter)) * (this.last - this.first);
    return Math.max(0, Math.min(this.run.frames - 1, Math.floor(frame)));
  }

  private colour(name: string): string {
    return getComputedStyle(this.canvas).getPropertyValue(name).trim();
  }

  private draw(): void {
    const ratio = window.devicePixelRatio || 1;
    if (this.stale) {
      this.stale = false;
      const lanes = this.lanesCanvas.getContext("2d")!;
      lanes.setTransform(ratio, 0, 0, ratio, 0, 0);
      lanes.clearRect(0, 0, this.width, this.height);
      this.drawLanes(lanes);
      this.drawRuler(lanes);
    }
    const c = this.context;
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.clearRect(0, 0, this.canvas.width, this.canvas.height);
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.drawSelection(c);
    c.drawImage(this.lanesCanvas, 0, 0, this.width, this.height);
    this.drawLabels(c);
    this.drawSuspects(c);
    this.drawMarks(c);
    this.drawPlayhead(c);
  }

  private visible(): [number, number] {
    const from = Math.floor(this.scroll / LANE);
    return [from, Math.min(this.order.length, Math.ceil((this.scroll + this.height - TOP) / LANE) + 1)];
  }

  private drawLanes(c: CanvasRenderingContext2D): void {
    const line = this.colour("--line");
    const bins = this.run.bin_frames;
    c.save();
    c.beginPath();
    c.rect(0, TOP, this.width, this.height - TOP);
    c.clip();
    const [from, to] = this.visible();
    for (let i = from; i < to; i++) {
      const track = this.order[i];
      const y = TOP + i * LANE - this.scroll;
      c.fillStyle = line;
      c.fillRect(this.gutter, y + LANE - 1, this.width - this.gutter, 1);
      this.drawLane(c, track, y + 2, bins);
    }
    for (const cut of this.run.cuts) {
      const x = Math.round(this.x(cut)) + 0.5;
      if (x < this.gutter || x > this.width) continue;
      c.strokeStyle = this.colour("--muted");
      c.setLineDash([2, 3]);
      c.beginPath();
      c.moveTo(x, TOP);
      c.lineTo(x, this.height);
      c.stroke();
      c.setLineDash([]);
    }
    c.restore();
  }

  private drawLane(c: CanvasRenderingContext2D, track: TrackInfo, y: number, bins: number): void {
    const perBin = ((this.width - this.gutter) * bins) / (this.last - this.first);
    const low = this.search(track, Math.floor(this.first / bins));
    const strong = trackColour(track.id), soft = trackColour(track.id, 0.55), ink = this.colour("--ink");
    let column = -1, sources = 0, total = 0, count = 0, right = 0;
    const flush = () => {
      if (!count) return;
      const score = total / count / 255;
      const width = Math.max(1, right - column);
      const tall = 2 + (BAR - 2) * Math.min(1, score);
      c.fillStyle = soft;
      c.fillRect(column, y + BAR - tall, width, tall);
      c.fillStyle = strong;
      this.strip(c, column, y + BAR + 1, width, sources, ink);
      count = 0;
    };
    for (let e = low; e < track.end; e++) {
      const bin = this.entries.getUint32(e * 8, true);
      const start = this.x(bin * bins);
      if (start > this.width) break;
      const left = Math.max(this.gutter, perBin >= 1 ? Math.floor(start) : Math.floor(start));
      if (left !== column) {
        flush();
        [column, sources, total, count] = [left, 0, 0, 0];
      }
      sources |= this.entries.getUint8(e * 8 + 4);
      total += this.entries.getUint8(e * 8 + 5);
      count++;
      right = Math.max(left + 1, Math.floor(start + perBin));
    }
    flush();
  }

  private strip(c: CanvasRenderingContext2D, x: number, y: number, width: number, sources: number, ink: string): void {
    const dash = sources & 8 ? 0 : sources & 1 ? 0 : sources & 2 ? 7 : 5;
    const on = sources & 2 ? 4 : 2;
    if (!dash) c.fillRect(x, y, width, 4);
    else
      for (let p = x; p < x + width; ) {
        const phase = p % dash;
        if (phase < on) {
          const run = Math.min(on - phase, x + width - p);
          c.fillRect(p, y, run, 4);
          p += run;
        } else p += dash - phase;
      }
    if (sources & 8) {
      const before = c.fillStyle;
      c.fillStyle = ink;
      c.fillRect(x, y, width, 1);
      c.fillRect(x, y + 3, width, 1);
      c.fillStyle = before;
    }
  }

  private search(track: TrackInfo, bin: number): number {
    let low = track.begin, high = track.end;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.entries.getUint32(middle * 8, true) < bin) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private drawRuler(c: CanvasRenderingContext2D): void {
    c.fillStyle = this.colour("--muted");
    c.strokeStyle = this.colour("--line");
    c.font = "11px system-ui, sans-serif";
    c.textBaseline = "middle";
    c.textAlign = "left";
    const frames = this.last - this.first;
    const [t0, t1] = [this.times[Math.floor(this.first)], this.times[Math.min(this.run.frames, Math.ceil(this.last)) - 1]];
    const wish = ((t1 - t0) * 90) / Math.max(1, this.width - this.gutter);
    const steps = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
    const step = steps.find((s) => s >= wish) ?? 7200;
    for (let t = Math.ceil(t0 / step) * step; t <= t1; t += step) {
      const share = frames <= 1 ? 0 : this.frameNear(t);
      const x = Math.round(this.x(share)) + 0.5;
      if (x < this.gutter) continue;
      c.beginPath();
      c.moveTo(x, RULER - 6);
      c.lineTo(x, RULER);
      c.stroke();
      if (x < this.width - 36) c.fillText(clockText(t, step < 1 ? (step < 0.1 ? 2 : 1) : 0), x + 3, RULER / 2);
    }
    c.fillStyle = this.colour("--line");
    c.fillRect(0, TOP - 1, this.width, 1);
  }

  private frameNear(t: number): number {
    let low = 0, high = this.times.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle] < t - 1e-9) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private drawSelection(c: CanvasRenderingContext2D): void {
    const [from, to] = this.visible();
    for (let i = from; i < to; i++) {
      const id = this.order[i].id;
      if (id !== this.state.selected && id !== this.state.other) continue;
      c.fillStyle = this.colour("--pick");
      c.fillRect(0, TOP + i * LANE - this.scroll, this.width, LANE - 1);
    }
  }

  private drawLabels(c: CanvasRenderingContext2D): void {
    c.save();
    c.beginPath();
    c.rect(0, TOP, this.gutter, this.height - TOP);
    c.clip();
    c.font = "12px system-ui, sans-serif";
    c.textBaseline = "middle";
    c.textAlign = "left";
    const [ink, muted] = [this.colour("--ink"), this.colour("--muted")];
    const [from, to] = this.visible();
    for (let i = from; i < to; i++) {
      const track = this.order[i];
      const y = TOP + i * LANE - this.scroll + LANE / 2;
      c.fillStyle = trackColour(track.id);
      c.beginPath();
      c.roundRect(8, y - 5, 10, 10, 3);
      c.fill();
      c.fillStyle = this.state.here.has(track.id) ? ink : muted;
      c.font = `${track.id === this.state.selected ? "600 " : ""}12px system-ui, sans-serif`;
      c.fillText(this.name(track.id), 24, y, this.gutter - 28);
    }
    c.restore();
  }

  private drawSuspects(c: CanvasRenderingContext2D): void {
    c.font = "10px system-ui, sans-serif";
    if (this.gutter > 80) {
      c.fillStyle = this.colour("--muted");
      c.textBaseline = "middle";
      c.fillText(this.run.suspects.length ? "suspects" : "", 8, RULER + MARKS / 2);
    }
    const warn = this.colour("--warn");
    for (let i = this.run.suspects.length - 1; i >= 0; i--) {
      const suspect = this.run.suspects[i];
      const x = this.x(suspect.frame - this.run.first_frame + 0.5);
      if (x < this.gutter - 4 || x > this.width + 4) continue;
      const chosen = i === this.state.suspect;
      const size = chosen ? 6 : 3 + 2 * suspect.severity;
      const y = RULER + MARKS / 2;
      c.fillStyle = warn;
      c.globalAlpha = chosen ? 1 : suspect.settled ? 0.15 : 0.4 + 0.6 * suspect.severity;
      c.beginPath();
      c.moveTo(x, y - size);
      c.lineTo(x + size, y);
      c.lineTo(x, y + size);
      c.lineTo(x - size, y);
      c.fill();
      c.globalAlpha = 1;
      if (chosen) {
        c.strokeStyle = this.colour("--ink");
        c.lineWidth = 1.5;
        c.stroke();
      }
    }
  }

  private drawMarks(c: CanvasRenderingContext2D): void {
    const [a, b] = this.state.mark;
    if (a === null && b === null) return;
    const left = Math.max(this.gutter, this.x(a ?? 0)), right = Math.min(this.width, this.x((b ?? this.run.frames - 1) + 1));
    c.fillStyle = this.colour("--pick");
    c.fillRect(left, RULER, right - left, this.height - RULER);
    c.fillStyle = this.colour("--accent");
    c.fillRect(left, RULER - 3, right - left, 3);
  }

  private drawPlayhead(c: CanvasRenderingContext2D): void {
    const x = Math.max(this.gutter, this.x(this.state.frame + 0.5));
    if (x > this.width) return;
    c.fillStyle = c.strokeStyle = this.colour("--accent");
    c.lineWidth = 1.5;
    c.beginPath();
    c.moveTo(x, RULER - 4);
    c.lineTo(x, this.height);
    c.stroke();
    c.beginPath();
    c.moveTo(x - 6, 4);
    c.lineTo(x + 6, 4);
    c.lineTo(x + 6, RULER - 10);
    c.lineTo(x, RULER - 3);
    c.lineTo(x - 6, RULER - 10);
    c.fill();
  }

  private laneAt(y: number): TrackInfo | null {
    return y < TOP ? null : (this.order[Math.floor((y - TOP + this.scroll) / LANE)] ?? null);
  }

  private down(e: PointerEvent): void {
    const [x, y] = [e.offsetX, e.offsetY];
    this.canvas.setPointerCapture(e.pointerId);
    if (y >= RULER && y < TOP) {
      let best = -1, near = 9;
      this.run.suspects.forEach((s, i) => {
        const d = Math.abs(this.x(s.frame - this.run.first_frame + 0.5) - x);
        if (d < near) [best, near] = [i, d];
      });
      if (best >= 0) return this.events.suspect(best);
    }
    const lane = this.laneAt(y);
    if (e.button === 1 || (e.altKey && lane)) {
      this.dragging = "pan";
      return;
    }
    if (x < this.gutter) {
      if (lane) this.events.pick(lane.id, Math.max(lane.first, Math.min(lane.last, this.state.frame)), e.shiftKey);
      return;
    }
    this.dragging = "seek";
    if (lane && y > TOP) this.events.pick(lane.id, this.frameOf(x), e.shiftKey);
    else this.events.seek(this.frameOf(x));
  }

  private move(e: PointerEvent): void {
    if (this.dragging === "seek") this.events.seek(this.frameOf(e.offsetX));
    else if (this.dragging === "pan") this.pan(-e.movementX, -e.movementY);
    const lane = this.laneAt(e.offsetY);
    const text = lane
      ? `${this.name(lane.id)}: frames ${lane.first + this.run.first_frame} to ${lane.last + this.run.first_frame}, score ${lane.score.toFixed(2)}`
      : "";
    if (this.canvas.title !== text) this.canvas.title = text;
  }

  private pan(dx: number, dy: number): void {
    const span = this.last - this.first;
    const shift = (dx * span) / Math.max(1, this.width - this.gutter);
    this.first = Math.max(0, Math.min(this.run.frames - span, this.first + shift));
    this.last = this.first + span;
    this.scroll += dy;
    this.clampScroll();
    this.redraw(true);
  }

  private wheel(e: WheelEvent): void {
    e.preventDefault();
    if (e.ctrlKey || e.metaKey) this.zoom(Math.exp(e.deltaY * 0.004), this.frameOf(e.offsetX));
    else if (e.shiftKey) this.pan(e.deltaY, 0);
    else this.pan(e.deltaX, e.deltaY);
  }
}
