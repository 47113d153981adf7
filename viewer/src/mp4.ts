// The index of an MP4 or QuickTime file (ISO/IEC 14496-12): where each frame's bytes are, and when it is shown. Only what
// cameras, phones and encoders write; anything else is refused, and the server's copy, which is of this kind, is taken.

export class Unsupported extends Error {}

/** Reads `length` bytes at `start`; fewer at the end of the file. */
export type Read = (start: number, length: number) => Promise<Uint8Array>;

export interface VideoIndex {
  width: number;
  height: number;
  /** Degrees clockwise from the coded to the displayed picture. */
  rotation: 0 | 90 | 180 | 270;
  config: VideoDecoderConfig;
  /** In decoding order. */
  offset: Float64Array;
  size: Uint32Array;
  /** Presentation time in seconds. */
  time: Float64Array;
  /** Whether decoding can begin here. */
  key: Uint8Array;
}

interface Box {
  type: string;
  start: number;
  end: number;
}

const MOST_INDEX = 256 << 20;

class Bytes {
  private readonly view: DataView;

  constructor(readonly data: Uint8Array) {
    this.view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  u8 = (at: number) => this.view.getUint8(at);
  u16 = (at: number) => this.view.getUint16(at);
  u32 = (at: number) => this.view.getUint32(at);
  i32 = (at: number) => this.view.getInt32(at);
  u64 = (at: number) => Number(this.view.getBigUint64(at));
  i64 = (at: number) => Number(this.view.getBigInt64(at));
  text = (at: number, length: number) => String.fromCharCode(...this.data.subarray(at, at + length));

  boxes(from: number, to: number): Box[] {
    const found: Box[] = [];
    for (let at = from; at + 8 <= to; ) {
      let size = this.u32(at);
      let head = 8;
      if (size === 1) [size, head] = [this.u64(at + 8), 16];
      if (size === 0) size = to - at;
      if (size < head || at + size > to) break;
      found.push({ type: this.text(at + 4, 4), start: at + head, end: at + size });
      at += size;
    }
    return found;
  }

  child(parent: Box, ...path: string[]): Box | undefined {
    let box: Box | undefined = parent;
    for (const type of path) box = box && this.boxes(box.start, box.end).find((each) => each.type === type);
    return box;
  }

  need(parent: Box, ...path: string[]): Box {
    const box = this.child(parent, ...path);
    if (!box) throw new Unsupported(`no ${path.join("/")} in the file's index`);
    return box;
  }
}

async function readIndex(read: Read): Promise<Bytes> {
  for (let at = 0, count = 0; count < 64; count++) {
    const head = new Bytes(await read(at, 16));
    if (head.data.length < 8) break;
    const type = head.text(4, 4);
    let size = head.u32(0);
    if (size === 1 && head.data.length >= 16) size = head.u64(8);
    if (type === "moof") throw new Unsupported("a fragmented file");
    if (type === "moov") {
      if (size > MOST_INDEX) throw new Unsupported("its index is too large");
      return new Bytes(await read(at, size || MOST_INDEX));
    }
    if (size < 8) break;
    at += size;
  }
  throw new Unsupported("no MP4 or QuickTime file");
}

export async function openIndex(read: Read): Promise<VideoIndex> {
  const b = await readIndex(read);
  const moov = b.boxes(0, b.data.length)[0];
  if (b.child(moov, "mvex")) throw new Unsupported("a fragmented file");
  const mvhd = b.need(moov, "mvhd");
  const movieScale = b.u32(mvhd.start + (b.u8(mvhd.start) ? 20 : 12));
  for (const trak of b.boxes(moov.start, moov.end).filter((box) => box.type === "trak")) {
    const handler = b.child(trak, "mdia", "hdlr");
    if (handler && b.text(handler.start + 8, 4) === "vide") return readTrack(b, trak, movieScale);
  }
  throw new Unsupported("no video in the file");
}

function readTrack(b: Bytes, trak: Box, movieScale: number): VideoIndex {
  const mdhd = b.need(trak, "mdia", "mdhd");
  const scale = b.u32(mdhd.start + (b.u8(mdhd.start) ? 20 : 12));
  const stbl = b.need(trak, "mdia", "minf", "stbl");
  const shift = editShift(b, trak, scale, movieScale);
  const { size, offset } = places(b, stbl);
  const ticks = presentation(b, stbl, size.length);
  const time = Float64Array.from(ticks, (tick) => tick / scale - shift);
  return { ...describe(b, trak, stbl), offset, size, time, key: keys(b, stbl, size.length) };
}

/** Seconds that an edit list takes off the media's own times. */
function editShift(b: Bytes, trak: Box, scale: number, movieScale: number): number {
  const elst = b.child(trak, "edts", "elst");
  if (!elst) return 0;
  const wide = b.u8(elst.start) === 1;
  let empty = 0;
  let media: number | null = null;
  for (let i = 0, at = elst.start + 8; i < b.u32(elst.start + 4); i++, at += wide ? 20 : 12) {
    const duration = wide ? b.u64(at) : b.u32(at);
    const start = wide ? b.i64(at + 8) : b.i32(at + 4);
    if (start < 0 && media === null) empty += duration / movieScale;
    else if (media === null) media = start / scale;
    else throw new Unsupported("an edit list of several parts");
  }
  return (media ?? 0) - empty;
}

function places(b: Bytes, stbl: Box): { size: Uint32Array; offset: Float64Array } {
  const stsz = b.need(stbl, "stsz");
  const [same, count] = [b.u32(stsz.start + 4), b.u32(stsz.start + 8)];
  const size = new Uint32Array(count);
  for (let i = 0; i < count; i++) size[i] = same || b.u32(stsz.start + 12 + 4 * i);
  const wide = b.child(stbl, "co64");
  const chunks = wide ?? b.need(stbl, "stco");
  const stsc = b.need(stbl, "stsc");
  const runs = b.u32(stsc.start + 4);
  const offset = new Float64Array(count);
  let sample = 0;
  for (let run = 0; run < runs; run++) {
    const at = stsc.start + 8 + 12 * run;
    const stop = run + 1 < runs ? b.u32(at + 12) : b.u32(chunks.start + 4) + 1;
    for (let chunk = b.u32(at); chunk < stop; chunk++) {
      let place = wide ? b.u64(chunks.start + 8 + 8 * (chunk - 1)) : b.u32(chunks.start + 8 + 4 * (chunk - 1));
      for (let k = 0; k < b.u32(at + 4) && sample < count; k++, sample++) {
        offset[sample] = place;
        place += size[sample];
      }
    }
  }
  if (sample < count) throw new Unsupported("its index names fewer places than frames");
  return { size, offset };
}

function presentation(b: Bytes, stbl: Box, count: number): Float64Array {
  const ticks = new Float64Array(count);
  const stts = b.need(stbl, "stts");
  let sample = 0, tick = 0;
  for (let i = 0; i < b.u32(stts.start + 4); i++) {
    const at = stts.start + 8 + 8 * i;
    for (let k = 0; k < b.u32(at) && sample < count; k++, sample++) {
      ticks[sample] = tick;
      tick += b.u32(at + 4);
    }
  }
  const ctts = b.child(stbl, "ctts");
  if (ctts) {
    sample = 0;
    for (let i = 0; i < b.u32(ctts.start + 4); i++) {
      const at = ctts.start + 8 + 8 * i;
      for (let k = 0; k < b.u32(at) && sample < count; k++, sample++) ticks[sample] += b.i32(at + 4);
    }
  }
  return ticks;
}

function keys(b: Bytes, stbl: Box, count: number): Uint8Array {
  const stss = b.child(stbl, "stss");
  const key = new Uint8Array(count).fill(stss ? 0 : 1);
  if (stss) for (let i = 0; i < b.u32(stss.start + 4); i++) key[b.u32(stss.start + 8 + 4 * i) - 1] = 1;
  return key;
}

function describe(b: Bytes, trak: Box, stbl: Box): Pick<VideoIndex, "width" | "height" | "rotation" | "config"> {
  const stsd = b.need(stbl, "stsd");
  const entries = b.boxes(stsd.start + 8, stsd.end);
  if (entries.length !== 1) throw new Unsupported("several kinds of coding in one track");
  const [entry] = entries;
  const [codedWidth, codedHeight] = [b.u16(entry.start + 24), b.u16(entry.start + 26)];
  const parts = b.boxes(entry.start + 78, entry.end);
  const setup = parts.find((box) => ["avcC", "hvcC", "vpcC", "av1C"].includes(box.type));
  if (!setup) throw new Unsupported(`the coding ${entry.type}`);
  const body = b.data.slice(setup.start, setup.end);
  const hasSetup = setup.type === "avcC" || setup.type === "hvcC";
  const rotation = rotationOf(b, trak);
  const turned = rotation === 90 || rotation === 270;
  return {
    width: turned ? codedHeight : codedWidth,
    height: turned ? codedWidth : codedHeight,
    rotation,
    config: {
      codec: codecName(entry.type, body), codedWidth, codedHeight, optimizeForLatency: true, ...(hasSetup && { description: body }),
    },
  };
}

/** The name of a coding as WebCodecs takes it (RFC 6381 and the codecs' own rules). */
function codecName(type: string, setup: Uint8Array): string {
  const hex = (value: number) => value.toString(16).padStart(2, "0");
  const two = (value: number) => String(value).padStart(2, "0");
  if (type === "avc1" || type === "avc3") return `${type}.${hex(setup[1])}${hex(setup[2])}${hex(setup[3])}`;
  if (type === "hvc1" || type === "hev1") {
    const compatible = ((setup[2] << 24) | (setup[3] << 16) | (setup[4] << 8) | setup[5]) >>> 0;
    let reversed = 0;
    for (let i = 0; i < 32; i++) reversed = (reversed * 2 + ((compatible >>> i) & 1)) >>> 0;
    const rest = [...setup.subarray(6, 12)];
    while (rest.length && !rest[rest.length - 1]) rest.pop();
    const space = ["", "A", "B", "C"][setup[1] >> 6];
    const tier = setup[1] & 32 ? "H" : "L";
    return [type, `${space}${setup[1] & 31}`, reversed.toString(16), `${tier}${setup[12]}`, ...rest.map((v) => v.toString(16))].join(".");
  }
  if (type === "vp09") return `vp09.${two(setup[4])}.${two(setup[5])}.${two(setup[6] >> 4)}`;
  if (type === "av01") {
    const depth = setup[2] & 64 ? (setup[2] & 32 ? 12 : 10) : 8;
    return `av01.${setup[1] >> 5}.${two(setup[1] & 31)}${setup[2] & 128 ? "H" : "M"}.${two(depth)}`;
  }
  throw new Unsupported(`the coding ${type}`);
}

function rotationOf(b: Bytes, trak: Box): 0 | 90 | 180 | 270 {
  const tkhd = b.need(trak, "tkhd");
  const at = tkhd.start + (b.u8(tkhd.start) ? 52 : 40);
  const [m0, m1, m3, m4] = [0, 4, 12, 16].map((d) => Math.sign(Math.round(b.i32(at + d) / 65536)));
  const known: Record<string, 0 | 90 | 180 | 270> = { "1,0,0,1": 0, "0,1,-1,0": 90, "-1,0,0,-1": 180, "0,-1,1,0": 270 };
  const rotation = known[[m0, m1, m3, m4].map((v) => v + 0).join()];
  if (rotation === undefined) throw new Unsupported("a mirrored or tilted picture");
  return rotation;
}
