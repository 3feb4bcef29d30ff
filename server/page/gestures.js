// Turning, zooming and picking in the view: mouse, fingers, keys.

const STEP = Math.PI / 18; // of an arrow key
const PER_PIXEL = 0.01; // radians
const CLICK = 4; // pixels within which a press is no drag

const KEYS = {
  ArrowLeft: (view) => view.rotate(-STEP, 0),
  ArrowRight: (view) => view.rotate(STEP, 0),
  ArrowUp: (view) => view.rotate(0, -STEP),
  ArrowDown: (view) => view.rotate(0, STEP),
  "+": (view) => view.zoomBy(1.2),
  "=": (view) => view.zoomBy(1.2),
  "-": (view) => view.zoomBy(1 / 1.2),
  0: (view) => view.reset(),
};

export function addGestures(canvas, view) {
  const fingers = new Map(); // where each pressed pointer is
  let moved = 0;

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
    moved = 0;
  });

  canvas.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = [event.offsetX, event.offsetY];
    const others = [...fingers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    fingers.set(event.pointerId, now);
    moved += distance(before, now);
    if (others.length > 0) view.zoomBy(distance(now, others[0]) / (distance(before, others[0]) || 1));
    else if (moved > CLICK)
      view.rotate((now[0] - before[0]) * PER_PIXEL, (now[1] - before[1]) * PER_PIXEL);
  });

  const release = (event) => {
    const was = fingers.delete(event.pointerId);
    if (was && event.type === "pointerup" && moved <= CLICK && view.structure)
      view.onPick(view.atomAt(event.offsetX, event.offsetY));
  };
  for (const type of ["pointerup", "pointercancel"]) canvas.addEventListener(type, release);

  // The wheel scrolls the page unless the view has the focus.
  canvas.addEventListener("wheel", (event) => {
    if (document.activeElement !== canvas && !event.ctrlKey) return;
    event.preventDefault();
    view.zoomBy(Math.exp(-event.deltaY * 0.0015));
  }, { passive: false });

  canvas.addEventListener("keydown", (event) => {
    const act = KEYS[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act(view);
  });
}

const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
