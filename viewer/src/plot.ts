// Angles and speed of the selected person under the video, in step with it.

import type { App } from "./app";
import { make } from "./dom";

interface Series {
  frame: number[];
  lines: { name: string; unit: string; values: (number | null)[]; sd?: (number | null)[] }[];
}

const SHADES = ["#0b84d8", "#d55e00", "#009e73", "#cc79a7", "#b08d00", "#7a5fd0", "#56b4e9", "#8a5f00"];

export class Plot {
  private series: Series | null = null;
  private track: number | null = null;
  private choice = 0;
  private readonly context: CanvasRenderingContext2D;
  private asked = 0;
  private legend: [number, number, number][] = [];

  constructor(private readonly canvas: HTMLCanvasElement, private readonly app: App) {
    this.context = canvas.getContext("2d")!;
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("pointerdown", (e) => {
      const hit = this.legend.find(([x, width]) => e.offsetY < 22 && e.offsetX >= x && e.offsetX < x + width);
      if (hit) {
        this.choice = hit[2];
        return this.draw();
      }
      this.seek(e.offsetX);
    });
    canvas.addEventListener("pointermove", (e) => {
      if (e.buttons) this.seek(e.offsetX);
    });
  }

  toggle(): void {
    this.canvas.hidden = !this.canvas.hidden;
    this.track = null;
    this.refresh();
  }

  private seek(x: number): void {
    if (this.series && this.app.timeline) this.app.seek(this.app.timeline.frameOf(x));
  }

  refresh(): void {
    const { selected } = this.app.look;
    if (this.canvas.hidden) return;
    const asked = ++this.asked;
    this.track = selected;
    this.series = null;
    this.draw();
    if (selected === null) return;
    this.app.access.json<Series>(`/api/series/${this.app.active.number}/${selected}`).then(
      (series) => {
        if (asked !== this.asked) return;
        this.series = series;
        this.choice = Math.min(this.choice, series.lines.length - 1);
        this.canvas.replaceChildren(make("p", {}, `Angles and speed of ${this.app.active.name(selected)}`));
        this.draw();
      },
      () => this.draw(),
    );
  }

  frameChanged(): void {
    if (!this.canvas.hidden) this.draw();
  }

  draw(): void {
    if (this.canvas.hidden) return;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    if (this.canvas.width !== Math.round(width * ratio)) this.canvas.width = Math.round(width * ratio);
    if (this.canvas.height !== Math.round(height * ratio)) this.canvas.height = Math.round(height * ratio);
    const c = this.context;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, width, height);
    const style = getComputedStyle(this.canvas);
    const [ink, muted, line, accent] = ["--ink", "--muted", "--line", "--accent"].map((n) => style.getPropertyValue(n).trim());
    c.font = "12px system-ui, sans-serif";
    c.textBaseline = "middle";
    c.fillStyle = muted;
    if (!this.series || !this.series.frame.length) {
      c.fillText(this.track === null ? "Select a person to see angles and speed." : "No angles here.", 12, height / 2);
      return;
    }
    const series = this.series;
    this.legend = [];
    let x = 12;
    for (const [i, one] of series.lines.entries()) {
      c.font = `${i === this.choice ? "600 " : ""}12px system-ui, sans-serif`;
      const w = c.measureText(one.name).width + 24;
      if (x + w > width) break;
      c.fillStyle = SHADES[i % SHADES.length];
      c.fillRect(x, 9, 10, i === this.choice ? 5 : 3);
      c.fillStyle = i === this.choice ? ink : muted;
      c.fillText(one.name, x + 14, 12);
      this.legend.push([x, w, i]);
      x += w + 6;
    }
    const timeline = this.app.timeline!; // the lanes below have the same axis
    const [left, right, top, bottom] = [timeline.gutter, width, 24, height - 8];
    const chosen = series.lines[this.choice];
    const kind = (name: string) => name.replace(/^(left|right) /, "");
    const shown = series.lines.map((one, i) => ({ one, i })).filter(({ one }) => kind(one.name) === kind(chosen.name));
    const values = shown.flatMap(({ one }) => one.values.filter((v): v is number => v !== null));
    const [low, high] = values.length ? [Math.min(...sample(values)), Math.max(...sample(values))] : [0, 1];
    const pad = Math.max(1e-6, (high - low) * 0.08);
    const first = this.app.active.run.first_frame;
    const px = (frame: number) => timeline.x(frame - first + 0.5);
    const py = (v: number) => bottom - ((v - low + pad) / (high - low + 2 * pad)) * (bottom - top);
    c.strokeStyle = line;
    c.lineWidth = 1;
    c.font = "11px system-ui, sans-serif";
    for (const v of [low, (low + high) / 2, high]) {
      c.beginPath();
      c.moveTo(left, py(v));
      c.lineTo(right, py(v));
      c.stroke();
      c.fillStyle = muted;
      c.textAlign = "right";
      c.fillText(`${v.toFixed(chosen.unit === "°" ? 0 : 1)}${chosen.unit === "°" ? "°" : ""}`, left - 5, py(v));
      c.textAlign = "left";
    }
    c.save();
    c.beginPath();
    c.rect(left, top - 4, right - left, height);
    c.clip();
    if (chosen.sd) {
      c.fillStyle = SHADES[this.choice % SHADES.length];
      c.globalAlpha = 0.2;
      const step = Math.max(1, px(series.frame[0] + 1) - px(series.frame[0]));
      for (let k = 0; k < series.frame.length; k++) {
        const [v, sd] = [chosen.values[k], chosen.sd[k]];
        if (v !== null && sd !== null) c.fillRect(px(series.frame[k]) - step / 2, py(v + sd), step, Math.max(1, py(v - sd) - py(v + sd)));
      }
      c.globalAlpha = 1;
    }
    for (const { one, i } of shown) {
      c.strokeStyle = SHADES[i % SHADES.length];
      c.globalAlpha = i === this.choice ? 1 : 0.35;
      c.lineWidth = i === this.choice ? 2 : 1;
      c.beginPath();
      let pen = false;
      let before = -Infinity;
      for (let k = 0; k < series.frame.length; k++) {
        const v = one.values[k];
        if (v === null) {
          pen = false;
          continue;
        }
        const at = px(series.frame[k]);
        if (pen && at - before < 0.3) continue;
        if (pen) c.lineTo(at, py(v));
        else c.moveTo(at, py(v));
        [pen, before] = [true, at];
      }
      c.stroke();
      c.globalAlpha = 1;
    }
    c.restore();
    const now = px(Math.max(0, this.app.active.frame) + first);
    if (now >= left && now <= right) {
      c.strokeStyle = accent;
      c.lineWidth = 1.5;
      c.beginPath();
      c.moveTo(now, top - 4);
      c.lineTo(now, bottom);
      c.stroke();
    }
  }
}

/** At most some thousands of the values: spreading more into a call is not allowed. */
function sample(values: number[]): number[] {
  const step = Math.ceil(values.length / 5000);
  return step === 1 ? values : values.filter((_, i) => i % step === 0);
}
