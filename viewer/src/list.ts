// A list of which only the visible entries are in the document.

export class VirtualList<T> {
  private items: T[] = [];
  private readonly list = document.createElement("ol");
  private shown = "";

  constructor(
    private readonly place: HTMLElement,
    private readonly rowHeight: number,
    private readonly render: (item: T, place: number) => HTMLElement,
    label: string,
  ) {
    this.list.setAttribute("aria-label", label);
    place.append(this.list);
    place.addEventListener("scroll", () => this.update());
    new ResizeObserver(() => this.update()).observe(place);
  }

  set(items: T[]): void {
    this.items = items;
    this.update(true);
  }

  reveal(place: number): void {
    const [top, room] = [place * this.rowHeight, this.place.clientHeight];
    if (top < this.place.scrollTop || top + this.rowHeight > this.place.scrollTop + room)
      this.place.scrollTop = top - room / 2 + this.rowHeight / 2;
    this.update();
  }

  update(force = false): void {
    const from = Math.max(0, Math.floor(this.place.scrollTop / this.rowHeight) - 4);
    const to = Math.min(this.items.length, from + Math.ceil(this.place.clientHeight / this.rowHeight) + 9);
    const key = `${from}-${to}`;
    if (!force && key === this.shown) return;
    this.shown = key;
    const held = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.key : undefined;
    this.list.style.paddingTop = `${from * this.rowHeight}px`;
    this.list.style.paddingBottom = `${(this.items.length - to) * this.rowHeight}px`;
    this.list.replaceChildren(
      ...this.items.slice(from, to).map((item, i) => {
        const row = document.createElement("li");
        row.style.height = `${this.rowHeight}px`;
        row.append(this.render(item, from + i));
        return row;
      }),
    );
    if (held) this.list.querySelector<HTMLElement>(`[data-key="${CSS.escape(held)}"]`)?.focus({ preventScroll: true });
  }
}
