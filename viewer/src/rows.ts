// The people of a frame, out of rows of fixed width that are fetched in chunks of frames.

import type { Access } from "./access";
import type { RunInfo } from "./types";

const CHUNK_BYTES = 256 * 1024;
const CHUNKS_KEPT = 48;
const NO_SPREAD = 65535;
const HEAD = 36;
const JOINT = 12;

/** One person in one frame; positions in displayed pixels, NaN where missing. */
export interface Person {
  track: number;
  box: [number, number, number, number];
  score: number;
  source: number;
  /** Bit j: joint j was placed or removed by a person. */
  human: number;
  x: Float32Array;
  y: Float32Array;
  scores: Float32Array;
  spread: Float32Array;
}

export class Rows {
  private index: Uint32Array;
  readonly framesPerChunk: number;
  private readonly chunks = new Map<number, ArrayBuffer | Promise<void>>();
  private readonly parsed = new Map<number, Person[]>();
  smooth = false;

  private constructor(
    private readonly access: Access,
    private readonly number: number,
    private readonly run: RunInfo,
    index: ArrayBuffer,
  ) {
    this.index = new Uint32Array(index);
    const perFrame = Math.max(1, (run.rows * run.row_bytes) / Math.max(1, run.frames));
    this.framesPerChunk = Math.max(8, Math.min(2048, 2 ** Math.round(Math.log2(CHUNK_BYTES / perFrame))));
  }

  static async open(access: Access, number: number, run: RunInfo): Promise<Rows> {
    return new Rows(access, number, run, await access.data(number, run.version, "index"));
  }

  /** Number of people in a frame; known without fetching anything. */
  count(frame: number): number {
    return frame >= 0 && frame < this.run.frames ? this.index[frame + 1] - this.index[frame] : 0;
  }

  /** The people of a frame; null while its chunk is on its way. */
  at(frame: number): Person[] | null {
    if (this.count(frame) === 0) return [];
    const known = this.parsed.get(frame);
    if (known) return known;
    const number = Math.floor(frame / this.framesPerChunk);
    const chunk = this.chunks.get(number);
    if (!(chunk instanceof ArrayBuffer)) return null;
    this.chunks.delete(number); // to the end of the order: the least recently used goes first
    this.chunks.set(number, chunk);
    const base = this.index[number * this.framesPerChunk];
    const people: Person[] = [];
    for (let row = this.index[frame]; row < this.index[frame + 1]; row++) people.push(this.parse(chunk, row - base));
    if (this.parsed.size > 512) this.parsed.delete(this.parsed.keys().next().value!);
    this.parsed.set(frame, people);
    return people;
  }

  /** The people of a frame, fetched if need be. */
  async ensure(frame: number): Promise<Person[]> {
    await this.fetchChunk(Math.floor(frame / this.framesPerChunk));
    return this.at(frame) ?? [];
  }

  /** Start fetching what playing on will need. */
  prefetch(frame: number): void {
    const number = Math.floor(frame / this.framesPerChunk);
    const last = Math.floor((this.run.frames - 1) / this.framesPerChunk);
    if (number < last) void this.fetchChunk(number + 1).catch(() => {});
  }

  private async fetchChunk(number: number): Promise<void> {
    const known = this.chunks.get(number);
    if (known instanceof ArrayBuffer) return;
    if (known) return known;
    const first = number * this.framesPerChunk;
    const stop = Math.min(this.run.frames, first + this.framesPerChunk);
    const [start, end] = [this.index[first] * this.run.row_bytes, this.index[stop] * this.run.row_bytes];
    const coming = this.access
      .data(this.number, this.run.version, "rows", start, end)
      .then((buffer) => {
        this.chunks.set(number, buffer);
        for (const [old, value] of this.chunks) {
          if (this.chunks.size <= CHUNKS_KEPT) break;
          if (value instanceof ArrayBuffer && old !== number) this.chunks.delete(old);
        }
      })
      .catch((error) => {
        this.chunks.delete(number);
        throw error;
      });
    this.chunks.set(number, coming);
    return coming;
  }

  private parse(chunk: ArrayBuffer, row: number): Person {
    const offset = row * this.run.row_bytes;
    const joints = this.run.joint_set.joints.length;
    const view = new DataView(chunk, offset, this.run.row_bytes);
    const x = new Float32Array(joints), y = new Float32Array(joints);
    const scores = new Float32Array(joints), spread = new Float32Array(joints);
    const smoothed = this.smooth && this.run.smooth ? HEAD + joints * JOINT : 0;
    for (let j = 0; j < joints; j++) {
      const at = HEAD + j * JOINT;
      const place = smoothed ? smoothed + j * 8 : at;
      x[j] = view.getFloat32(place, true);
      y[j] = view.getFloat32(place + 4, true);
      scores[j] = view.getUint16(at + 8, true) / 65535;
      const steps = view.getUint16(at + 10, true);
      spread[j] = steps === NO_SPREAD ? NaN : steps / 16;
    }
    return {
      track: view.getInt32(4, true),
      box: [view.getFloat32(8, true), view.getFloat32(12, true), view.getFloat32(16, true), view.getFloat32(20, true)],
      score: view.getFloat32(24, true),
      source: view.getUint8(28),
      human: view.getUint32(32, true),
      x, y, scores, spread,
    };
  }

  setSmooth(smooth: boolean): void {
    this.smooth = smooth;
    this.parsed.clear();
  }
}
