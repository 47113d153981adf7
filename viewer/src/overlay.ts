// People drawn over a frame. States differ by stroke, not only by colour: detected solid, recovered dashed,
// interpolated dotted, by hand with a white outline.

import { paleColour, textColour, trackColour } from "./colours";
import type { Person } from "./rows";
import { DETECTED, HUMAN, INTERPOLATED, RECOVERED, STATES, type HypothesesInfo, type JointSetInfo } from "./types";

export interface Layers {
  skeletons: boolean;
  boxes: boolean;
  names: boolean;
  trails: boolean;
  halo: boolean;
}

export interface Drawing {
  people: Person[];
  joints: JointSetInfo;
  /** Screen pixels for a pixel of the video. */
  scale: number;
  layers: Layers;
  minScore: number;
  selected: number | null;
  other: number | null;
  joint: number | null;
  alone: boolean;
  name: (track: number) => string;
  trail: (track: number) => [number, number][];
}

export const DASHES: Record<number, number[]> = { [DETECTED]: [], [RECOVERED]: [8, 5], [INTERPOLATED]: [2, 5], [HUMAN]: [] };

export function drawPeople(context: CanvasRenderingContext2D, d: Drawing): void {
  for (const person of d.people) {
    if (!isVisible(person, d)) continue;
    if (d.layers.trails) drawTrail(context, person, d);
  }
  for (const person of d.people) {
    if (!isVisible(person, d)) continue;
    context.globalAlpha = d.selected !== null && !d.alone && person.track !== d.selected && person.track !== d.other ? 0.75 : 1;
    if (d.layers.halo) drawHalo(context, person, d);
    if (d.layers.boxes || person.track === d.selected || person.track === d.other) drawBox(context, person, d);
    if (d.layers.skeletons) drawSkeleton(context, person, d);
    context.globalAlpha = 1;
  }
  if (d.layers.names) drawNames(context, d);
}

export function isVisible(person: Person, d: Pick<Drawing, "alone" | "selected" | "minScore">): boolean {
  if (d.alone && d.selected !== null) return person.track === d.selected;
  return person.score >= d.minScore || person.track === d.selected;
}

function drawTrail(context: CanvasRenderingContext2D, person: Person, d: Drawing): void {
  const points = d.trail(person.track);
  context.lineWidth = 2;
  context.lineCap = "round";
  for (let i = 1; i < points.length; i++) {
    context.strokeStyle = trackColour(person.track, 0.15 + 0.75 * (i / points.length));
    context.beginPath();
    context.moveTo(points[i - 1][0] * d.scale, points[i - 1][1] * d.scale);
    context.lineTo(points[i][0] * d.scale, points[i][1] * d.scale);
    context.stroke();
  }
}

function drawHalo(context: CanvasRenderingContext2D, person: Person, d: Drawing): void {
  for (let j = 0; j < person.x.length; j++) {
    const r = person.spread[j] * d.scale;
    if (!(r > 1) || Number.isNaN(person.x[j])) continue;
    context.fillStyle = trackColour(person.track, 0.22);
    context.strokeStyle = "rgba(255, 255, 255, 0.5)";
    context.lineWidth = 1;
    context.beginPath();
    context.arc(person.x[j] * d.scale, person.y[j] * d.scale, r, 0, 7);
    context.fill();
    context.stroke();
  }
}

function drawBox(context: CanvasRenderingContext2D, person: Person, d: Drawing): void {
  const [x1, y1, x2, y2] = person.box.map((v) => v * d.scale);
  const strong = person.track === d.selected || person.track === d.other;
  context.setLineDash([]);
  if (person.human || strong) {
    context.strokeStyle = strong ? "#fff" : "rgba(255, 255, 255, 0.9)";
    context.lineWidth = strong ? 5 : 4;
    context.strokeRect(x1, y1, x2 - x1, y2 - y1);
  } else {
    context.strokeStyle = "rgba(0, 0, 0, 0.45)";
    context.lineWidth = 3.5;
    context.setLineDash(DASHES[person.source] ?? []);
    context.strokeRect(x1, y1, x2 - x1, y2 - y1);
  }
  context.strokeStyle = trackColour(person.track);
  context.lineWidth = strong ? 2.5 : 2;
  context.setLineDash(DASHES[person.source] ?? []);
  context.strokeRect(x1, y1, x2 - x1, y2 - y1);
  context.setLineDash([]);
}

function drawSkeleton(context: CanvasRenderingContext2D, person: Person, d: Drawing): void {
  const { joints, limbs } = d.joints;
  const size = Math.max(1, Math.min(4, ((person.box[3] - person.box[1]) * d.scale) / 110));
  const present = (j: number) => !Number.isNaN(person.x[j]) && person.scores[j] >= Math.min(d.minScore, 0.9);
  context.lineCap = "round";
  for (const pass of [0, 1]) {
    for (const [a, b] of limbs) {
      if (!present(a) || !present(b)) continue;
      const right = joints[a].startsWith("right") || joints[b].startsWith("right");
      const faint = Math.min(person.scores[a], person.scores[b]);
      context.setLineDash(pass && person.source === INTERPOLATED ? [2 * size, 3 * size] : []);
      context.lineWidth = (pass ? 1.7 : 3.4) * size;
      const alpha = 0.35 + 0.65 * Math.min(1, faint * 1.6);
      context.strokeStyle = pass
        ? right ? paleColour(person.track, alpha) : trackColour(person.track, alpha)
        : "rgba(0, 0, 0, 0.5)";
      context.beginPath();
      context.moveTo(person.x[a] * d.scale, person.y[a] * d.scale);
      context.lineTo(person.x[b] * d.scale, person.y[b] * d.scale);
      context.stroke();
    }
  }
  context.setLineDash([]);
  const handles = person.track === d.selected;
  for (let j = 0; j < joints.length; j++) {
    if (Number.isNaN(person.x[j]) || (!present(j) && !handles)) continue;
    const chosen = handles && d.joint === j;
    context.beginPath();
    context.arc(person.x[j] * d.scale, person.y[j] * d.scale, chosen ? 7 : handles ? Math.max(4, 1.9 * size) : 1.6 * size, 0, 7);
    context.fillStyle = chosen ? "#fff" : joints[j].startsWith("right") ? paleColour(person.track) : trackColour(person.track);
    context.fill();
    const human = (person.human >>> j) & 1;
    context.lineWidth = chosen ? 3 : human ? 2 : 1;
    context.strokeStyle = chosen ? trackColour(person.track) : handles || human ? "#fff" : "rgba(0, 0, 0, 0.6)";
    context.stroke();
  }
}

/** Names above the boxes; where two would lie over each other the lower one gives way. */
function drawNames(context: CanvasRenderingContext2D, d: Drawing): void {
  context.font = "600 12px system-ui, sans-serif";
  context.textBaseline = "middle";
  const taken: [number, number, number, number][] = [];
  const people = d.people.filter((p) => isVisible(p, d)).sort((a, b) => a.box[1] - b.box[1]);
  for (const person of people) {
    const text = d.name(person.track);
    const width = context.measureText(text).width + 12 + 14;
    const height = 18;
    const x = Math.max(1, person.box[0] * d.scale);
    let y = Math.max(1, person.box[1] * d.scale - height - 2);
    for (let tries = 0; tries < 6; tries++) {
      const hit = taken.find(([a, b, w]) => a < x + width && x < a + w && b < y + height && y < b + height);
      if (!hit) break;
      y = hit[1] + height + 1;
    }
    taken.push([x, y, width, height]);
    context.fillStyle = trackColour(person.track);
    context.beginPath();
    context.roundRect(x, y, width, height, 4);
    context.fill();
    if (person.track === d.selected) {
      context.strokeStyle = "#fff";
      context.lineWidth = 2;
      context.stroke();
    }
    const ink = textColour(person.track);
    drawState(context, stateOf(person), x + 5, y + height / 2, 10, ink);
    context.fillStyle = ink;
    context.fillText(text, x + 19, y + height / 2 + 0.5);
  }
}

/** The sign of a state: a short line in the state's stroke; by hand is a ring. */
export function drawState(
  context: CanvasRenderingContext2D, source: number, x: number, y: number, width: number, colour: string,
): void {
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.lineCap = "butt";
  context.setLineDash(source === RECOVERED ? [4, 2] : source === INTERPOLATED ? [1.5, 2] : []);
  context.beginPath();
  if (source === HUMAN) context.arc(x + width / 2, y, 3.5, 0, 7);
  else {
    context.moveTo(x, y);
    context.lineTo(x + width, y);
  }
  context.stroke();
  context.setLineDash([]);
}

/** A row's state as it is shown: corrected by hand goes before where the pose came from. */
export const stateOf = (person: Person) => (person.human ? HUMAN : person.source);

export const stateName = (source: number) => STATES[source] ?? "?";

/**
 * The hypotheses of a person's joints (of one joint, where one is chosen), and the path that was chosen through them:
 * dots, paler the farther their keyframe is, a ring for each cluster, and the joint's way through the frames around.
 */
export function drawHypotheses(
  context: CanvasRenderingContext2D, found: HypothesesInfo, person: Person, scale: number, frame: number, joint: number | null,
): void {
  const all = joint === null ? person.x.length : joint + 1;
  const radius = Math.max(2, ((person.box[3] - person.box[1]) * 0.13) / 2) * scale; // half a head, as clustering takes it
  for (let j = joint ?? 0; j < all; j++) {
    context.lineWidth = 1.5;
    if (joint !== null) {
      context.strokeStyle = "rgba(255, 255, 255, 0.9)";
      context.beginPath();
      for (const each of found.path) {
        const at = each.xy[j];
        if (at) context.lineTo(at[0] * scale, at[1] * scale);
      }
      context.stroke();
      for (const each of found.path) {
        const at = each.xy[j];
        if (!at) continue;
        context.fillStyle = each.frame === frame ? "#fff" : trackColour(person.track);
        context.fillRect(at[0] * scale - 2, at[1] * scale - 2, 4, 4);
      }
    }
    for (const centre of clusters(found.poses.map((pose) => pose.xy[j]), radius / scale)) {
      context.strokeStyle = trackColour(person.track);
      context.setLineDash([3, 3]);
      context.beginPath();
      context.arc(centre[0] * scale, centre[1] * scale, radius, 0, 7);
      context.stroke();
      context.setLineDash([]);
    }
    for (const pose of found.poses) {
      const at = pose.xy[j];
      if (!at) continue;
      context.fillStyle = `rgba(255, 255, 255, ${Math.max(0.35, 1 - Math.abs(pose.keyframe - frame) / 8)})`;
      context.strokeStyle = "#000";
      context.lineWidth = 1;
      context.beginPath();
      context.arc(at[0] * scale, at[1] * scale, 2.5, 0, 7);
      context.fill();
      context.stroke();
    }
  }
}

/** Middles of groups of points that lie within a radius, the way mean shift finds them, near enough for a drawing. */
export function clusters(points: ([number, number] | null)[], radius: number): [number, number][] {
  const known = points.filter((p): p is [number, number] => p !== null);
  const centres: [number, number][] = [];
  for (const start of known) {
    let at = start;
    for (let k = 0; k < 20; k++) {
      const near = known.filter((p) => Math.hypot(p[0] - at[0], p[1] - at[1]) <= radius);
      at = [near.reduce((s, p) => s + p[0], 0) / near.length, near.reduce((s, p) => s + p[1], 0) / near.length];
    }
    if (!centres.some((c) => Math.hypot(c[0] - at[0], c[1] - at[1]) < radius / 2)) centres.push(at);
  }
  return centres;
}
