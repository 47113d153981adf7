// Bytes of a video in blocks, a bounded number of which is kept.

import { Problem } from "./access";
import type { Read } from "./mp4";

const BLOCK = 1 << 20;
const KEPT = 24;

export const blobReader = (blob: Blob): Read => async (start, length) =>
  new Uint8Array(await blob.slice(start, start + length).arrayBuffer());

export function urlReader(url: string, headers: Record<string, string>): Read {
  const blocks = new Map<number, Promise<Uint8Array>>();

  async function load(number: number): Promise<Uint8Array> {
    const answer = await fetch(url, { headers: { ...headers, Range: `bytes=${number * BLOCK}-${(number + 1) * BLOCK - 1}` } });
    if (answer.status === 416) return new Uint8Array(0);
    if (answer.status !== 206 && !(answer.status === 200 && number === 0)) throw new Problem(`the video cannot be read (${answer.status})`);
    return new Uint8Array(await answer.arrayBuffer());
  }

  function block(number: number): Promise<Uint8Array> {
    let found = blocks.get(number);
    if (found) blocks.delete(number); // to the end of the order
    else {
      found = load(number);
      found.catch(() => blocks.delete(number));
    }
    blocks.set(number, found);
    if (blocks.size > KEPT) blocks.delete(blocks.keys().next().value!);
    return found;
  }

  return async (start, length) => {
    const [first, last] = [Math.floor(start / BLOCK), Math.floor((start + length - 1) / BLOCK)];
    if (first === last) return (await block(first)).subarray(start - first * BLOCK, start - first * BLOCK + length);
    const out = new Uint8Array(length);
    let got = 0;
    for (let number = first; number <= last; number++) {
      const data = await block(number);
      const from = Math.max(0, start - number * BLOCK);
      const part = data.subarray(from, Math.min(data.length, start + length - number * BLOCK));
      out.set(part, got);
      got += part.length;
      if (data.length < BLOCK) break;
    }
    return out.subarray(0, got);
  };
}
