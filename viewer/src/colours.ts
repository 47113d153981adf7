// A colour for every track, the same as in dettrack's rendered videos (src/dettrack/visual/colours.py).

const PALETTE: [number, number, number][] = [
  [0, 114, 178], [213, 94, 0], [234, 174, 128], [240, 228, 66], [128, 206, 185], [230, 159, 0],
  [144, 137, 40], [52, 108, 140], [0, 158, 115], [138, 95, 0], [204, 121, 167], [86, 180, 233],
];

const rgb = (c: [number, number, number], a = 1) => `rgba(${c[0]}, ${c[1]}, ${c[2]}, ${a})`;
const of = (id: number) => PALETTE[((id % PALETTE.length) + PALETTE.length) % PALETTE.length];

export const trackColour = (id: number, alpha = 1) => rgb(of(id), alpha);

/** The lighter shade, for the right side of the body. */
export const paleColour = (id: number, alpha = 1) =>
  rgb(of(id).map((v) => Math.round(v + (255 - v) * 0.6)) as [number, number, number], alpha);

/** Black or white, whichever reads better on the track's colour. */
export const textColour = (id: number) => {
  const [r, g, b] = of(id);
  return 0.299 * r + 0.587 * g + 0.114 * b > 128 ? "#000" : "#fff";
};
