// Corrections: each is one line in the result's list of edits, which every export applies; the original stays.

import type { App } from "./app";
import { $, ask, make, message } from "./dom";
import type { Key } from "./keys";
import { effective } from "./pane";
import type { Edit } from "./types";

export class Corrections {
  waiting = false;

  constructor(private readonly app: App) {}

  keys(): Key[] {
    const key = (keys: string[], shown: string[], about: string, act: () => unknown) => ({ keys, shown, about, act: () => void act() });
    return [
      key(["s"], ["S"], "swap with the second person, from this frame on", () => this.swap()),
      key(["m"], ["M"], "merge with the second person", () => this.merge()),
      key(["x"], ["X"], "split: from this frame on another person", () => this.split()),
      key(["r"], ["R"], "rename", () => this.rename()),
      key(["f"], ["F"], "flip left and right, in the marked stretch or from here on", () => this.flip()),
      key(["i"], ["I"], "begin of a stretch", () => this.app.setMark(0)),
      key(["o"], ["O"], "end of a stretch", () => this.app.setMark(1)),
      key(["w"], ["W"], "mark the stretch as bad: no joints there", () => this.markBad()),
      key(["c"], ["C"], "confirm: this frame of the person is right, and settles its suspect", () => this.confirm()),
      key(["Backspace"], ["backspace"], "remove the chosen joint in this frame", () => this.dropJoint()),
      key(["Delete"], ["delete"], "delete the track, or the marked stretch of it", () => this.remove()),
      key(["Ctrl+z", "u"], ["Ctrl Z"], "undo", () => this.undo()),
      key(["Ctrl+Shift+z", "Ctrl+y"], ["Ctrl shift Z"], "redo", () => this.redo()),
    ];
  }

  /** Seconds of a frame as edits count them: frame numbers where the source has no clock. */
  private moment(frame: number): number {
    const { run, times } = this.app.active;
    return run.timed ? times[frame] : frame + run.first_frame;
  }

  /** From and to of the marked stretch; both ends belong to it. */
  private stretch(): { from?: number; to?: number } {
    const [a, b] = this.app.mark;
    const next = b === null || b + 1 >= this.app.active.run.frames ? undefined : this.moment(b + 1);
    return { ...(a !== null && { from: this.moment(a) }), ...(next !== undefined && { to: next }) };
  }

  private get selected(): number | null {
    const { selected } = this.app.look;
    if (selected === null) message("Select a person first.");
    return selected;
  }

  private async send(operation: Partial<Edit> & { xy?: [number, number] }, done: string): Promise<boolean> {
    const pane = this.app.active;
    if (!this.app.access.writable) {
      message("This page is a copy: corrections need dettrack view itself.", { bad: true });
      return false;
    }
    if (this.waiting) return false;
    this.waiting = true;
    try {
      pane.run = await this.app.access.edit(pane.number, operation);
      await this.app.reload();
      const undo: [string, () => void] | undefined = operation.op === "undo" ? undefined : ["Undo", () => void this.undo()];
      message(done, undo && { action: undo });
      return true;
    } catch (error) {
      message((error as Error).message, { bad: true });
      return false;
    } finally {
      this.waiting = false;
    }
  }

  /** The second person: the one chosen by shift click, else asked for. */
  private async second(title: string, action: string, everyone: boolean): Promise<number | null> {
    const { look, active } = this.app;
    if (look.other !== null) return look.other;
    const here = new Set(active.people.map((p) => p.track));
    const others = active.run.tracks.filter((t) => t.id !== look.selected && (everyone || here.has(t.id)));
    if (!others.length) {
      message("There is nobody else.");
      return null;
    }
    others.sort((a, b) => Number(here.has(b.id)) - Number(here.has(a.id)));
    const field = make("select", {}, ...others.map((t) => make("option", { value: String(t.id) }, `${active.name(t.id)}${here.has(t.id) ? "" : " (elsewhere)"}`)));
    const answer = await ask(title, field, "The other person (a shift click chooses it, too)", action);
    return answer === null ? null : Number(answer);
  }

  private label(track: number): string {
    return this.app.active.name(track);
  }

  async swap(): Promise<void> {
    const track = this.selected;
    if (track === null) return;
    const other = await this.second(`Swap ${this.label(track)} from here on`, "Swap", true);
    if (other === null) return;
    const from = this.moment(this.app.here);
    const words = `${this.label(track)} and ${this.label(other)} swapped from here on`;
    await this.send({ op: "swap", track, other, from }, words);
  }

  async merge(): Promise<void> {
    const track = this.selected;
    if (track === null) return;
    const other = await this.second(`Merge another track into ${this.label(track)}`, "Merge", true);
    if (other === null) return;
    const words = `${this.label(other)} is now part of ${this.label(track)}`;
    this.app.look.other = null;
    await this.send({ op: "merge", track, other }, words);
  }

  async split(): Promise<void> {
    const track = this.selected;
    if (track === null) return;
    await this.send({ op: "split", track, from: this.moment(this.app.here) }, `${this.label(track)} split here`);
  }

  async rename(): Promise<void> {
    const track = this.selected;
    if (track === null) return;
    const given = this.app.active.tracks.get(track)?.name ?? "";
    const field = make("input", { type: "text", value: given, maxLength: 60, placeholder: String(track) });
    const name = await ask(`Name of ${this.label(track)}`, field, "Name; nothing goes back to the number", "Rename");
    if (name !== null && name !== given) await this.send({ op: "rename", track, name: name.trim() }, `${track} is ${name.trim() || track}`);
  }

  async flip(): Promise<void> {
    const track = this.selected;
    if (track === null) return;
    const marked = this.app.mark[0] !== null || this.app.mark[1] !== null;
    const where = marked ? this.stretch() : { from: this.moment(this.app.here) };
    await this.send({ op: "flip_sides", track, ...where }, `${this.label(track)}: left and right flipped ${marked ? "in the stretch" : "from here on"}`);
  }

  async markBad(): Promise<void> {
    const track = this.selected;
    if (track === null) return;
    if (this.app.mark[0] === null && this.app.mark[1] === null) return message("Mark a stretch first: I begins it, O ends it.");
    if (await this.send({ op: "mark_bad", track, ...this.stretch() }, `${this.label(track)}: the stretch is marked as bad`)) this.clearMark();
  }

  async remove(): Promise<void> {
    const track = this.selected;
    if (track === null) return;
    const marked = this.app.mark[0] !== null || this.app.mark[1] !== null;
    const words = `${this.label(track)} deleted${marked ? " in the stretch" : ""}`;
    if (await this.send({ op: "delete", track, ...(marked ? this.stretch() : {}) }, words)) this.clearMark();
  }

  /** The person is right in this frame: nothing changes, but a suspect here is settled, and the next one comes. */
  async confirm(): Promise<void> {
    const track = this.selected;
    const { active, suspect } = this.app;
    if (track === null) return;
    const settles = suspect >= 0 && active.run.suspects[suspect]?.settled === false;
    const frame = this.app.here + active.run.first_frame;
    const done = await this.send({ op: "confirm", track, frame }, `${this.label(track)} confirmed in frame ${frame}`);
    if (done && settles && active.run.suspects[suspect].settled) this.app.walkSuspects(1);
  }

  async dropJoint(): Promise<void> {
    const track = this.selected;
    const { look, active } = this.app;
    if (track === null) return;
    if (look.joint === null) return message("Click a joint of the selected person first.");
    const joint = active.run.joint_set.joints[look.joint];
    await this.send({ op: "drop_joint", track, frame: active.frame + active.run.first_frame, joint }, `${joint.replace("_", " ")} removed`);
  }

  async moveJoint(track: number, joint: number, xy: [number, number]): Promise<void> {
    const { active } = this.app;
    const name = active.run.joint_set.joints[joint];
    const rounded = xy.map((v) => Math.round(v * 100) / 100) as [number, number];
    this.app.look.joint = joint;
    const done = await this.send({ op: "move_joint", track, frame: active.frame + active.run.first_frame, joint: name, xy: rounded }, `${name.replace("_", " ")} moved`);
    if (!done) active.seekAgain();
  }

  get last(): Edit | undefined {
    const edits = effective(this.app.active.run);
    return edits[edits.length - 1];
  }

  async undo(id = this.last?.id): Promise<void> {
    if (id === undefined) return message("There is nothing to undo.");
    await this.send({ op: "undo", undoes: id }, "Undone");
  }

  /** Take the last undo back, unless something was corrected since. */
  async redo(): Promise<void> {
    const edits = this.app.active.run.edits;
    const taken = new Set(edits.filter((edit) => edit.op === "undo").map((edit) => edit.undoes));
    const open = edits.filter((edit) => edit.op === "undo" && !taken.has(edit.id));
    const last = open[open.length - 1];
    if (!last || (this.last && this.last.id > last.id)) return message("There is nothing to redo.");
    await this.send({ op: "undo", undoes: last.id }, "Redone");
  }

  private clearMark(): void {
    this.app.mark = [null, null];
    this.app.selectionChanged();
  }

  showUndo(): void {
    $<HTMLButtonElement>("undo").disabled = !this.last || !this.app.access.writable;
  }

  /** What an edit did, in words. */
  describe(edit: Edit): string {
    const name = (id?: number) => (id === undefined ? "" : this.label(id));
    const stretch = edit.from === undefined && edit.to === undefined ? "" : ` ${edit.from === undefined ? "" : `from ${edit.from.toFixed(2)}`}${edit.to === undefined ? "" : ` to ${edit.to.toFixed(2)}`} s`;
    switch (edit.op) {
      case "swap": return `Swap ${name(edit.track)} and ${name(edit.other)}${stretch}`;
      case "merge": return `Merge ${edit.other} into ${name(edit.track)}`;
      case "split": return `Split ${name(edit.track)}${stretch}: ${name(edit.other)}`;
      case "rename": return `Rename ${edit.track} to ${edit.name}`;
      case "delete": return `Delete ${edit.track}${stretch}`;
      case "flip_sides": return `Flip sides of ${name(edit.track)}${stretch}`;
      case "move_joint": return `Move ${edit.joint?.replace("_", " ")} of ${name(edit.track)}, frame ${edit.frame}`;
      case "drop_joint": return `Remove ${edit.joint?.replace("_", " ")} of ${name(edit.track)}${edit.frame === undefined ? stretch : `, frame ${edit.frame}`}`;
      case "mark_bad": return `Bad: ${edit.track === undefined ? "everyone" : name(edit.track)}${stretch}`;
      case "confirm": return `Confirm ${name(edit.track)}, frame ${edit.frame}`;
      case "undo": return `Undo ${edit.undoes}`;
      default: return edit.op;
    }
  }
}
