// Drawing pad. Strokes are stored in coordinates of the pad, so that the picture depends neither on
// the size of the screen nor on its colours.

const WIDTH = 480;
const HEIGHT = 400;
const PEN_WIDTH = 20;
// Scale of the picture that is sent: large enough for a number, small enough to be read quickly.
const PICTURE_SCALE = 0.625;

export class Pad {
  strokes = [];
  // Incremented whenever the strokes change.
  version = 0;
  #history = [];
  #pointer = null;
  #canvas;
  #onChange;

  // `onChange` is called when the pen moves or is lifted; with true if strokes were removed.
  constructor(canvas, onChange) {
    this.#canvas = canvas;
    this.#onChange = onChange;
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#extend(event));
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (event) => this.#end(event));
    }
    new ResizeObserver(() => this.#render()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#render());
  }

  get isEmpty() {
    return !this.strokes.length;
  }

  // Whether there are only dots, no longer than the pen is wide.
  get isTooShort() {
    return this.strokes.every((points) =>
      [0, 1].every((axis) => {
        const along = points.map((point) => point[axis]);
        return Math.max(...along) - Math.min(...along) < PEN_WIDTH;
      }),
    );
  }

  get canUndo() {
    return this.#history.length > 0;
  }

  get isDrawing() {
    return this.#pointer !== null;
  }

  undo() {
    if (this.canUndo) this.#replace(this.#history.pop());
  }

  clear() {
    if (this.isEmpty) return;
    this.#history.push(this.strokes);
    this.#replace([]);
  }

  // A PNG, black on white.
  picture() {
    const canvas = document.createElement("canvas");
    canvas.width = WIDTH * PICTURE_SCALE;
    canvas.height = HEIGHT * PICTURE_SCALE;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    drawStrokes(context, this.strokes, "#000", PICTURE_SCALE);
    return new Promise((resolve) => canvas.toBlob(resolve));
  }

  #replace(strokes) {
    this.strokes = strokes;
    this.version++;
    this.#pointer = null;
    this.#update(true);
  }

  #begin(event) {
    if (this.#pointer !== null || event.button !== 0) return;
    this.#pointer = event.pointerId;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#history.push(this.strokes);
    this.strokes = [...this.strokes, [this.#position(event)]];
    this.version++;
    this.#update();
  }

  #extend(event) {
    if (event.pointerId !== this.#pointer) return;
    const coalesced = event.getCoalescedEvents?.() ?? [];
    const events = coalesced.length ? coalesced : [event];
    this.strokes.at(-1).push(...events.map((each) => this.#position(each)));
    this.version++;
    this.#update();
  }

  #end(event) {
    if (event.pointerId !== this.#pointer) return;
    this.#pointer = null;
    this.#update();
  }

  #position(event) {
    const box = this.#canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * WIDTH,
      ((event.clientY - box.top) / box.height) * HEIGHT,
    ];
  }

  #update(isRemoval = false) {
    this.#render();
    this.#onChange(isRemoval);
  }

  #render() {
    const canvas = this.#canvas;
    const width = Math.round(canvas.clientWidth * devicePixelRatio);
    const height = Math.round(canvas.clientHeight * devicePixelRatio);
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const context = canvas.getContext("2d");
    context.resetTransform();
    context.clearRect(0, 0, width, height);
    drawStrokes(context, this.strokes, getComputedStyle(canvas).color, width / WIDTH);
  }
}

// Quadratic curves through the midpoints of the points: smooth, and close to the path of the pen.
function drawStrokes(context, strokes, colour, scale) {
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.strokeStyle = colour;
  context.lineWidth = PEN_WIDTH;
  context.lineCap = context.lineJoin = "round";
  for (const points of strokes) {
    context.beginPath();
    context.moveTo(...points[0]);
    points.slice(1).forEach(([x, y], index) => {
      const [lastX, lastY] = points[index];
      context.quadraticCurveTo(lastX, lastY, (lastX + x) / 2, (lastY + y) / 2);
    });
    // A line without length would not be drawn.
    const [x, y] = points.at(-1);
    context.lineTo(x + 0.01, y);
    context.stroke();
  }
}
