import type { TableColumn } from "../payloads.ts";
import { EVERYTHING } from "./conditions.ts";
import type { Range } from "./conditions.ts";
import { binAt, rangeOfBins } from "./histogram.ts";
import type { Bins } from "./histogram.ts";

/** A stretch of a histogram being drawn with the pointer. */
interface Stroke {
  name: string;
  from: number;
  to: number;
}

/** Draws a range over histograms; a click on the one bin that is chosen already lets everything through again. */
export class Brush {
  private stroke: Stroke | null = null;
  private readonly changed: () => void;
  private readonly chosen: (name: string, range: Range) => void;

  /** `changed` is called while a range is drawn, `chosen` once it is. */
  constructor(changed: () => void, chosen: (name: string, range: Range) => void) {
    this.changed = changed;
    this.chosen = chosen;
  }

  /** The bins drawn over at this moment in the histogram of the column called `name`. */
  drawn(name: string): Bins | null {
    const { stroke } = this;
    if (stroke?.name !== name) return null;
    return [Math.min(stroke.from, stroke.to), Math.max(stroke.from, stroke.to)];
  }

  /** The pointer went down. */
  start(event: PointerEvent, { name, counts }: TableColumn): void {
    if (event.button !== 0) return;
    event.preventDefault();
    const target = event.currentTarget as Element;
    target.setPointerCapture(event.pointerId);
    const bin = binAt(shareOf(event, target), counts.length);
    this.stroke = { name, from: bin, to: bin };
    this.changed();
  }

  /** The pointer moved. */
  move(event: PointerEvent, { name, counts }: TableColumn): void {
    if (this.stroke?.name !== name) return;
    this.stroke.to = binAt(shareOf(event, event.currentTarget as Element), counts.length);
    this.changed();
  }

  /** The pointer went up; `before` is the stretch that was chosen until now. */
  end(column: TableColumn, before: Bins | null): void {
    const bins = this.drawn(column.name);
    this.stroke = null;
    if (bins === null) return;
    const [first, last] = bins;
    const again = first === last && before !== null && before[0] === first && before[1] === last;
    this.chosen(column.name, again ? EVERYTHING : rangeOfBins(column, bins));
    this.changed();
  }

  /** The pointer is gone. */
  cancel(): void {
    this.stroke = null;
    this.changed();
  }
}

function shareOf(event: PointerEvent, target: Element): number {
  const { left, width } = target.getBoundingClientRect();
  return width === 0 ? 0 : (event.clientX - left) / width;
}
