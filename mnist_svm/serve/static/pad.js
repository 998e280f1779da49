// What is drawn, as strokes in coordinates of the pad, so that neither the size of the screen nor
// its colours matter to the picture that is read.

const WIDTH = 480;
const HEIGHT = 400;
const PEN = 20;
// Of the picture that is read: enough for a number, and quickly read.
const SCALE = 0.625;

export class Pad {
  strokes = [];
  // Counts the changes of the ink.
  version = 0;
  #past = [];
  #pointer = null;
  #canvas;
  #changed;

  // `changed` is called when the pen moves or is lifted, with whether ink was taken away.
  constructor(canvas, changed) {
    this.#canvas = canvas;
    this.#changed = changed;
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#extend(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => this.#end(event));
    }
    new ResizeObserver(() => this.#show()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#show());
  }

  get isEmpty() {
    return !this.strokes.length;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get isDrawing() {
    return this.#pointer !== null;
  }

  undo() {
    if (this.canUndo) this.#replace(this.#past.pop());
  }

  clear() {
    if (this.isEmpty) return;
    this.#past.push(this.strokes);
    this.#replace([]);
  }

  // A PNG, black on white.
  picture() {
    const canvas = document.createElement("canvas");
    canvas.width = WIDTH * SCALE;
    canvas.height = HEIGHT * SCALE;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    draw(context, this.strokes, "#000", SCALE);
    return new Promise((resolve) => canvas.toBlob(resolve));
  }

  #replace(strokes) {
    this.strokes = strokes;
    this.version++;
    this.#pointer = null;
    this.#tell(true);
  }

  #begin(event) {
    if (this.#pointer !== null || event.button !== 0) return;
    this.#pointer = event.pointerId;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#past.push(this.strokes);
    this.strokes = [...this.strokes, [this.#point(event)]];
    this.version++;
    this.#tell();
  }

  #extend(event) {
    if (event.pointerId !== this.#pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    this.strokes.at(-1).push(...(events.length ? events : [event]).map((each) => this.#point(each)));
    this.version++;
    this.#tell();
  }

  #end(event) {
    if (event.pointerId !== this.#pointer) return;
    this.#pointer = null;
    this.#tell();
  }

  #point(event) {
    const box = this.#canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * WIDTH,
      ((event.clientY - box.top) / box.height) * HEIGHT,
    ];
  }

  #tell(away = false) {
    this.#show();
    this.#changed(away);
  }

  #show() {
    const canvas = this.#canvas;
    const width = Math.round(canvas.clientWidth * devicePixelRatio);
    const height = Math.round(canvas.clientHeight * devicePixelRatio);
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const context = canvas.getContext("2d");
    context.resetTransform();
    context.clearRect(0, 0, width, height);
    draw(context, this.strokes, getComputedStyle(canvas).color, width / WIDTH);
  }
}

// Curves through the middles between points: smooth, and never far from where the pen was.
function draw(context, strokes, colour, scale) {
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.strokeStyle = colour;
  context.lineWidth = PEN;
  context.lineCap = context.lineJoin = "round";
  for (const points of strokes) {
    context.beginPath();
    context.moveTo(...points[0]);
    points.slice(1).forEach(([x, y], index) => {
      const [lastX, lastY] = points[index];
      context.quadraticCurveTo(lastX, lastY, (lastX + x) / 2, (lastY + y) / 2);
    });
    context.lineTo(...points.at(-1));
    context.stroke();
  }
}
