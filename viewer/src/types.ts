// What the server says of a session; see src/dettrack/view/opened.py.

export interface TrackInfo {
  id: number;
  name?: string;
  first: number;
  last: number;
  rows: number;
  score: number;
  begin: number;
  end: number;
}

export interface Suspect {
  rank: number;
  kind: string;
  track: number;
  other: number | null;
  frame: number;
  from_frame: number;
  to_frame: number;
  severity: number;
  reason: string;
  /** A person confirmed it, or a correction changed what it was about. */
  settled: boolean;
}

export interface Edit {
  id: number;
  time: string;
  by: string;
  op: string;
  track?: number;
  other?: number;
  from?: number;
  to?: number;
  frame?: number;
  joint?: string;
  name?: string;
  undoes?: number;
}

export interface JointSetInfo {
  name: string;
  joints: string[];
  limbs: [number, number][];
  mirror: number[];
}

export interface RunInfo {
  name: string;
  folder: string | null;
  source: string | null;
  video: "file" | "copy" | "none";
  /** Seconds that the video's own times are behind the run's; null: 0 of a file, the first frame's of a copy. */
  zero?: number;
  size: [number, number] | null;
  frames: number;
  first_frame: number;
  cuts: number[];
  timed: boolean;
  version: number;
  bin_frames: number;
  tracks: TrackInfo[];
  row_bytes: number;
  smooth: boolean;
  rows: number;
  joint_set: JointSetInfo;
  edits: Edit[];
  suspects: Suspect[];
  /** Whether the run kept its tracklets. */
  hypotheses: boolean;
  notes: string[];
  complete: boolean;
  detector: string;
  model: string;
}

export interface Session {
  runs: RunInfo[];
  user: string;
  downloads: string[];
}

export const DETECTED = 0;
export const RECOVERED = 1;
export const INTERPOLATED = 2;
export const HUMAN = 3;
export const STATES = ["detected", "recovered", "interpolated", "by hand"];

/** What the tubes say of one person in one frame; see src/dettrack/view/hypotheses.py. */
export interface HypothesesInfo {
  poses: { keyframe: number; xy: ([number, number] | null)[]; scores: number[] }[];
  path: { frame: number; xy: ([number, number] | null)[] }[];
}
