import type { Surface } from "./surface.ts";
import { panned, toMap, wholeCamera, zoomed } from "./view.ts";

/** What a reader does on the map, beyond moving it. */
export interface Gestures {
  /** Whether a drag draws a line instead of moving the map. */
  drawing(): boolean;
  /** Points at a point; -1 at none. */
  hover(point: number): void;
  /** Clicks on a point, or presses Enter; -1 beside all points. */
  choose(point: number, event: MouseEvent | KeyboardEvent): void;
  /** Has moved the map. */
  moved(): void;
  /** Has drawn a line: flat x and y in map units. */
  lasso(path: number[]): void;
  /** Wants this point in the selection, or out of it. */
  toggle(point: number): void;
  /** Wants everything in view selected. */
  selectView(): void;
  /** Wants nothing selected any more. */
  clear(): void;
}

const CLICK_SLACK = 5;
const KEY_STEP = 60;
const KEY_ZOOM = 1.4;

interface Finger {
  x: number;
  y: number;
}

/** Lets mouse, fingers and keys move `surface`, and reports the rest to `on`. */
export function listen(surface: Surface, on: Gestures): void {
  listenPointers(surface, on);
  listenWheel(surface, on);
  listenKeys(surface, on);
}

function local({ frame }: Surface, event: MouseEvent): Finger {
  const box = frame.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

function listenPointers(surface: Surface, on: Gestures): void {
  const { frame } = surface;
  const fingers = new Map<number, Finger>();
  let travelled = 0;
  /** The line being drawn; null while the map is moved. */
  let path: number[] | null = null;
  const extend = ({ x, y }: Finger) => {
    const place = toMap(surface.view, x, y);
    path?.push(place.x, place.y);
    surface.lasso = path ?? [];
    surface.redrawOverlay();
  };
  frame.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const now = local(surface, event);
    fingers.set(event.pointerId, now);
    frame.setPointerCapture(event.pointerId);
    travelled = 0;
    path = fingers.size === 1 && (event.shiftKey || on.drawing()) ? [] : null;
    if (path !== null) extend(now);
  });
  frame.addEventListener("pointermove", (event) => {
    const now = local(surface, event);
    const before = fingers.get(event.pointerId);
    if (before === undefined) {
      on.hover(surface.pick(now.x, now.y));
      return;
    }
    travelled += Math.hypot(now.x - before.x, now.y - before.y);
    fingers.set(event.pointerId, now);
    if (path !== null) extend(now);
    else {
      drag(surface, [...fingers.values()], before, now);
      on.moved();
    }
  });
  const lift = (event: PointerEvent) => {
    const alone = fingers.size === 1;
    if (!fingers.delete(event.pointerId)) return;
    const drawn = path;
    path = null;
    const { x, y } = local(surface, event);
    if (event.type === "pointercancel") {
      if (drawn !== null) on.lasso([]);
    } else if (alone && travelled < CLICK_SLACK) {
      if (drawn !== null) on.toggle(surface.pick(x, y));
      else on.choose(surface.pick(x, y), event);
    } else if (drawn !== null) on.lasso(drawn);
  };
  frame.addEventListener("pointerup", lift);
  frame.addEventListener("pointercancel", lift);
  frame.addEventListener("pointerleave", ({ pointerType }) => {
    // A finger leaves when it is lifted; what it pointed at stays shown.
    if (pointerType !== "touch") on.hover(-1);
  });
}

/** One finger moves the map, two also zoom it. */
function drag(surface: Surface, fingers: Finger[], before: Finger, now: Finger): void {
  const { view } = surface;
  const other = fingers.find((finger) => finger !== now);
  if (other === undefined) {
    surface.move(panned(view, now.x - before.x, now.y - before.y));
    return;
  }
  const distance = (finger: Finger) => Math.max(1, Math.hypot(finger.x - other.x, finger.y - other.y));
  surface.move(panned(view, (now.x - before.x) / 2, (now.y - before.y) / 2));
  const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
  surface.move(zoomed(surface.view, distance(now) / distance(before), middle.x, middle.y));
}

function listenWheel(surface: Surface, on: Gestures): void {
  const turn = (event: WheelEvent) => {
    event.preventDefault();
    const { x, y } = local(surface, event);
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    surface.move(zoomed(surface.view, Math.exp(-event.deltaY * lines * 0.0016), x, y));
    on.moved();
  };
  surface.frame.addEventListener("wheel", turn, { passive: false });
}

function listenKeys(surface: Surface, on: Gestures): void {
  const { frame } = surface;
  const show = (cross: boolean) => {
    surface.cross = cross;
    surface.redrawOverlay();
  };
  frame.addEventListener("focus", () => show(frame.matches(":focus-visible")));
  frame.addEventListener("blur", () => show(false));
  frame.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== frame) return;
    if (actAfterKey(event, surface, on)) {
      event.preventDefault();
      show(true);
      return;
    }
    const camera = cameraAfterKey(event.key, surface);
    if (camera === null) return;
    event.preventDefault();
    show(true);
    surface.move(camera);
    on.moved();
  });
}

/** Does what `key` means beyond moving; false where it means nothing. */
function actAfterKey(event: KeyboardEvent, surface: Surface, on: Gestures): boolean {
  const nearest = () => surface.nearMiddle(1)[0] ?? -1;
  switch (event.key) {
    case "Enter":
      on.choose(nearest(), event);
      return true;
    case " ":
      on.toggle(nearest());
      return true;
    case "v":
      on.selectView();
      return true;
    case "Escape":
      on.clear();
      return true;
    default:
      return false;
  }
}

function cameraAfterKey(key: string, { view, points }: Surface) {
  switch (key) {
    case "ArrowLeft":
      return panned(view, KEY_STEP, 0);
    case "ArrowRight":
      return panned(view, -KEY_STEP, 0);
    case "ArrowUp":
      return panned(view, 0, KEY_STEP);
    case "ArrowDown":
      return panned(view, 0, -KEY_STEP);
    case "+":
    case "=":
      return zoomed(view, KEY_ZOOM);
    case "-":
      return zoomed(view, 1 / KEY_ZOOM);
    case "0":
      return wholeCamera(points.bounds);
    default:
      return null;
  }
}
