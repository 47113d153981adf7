// Frames by time. Times ascend; they need not be evenly spaced.

/** Position of the last time that is not after `t`; 0 before the first. */
export function frameAt(times: Float64Array, t: number): number {
  let low = 0, high = times.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times[middle] <= t) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Position of the nearest time. */
export function nearestFrame(times: Float64Array, t: number): number {
  const i = frameAt(times, t);
  return i + 1 < times.length && times[i + 1] - t < t - times[i] ? i + 1 : i;
}

/** A moment within frame `i`, away from both of its ends, so that rounding does not lead to a neighbour. */
export function within(times: Float64Array, i: number): number {
  const next = i + 1 < times.length ? times[i + 1] : times[i] + typicalStep(times);
  return times[i] + Math.min((next - times[i]) / 2, 0.02);
}

export function typicalStep(times: Float64Array): number {
  return times.length > 1 ? (times[times.length - 1] - times[0]) / (times.length - 1) : 0.04;
}

export function clockText(seconds: number, digits = 2): string {
  const sign = seconds < 0 ? "-" : "";
  const all = Math.abs(seconds);
  const h = Math.floor(all / 3600), m = Math.floor(all / 60) % 60;
  const s = (all % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return h ? `${sign}${h}:${String(m).padStart(2, "0")}:${s}` : `${sign}${m}:${s}`;
}
