// The picture of a frame, exactly that frame. WebCodecs decodes it; every frame of the run must be in the file at the
// run's own time, or the file is not used. Where a browser has no WebCodecs, or not for this coding, a <video> element
// seeks, and says which frame it shows.

import type { VideoPlace } from "./access";
import { openIndex, type VideoIndex } from "./mp4";
import { blobReader, urlReader } from "./reader";
import { nearestFrame, within } from "./times";

/** What was drawn for a frame; `frame` is the one that was really decoded. */
export type Shown = (frame: number, picture: CanvasImageSource) => void;

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly kind: "webcodecs" | "element" | "none";
  /** Show a frame as soon as it can be; a later request replaces one that waits. */
  request(frame: number): void;
  /** Whether a request waits. */
  readonly busy: boolean;
  close(): void;
}

export class MismatchError extends Error {}

const CACHE_BYTES = 128 << 20;
const MOST_SIDE = 2560;
const GO_ON = 40; // frames: up to so far ahead decoding goes on instead of starting at a keyframe
const BACK = 24; // frames before a step back that are decoded and kept with it
const FEED = 6; // pieces in the decoder at once
const TOLERANCE = 0.0015; // seconds between the run's time of a frame and the container's

/** For each frame of the run its place in decoding order; throws where one is not in the file. */
export function match(index: VideoIndex, times: Float64Array, zero: number): Int32Array {
  const order = Uint32Array.from(index.time.keys());
  for (let i = 1; i < order.length; i++) {
    // Frames are coded near the place where they are shown, so inserting each is quicker than sorting all.
    const place = order[i];
    let j = i;
    for (; j > 0 && index.time[order[j - 1]] > index.time[place]; j--) order[j] = order[j - 1];
    order[j] = place;
  }
  const shown = Float64Array.from(order, (place) => index.time[place]);
  const places = new Int32Array(times.length);
  let before = -1;
  for (let i = 0; i < times.length; i++) {
    const found = shown.length ? nearestFrame(shown, times[i] - zero) : -1;
    const off = found < 0 ? Infinity : Math.abs(shown[found] + zero - times[i]);
    if (!(off <= TOLERANCE) || found <= before)
      throw new MismatchError(`the result has a frame at ${times[i].toFixed(4)} s, the file has none there`);
    places[i] = order[found];
    before = found;
  }
  return places;
}

export class DecodedPicture implements Picture {
  readonly kind = "webcodecs";
  readonly width: number;
  readonly height: number;
  private readonly cache = new Map<number, ImageBitmap>();
  private readonly capacity: number;
  private readonly frameOf = new Map<number, number>(); // microseconds, as the decoder is given them -> frame
  private decoder: VideoDecoder | null = null;
  private fed = 0; // place in decoding order that is fed next
  private next = -1; // no frame before this one will come out of the decoder any more
  private flushed = false;
  private began = 0; // the first frame that was to come out of the decoder
  private guessed = -1;
  private wake: () => void = () => {};
  private wanted = -1;
  private last = 0;
  private backwards = false;
  private running = false;
  private closed = false;
  private error: unknown = null;
  private readonly canvas: OffscreenCanvas;

  private constructor(
    private readonly index: VideoIndex,
    private readonly places: Int32Array,
    private readonly read: (start: number, length: number) => Promise<Uint8Array>,
    size: [number, number] | null,
    private readonly shown: Shown,
    private readonly failed: (error: unknown) => void,
  ) {
    [this.width, this.height] = size ?? [index.width, index.height];
    const scale = Math.min(1, MOST_SIDE / Math.max(this.width, this.height));
    this.canvas = new OffscreenCanvas(Math.round(this.width * scale), Math.round(this.height * scale));
    this.capacity = Math.max(6, Math.min(96, Math.floor(CACHE_BYTES / (this.canvas.width * this.canvas.height * 4))));
    for (const [frame, place] of places.entries()) this.frameOf.set(this.stamp(place), frame);
  }

  /**
   * Open a video whose frames are at `times` (seconds), less `zero`; `size` is that of the displayed picture. Throws
   * `MismatchError` where they are not.
   */
  static async open(
    place: VideoPlace, size: [number, number] | null, times: Float64Array, zero: number, shown: Shown, failed: (error: unknown) => void,
  ): Promise<DecodedPicture> {
    if (!("VideoDecoder" in window)) throw new Error("this browser has no WebCodecs");
    const read = place.blob ? blobReader(place.blob) : urlReader(place.url, place.headers);
    const index = await openIndex(read);
    const places = match(index, times, zero);
    if (!(await VideoDecoder.isConfigSupported(index.config)).supported) throw new Error(`this browser does not decode ${index.config.codec}`);
    return new DecodedPicture(index, places, read, size, shown, failed);
  }

  get busy(): boolean {
    return this.wanted >= 0;
  }

  request(frame: number): void {
    this.backwards = frame < this.last;
    this.last = this.wanted = frame;
    const cached = this.cache.get(frame);
    if (cached) {
      this.wanted = -1;
      this.cache.delete(frame); // to the end of the order
      this.cache.set(frame, cached);
      this.shown(frame, cached);
    }
    this.wake();
    if (!this.running) void this.decode();
  }

  /** Decode what is wanted; when nothing is, what the next steps will probably want. */
  private async decode(): Promise<void> {
    this.running = true;
    try {
      for (;;) {
        if (this.error) throw this.error;
        if (this.closed) return;
        const frame = this.wanted >= 0 ? this.wanted : this.guess();
        if (frame < 0) return;
        if (!this.decoder || frame < this.next || frame > this.next + GO_ON) {
          if (this.wanted < 0 && this.guessed === frame) return; // it did not come out the last time
          this.guessed = this.wanted < 0 ? frame : -1;
          this.restart(frame);
        }
        const decoder = this.decoder!;
        if (this.fed < this.index.size.length) {
          if (decoder.decodeQueueSize < FEED) await this.feed(decoder);
          else await this.wait();
        } else if (!this.flushed) {
          this.flushed = true;
          await decoder.flush().catch((error) => {
            if (decoder === this.decoder) throw error; // else it was closed on purpose
          });
        } else if (this.wanted === frame && !this.cache.has(frame)) {
          throw new MismatchError(`frame ${frame} cannot be decoded`);
        } else return;
      }
    } catch (error) {
      this.stop();
      this.wanted = -1;
      if (!this.closed) this.failed(error);
    } finally {
      this.running = false;
    }
  }

  private async feed(decoder: VideoDecoder): Promise<void> {
    const place = this.fed;
    const data = await this.read(this.index.offset[place], this.index.size[place]);
    if (decoder !== this.decoder || this.fed !== place) return; // somewhere else by now
    this.fed++;
    const type = this.index.key[place] ? "key" : "delta";
    decoder.decode(new EncodedVideoChunk({ type, timestamp: this.stamp(place), data }));
  }

  private wait(): Promise<void> {
    return new Promise((done) => {
      this.wake = done;
      this.decoder!.addEventListener("dequeue", () => done(), { once: true });
    });
  }

  private stamp(place: number): number {
    return Math.round(this.index.time[place] * 1e6);
  }

  private take(picture: VideoFrame): void {
    const frame = this.frameOf.get(picture.timestamp);
    if (frame === undefined || this.closed || frame < this.next) return picture.close(); // of no use: before the seek, or not of the run
    this.next = frame + 1;
    if (!this.cache.has(frame)) {
      this.draw(picture);
      this.cache.set(frame, this.canvas.transferToImageBitmap());
      for (const [old, bitmap] of this.cache) {
        if (this.cache.size <= this.capacity) break;
        if (old === this.wanted) continue;
        bitmap.close();
        this.cache.delete(old);
      }
    }
    picture.close();
    if (this.wanted === frame) {
      this.wanted = -1;
      this.shown(frame, this.cache.get(frame)!);
    } else if (this.wanted >= 0 && this.wanted < frame && this.wanted >= this.began && !this.cache.has(this.wanted)) {
      this.error = new MismatchError(`frame ${this.wanted} is damaged`);
    }
    this.wake();
  }

  private draw(picture: VideoFrame): void {
    const context = this.canvas.getContext("2d")!;
    const [w, h] = [this.canvas.width, this.canvas.height];
    const { rotation } = this.index;
    const turned = rotation === 90 || rotation === 270;
    context.setTransform(1, 0, 0, 1, w / 2, h / 2);
    context.rotate((rotation * Math.PI) / 180);
    const [pw, ph] = turned ? [h, w] : [w, h];
    context.drawImage(picture, -pw / 2, -ph / 2, pw, ph);
  }

  /** A frame that is worth decoding while nothing is wanted, or -1. */
  private guess(): number {
    const most = Math.min(12, this.capacity >> 2);
    if (this.backwards) {
      for (let i = this.last; i > Math.max(-1, this.last - most); i--) if (!this.cache.has(i)) return i;
      return -1;
    }
    const stop = Math.min(this.places.length, this.last + 1 + Math.min(4, most));
    for (let i = this.last + 1; i < stop; i++) if (!this.cache.has(i)) return i;
    return -1;
  }

  private restart(frame: number): void {
    this.stop();
    this.began = this.next = Math.max(0, frame - (this.backwards ? Math.min(BACK, this.capacity - 4) : 0));
    let place = this.places[this.next];
    const time = this.index.time[place];
    // Back to a keyframe that is not shown later than the frame: what is decoded after it but shown before it may lean
    // on frames before the keyframe.
    while (place > 0 && !(this.index.key[place] && this.index.time[place] <= time)) place--;
    this.fed = place;
    this.flushed = false;
    const decoder: VideoDecoder = new VideoDecoder({
      output: (picture) => (decoder === this.decoder ? this.take(picture) : picture.close()),
      error: (error) => {
        if (decoder !== this.decoder) return;
        this.error = error;
        this.wake();
      },
    });
    decoder.configure(this.index.config);
    this.decoder = decoder;
  }

  private stop(): void {
    const decoder = this.decoder;
    this.decoder = null;
    this.error = null;
    if (decoder && decoder.state !== "closed") decoder.close();
    this.wake();
  }

  close(): void {
    this.closed = true;
    this.stop();
    for (const bitmap of this.cache.values()) bitmap.close();
    this.cache.clear();
  }
}

export class ElementPicture implements Picture {
  readonly kind = "element";
  private wanted = -1;
  private presented = -1;
  private seeking = false;

  private constructor(
    private readonly element: HTMLVideoElement,
    private readonly times: Float64Array,
    private readonly zero: number,
    private readonly shown: Shown,
  ) {}

  static async open(
    place: VideoPlace, token: string, times: Float64Array, zero: number, shown: Shown,
  ): Promise<ElementPicture> {
    const element = document.createElement("video");
    element.muted = true;
    element.playsInline = true;
    element.preload = "auto";
    element.src = place.blob || !token ? place.url : `${place.url}?token=${encodeURIComponent(token)}`;
    await new Promise<void>((done, fail) => {
      element.addEventListener("loadeddata", () => done(), { once: true });
      element.addEventListener("error", () => fail(new Error("this browser cannot play the video")), { once: true });
    });
    return new ElementPicture(element, times, zero, shown);
  }

  get width(): number {
    return this.element.videoWidth;
  }

  get height(): number {
    return this.element.videoHeight;
  }

  get busy(): boolean {
    return this.wanted >= 0;
  }

  request(frame: number): void {
    this.wanted = frame;
    if (!this.seeking) this.seek();
  }

  private seek(): void {
    const frame = this.wanted;
    this.seeking = true;
    let settled = false;
    const done = (got: number) => {
      if (settled) return;
      settled = true;
      this.seeking = false;
      this.presented = got;
      if (this.wanted === frame) this.wanted = -1;
      this.shown(got, this.element);
      if (this.wanted >= 0) this.seek();
    };
    const composed = (_now: number, meta: VideoFrameCallbackMetadata) => {
      const got = nearestFrame(this.times, meta.mediaTime + this.zero);
      if (got === frame || this.wanted !== frame) done(got);
      else if (!settled) this.element.requestVideoFrameCallback(composed); // of an earlier seek
    };
    const says = "requestVideoFrameCallback" in this.element;
    if (says) this.element.requestVideoFrameCallback(composed);
    // No picture is composed anew where the frame is on the screen already; then there is nothing to wait for.
    const patience = says && frame !== this.presented ? 1500 : 30;
    this.element.addEventListener("seeked", () => setTimeout(() => done(frame), patience), { once: true });
    this.element.currentTime = Math.max(0, within(this.times, frame) - this.zero);
  }

  close(): void {
    this.element.removeAttribute("src");
    this.element.load();
  }
}

/** Where there is no video: frames without a picture, so that the poses can still be seen. */
export class BlankPicture implements Picture {
  readonly kind = "none";
  readonly busy = false;
  private readonly canvas = new OffscreenCanvas(2, 2);

  constructor(readonly width: number, readonly height: number, private readonly shown: Shown) {
    this.canvas.getContext("2d");
  }

  request(frame: number): void {
    this.shown(frame, this.canvas);
  }

  close(): void {}
}
