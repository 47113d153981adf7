// Where a page gets its bytes from: the server by range, or itself, where it was written as one file.

import type { Edit, RunInfo, Session } from "./types";

export type DataName = "rows" | "index" | "lanes" | "times";

export interface VideoPlace {
  url: string;
  headers: Record<string, string>;
  blob: Blob | null;
}

export interface Access {
  /** Whether edits can be written. */
  readonly writable: boolean;
  session(): Promise<Session>;
  data(run: number, version: number, name: DataName, start?: number, end?: number): Promise<ArrayBuffer>;
  /** The video itself, or the copy that every browser plays; reports the share that is done while it is made. */
  video(run: number, which: "file" | "copy", progress: (done: number) => void): Promise<VideoPlace>;
  edit(run: number, operation: Partial<Edit>): Promise<RunInfo>;
  json<T>(path: string): Promise<T>;
  download(run: number, format: string): Promise<void>;
}

export class Problem extends Error {}

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

export class ServerAccess implements Access {
  readonly writable = true;

  constructor(private readonly token: string) {}

  private get headers(): Record<string, string> {
    return { "X-Token": this.token };
  }

  private async ask(path: string, init: RequestInit = {}): Promise<Response> {
    let answer: Response;
    try {
      answer = await fetch(path, { ...init, headers: { ...this.headers, ...(init.headers as Record<string, string>) } });
    } catch {
      throw new Problem("The server does not answer. Is dettrack view still running?");
    }
    if (answer.ok) return answer;
    let reason = `${answer.status} ${answer.statusText}`;
    try {
      reason = (await answer.json()).error ?? reason;
    } catch {
      /* no JSON: the status says it */
    }
    throw new Problem(reason);
  }

  async session(): Promise<Session> {
    return (await this.ask("/api/session")).json();
  }

  async data(run: number, version: number, name: DataName, start?: number, end?: number): Promise<ArrayBuffer> {
    if (start !== undefined && end !== undefined) {
      if (end <= start) return new ArrayBuffer(0);
      const headers = { Range: `bytes=${start}-${end - 1}` };
      return (await this.ask(`/data/${run}/${version}/${name}`, { headers })).arrayBuffer();
    }
    return (await this.ask(`/data/${run}/${version}/${name}`)).arrayBuffer();
  }

  async video(run: number, which: "file" | "copy", progress: (done: number) => void): Promise<VideoPlace> {
    while (which === "copy") {
      const state = await (await this.ask(`/api/copy/${run}`)).json();
      if (state.state === "ready") break;
      if (state.state === "failed") throw new Problem(state.reason);
      progress(state.done);
      await sleep(300);
    }
    return { url: `/video/${run}/${which}`, headers: this.headers, blob: null };
  }

  async edit(run: number, operation: Partial<Edit>): Promise<RunInfo> {
    const headers = { "Content-Type": "application/json" };
    return (await this.ask(`/api/edits/${run}`, { method: "POST", headers, body: JSON.stringify(operation) })).json();
  }

  async json<T>(path: string): Promise<T> {
    return (await this.ask(path)).json();
  }

  async download(run: number, format: string): Promise<void> {
    const answer = await this.ask(`/download/${run}/${format}`);
    const name = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1] ?? format;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }
}

/** A page written with `dettrack view --html`: everything is in elements of the document, compressed. */
export class PageAccess implements Access {
  readonly writable = false;
  private readonly parts = new Map<string, Promise<ArrayBuffer>>();

  static present(): boolean {
    return document.getElementById("session") !== null;
  }

  async session(): Promise<Session> {
    return JSON.parse(document.getElementById("session")!.textContent!);
  }

  private part(id: string): Promise<ArrayBuffer> {
    let found = this.parts.get(id);
    if (!found) {
      found = (async () => {
        const element = document.getElementById(id);
        if (!element) throw new Problem(`This page has no ${id}.`);
        const coded = element.textContent!.trim();
        const bytes = Uint8Array.from(atob(coded), (c) => c.charCodeAt(0));
        if (element.dataset.coding !== "gzip") return bytes.buffer;
        const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
        return new Response(stream).arrayBuffer();
      })();
      this.parts.set(id, found);
    }
    return found;
  }

  async data(run: number, _version: number, name: DataName, start?: number, end?: number): Promise<ArrayBuffer> {
    const all = await this.part(`${name}-${run}`);
    return start === undefined ? all : all.slice(start, end);
  }

  async video(run: number): Promise<VideoPlace> {
    const element = document.getElementById(`video-${run}`);
    if (element?.dataset.href) return { url: element.dataset.href, headers: {}, blob: null };
    const blob = new Blob([await this.part(`video-${run}`)], { type: "video/mp4" });
    return { url: URL.createObjectURL(blob), headers: {}, blob };
  }

  async edit(): Promise<RunInfo> {
    throw new Problem("This page is a copy: corrections need `dettrack view` itself.");
  }

  async json<T>(): Promise<T> {
    throw new Problem("This needs `dettrack view` itself.");
  }

  async download(): Promise<void> {
    throw new Problem("This page is a copy: exports need `dettrack view` itself.");
  }
}
