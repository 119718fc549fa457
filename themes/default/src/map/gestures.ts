import type { Surface } from "./surface.ts";
import { panned, wholeCamera, zoomed } from "./view.ts";

/** What a reader does on the map, beyond moving it. */
export interface Gestures {
  /** Points at a point; -1 at none. */
  hover(point: number): void;
  /** Clicks on a point, or presses Enter; -1 beside all points. */
  choose(point: number, event: MouseEvent | KeyboardEvent): void;
  /** Has moved the map. */
  moved(): void;
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
  const { frame } = surface;
  const fingers = new Map<number, Finger>();
  let travelled = 0;
  const local = (event: MouseEvent): Finger => {
    const box = frame.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  frame.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    fingers.set(event.pointerId, local(event));
    frame.setPointerCapture(event.pointerId);
    travelled = 0;
  });
  frame.addEventListener("pointermove", (event) => {
    const now = local(event);
    const before = fingers.get(event.pointerId);
    if (before === undefined) {
      on.hover(surface.pick(now.x, now.y));
      return;
    }
    travelled += Math.hypot(now.x - before.x, now.y - before.y);
    drag(surface, [...fingers.values()], before, now);
    fingers.set(event.pointerId, now);
    on.moved();
  });
  const lift = (event: PointerEvent) => {
    const alone = fingers.size === 1;
    if (!fingers.delete(event.pointerId) || event.type === "pointercancel") return;
    const { x, y } = local(event);
    if (alone && travelled < CLICK_SLACK) on.choose(surface.pick(x, y), event);
  };
  frame.addEventListener("pointerup", lift);
  frame.addEventListener("pointercancel", lift);
  frame.addEventListener("pointerleave", ({ pointerType }) => {
    // A finger leaves when it is lifted; what it pointed at stays shown.
    if (pointerType !== "touch") on.hover(-1);
  });
  listenWheel(surface, on, local);
  listenKeys(surface, on);
}

/** One finger moves the map, two also zoom it. */
function drag(surface: Surface, fingers: Finger[], before: Finger, now: Finger): void {
  const { view } = surface;
  const other = fingers.find((finger) => finger !== before);
  if (other === undefined) {
    surface.move(panned(view, now.x - before.x, now.y - before.y));
    return;
  }
  const distance = (finger: Finger) => Math.max(1, Math.hypot(finger.x - other.x, finger.y - other.y));
  surface.move(panned(view, (now.x - before.x) / 2, (now.y - before.y) / 2));
  const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
  surface.move(zoomed(surface.view, distance(now) / distance(before), middle.x, middle.y));
}

function listenWheel(surface: Surface, on: Gestures, local: (event: MouseEvent) => Finger): void {
  const turn = (event: WheelEvent) => {
    event.preventDefault();
    const { x, y } = local(event);
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
    surface.redraw();
  };
  frame.addEventListener("focus", () => show(frame.matches(":focus-visible")));
  frame.addEventListener("blur", () => show(false));
  frame.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== frame) return;
    if (event.key === "Enter") {
      on.choose(surface.nearMiddle(1)[0] ?? -1, event);
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
