// Connects the pad, the picture list and the answer panel with the API.

import { RequestError, apiKey, read } from "./api.js";
import { showCorrections, startCorrections } from "./corrections.js";
import { Pad } from "./pad.js";
import { PictureList } from "./pictures.js";
import { announcement } from "./text.js";
import { $, setBusy, show, shownPicture } from "./view.js";

// Screen readers announce a result after this pause.
const ANNOUNCEMENT_DELAY_MS = 600;
// "dragover" repeats at least this often while the pointer is over the window.
const DRAG_TIMEOUT_MS = 500;
const isNarrow = matchMedia("(max-width: 56rem)");

const pad = new Pad($("pad"), onDrawingChange);
const pictures = new PictureList(readPicture, select);
const drawing = { name: "Your drawing" };
let selected = null;
let announcementTimer;

let isReading = false;
let isOutdated = false;
// Incremented when strokes are removed, which invalidates results of the drawing before.
let epoch = 0;
// The last result of the drawing, and the version of the drawing it belongs to.
let lastResult = {};

function announce(text) {
  clearTimeout(announcementTimer);
  announcementTimer = setTimeout(() => ($("status").textContent = text), ANNOUNCEMENT_DELAY_MS);
}

function select(item) {
  selected = item;
  pictures.highlight(item);
  show(item);
  if (item?.file && isNarrow.matches) $("answer").scrollIntoView({ block: "nearest" });
  if (item?.prediction || item?.page || item?.error) announce(announcement(item));
}

async function getResult(picture) {
  try {
    const { prediction, page, model } = await read(picture);
    return { prediction, page, model, error: undefined };
  } catch (error) {
    const invalid = new RequestError("The server sent an invalid response.");
    const requestError = error instanceof RequestError ? error : invalid;
    return { prediction: undefined, page: undefined, error: requestError };
  }
}

// --- drawing

function onDrawingChange(isRemoval) {
  epoch += isRemoval;
  const { length } = pad.strokes;
  const strokes = length === 1 ? "1 stroke" : `${length} strokes`;
  $("pad").setAttribute("aria-label", `Drawing pad, ${length ? strokes : "empty"}`);
  $("pad-hint").hidden = !pad.isEmpty;
  $("undo").setAttribute("aria-disabled", String(!pad.canUndo));
  $("clear").setAttribute("aria-disabled", String(pad.isEmpty));
  if (pad.isEmpty) {
    drawing.mode = undefined;
    if (selected === drawing) select(null);
    announce("Cleared");
    return;
  }
  drawing.isTooShort = pad.isTooShort;
  if (selected !== drawing || pad.isTooShort) {
    const nothing = { prediction: undefined, page: undefined, error: undefined, isBusy: false };
    Object.assign(drawing, nothing);
    select(drawing);
  }
  // The server would answer with an error, which browsers log.
  if (pad.isTooShort) return;
  // Do not repeat a permanent error, such as a missing key, with every move of the pen.
  if (!pad.isDrawing || !drawing.error?.isTemporary) readDrawing();
}

// Send one request at a time, and then another if the drawing has changed.
async function readDrawing() {
  isOutdated = true;
  if (selected === drawing) setBusy(true);
  if (isReading) return;
  isReading = true;
  while (isOutdated && !pad.isTooShort) {
    isOutdated = false;
    const startEpoch = epoch;
    const { version } = pad;
    // A single stroke is usually one digit, so show that first, and then look for several.
    const isFirstPass = pad.strokes.length === 1 && lastResult.version !== version && !drawing.mode;
    const mode = isFirstPass ? "digit" : drawing.mode;
    const cached = lastResult.prediction && lastResult.version === version ? lastResult : undefined;
    const blob = await pad.picture();
    const result = await getResult({ blob, name: "drawing.png", mode, cached });
    result.blob = blob;
    lastResult = { ...result, version };
    isOutdated ||= isFirstPass && !pad.isDrawing && !result.error?.isTemporary;
    // The beginning of a stroke need not be a digit yet.
    const isTooEarly = result.error?.status === 422 && (isFirstPass || pad.isDrawing);
    if (startEpoch !== epoch || isTooEarly) continue;
    Object.assign(drawing, result, { isBusy: isOutdated });
    // A dropped picture may have been selected meanwhile.
    if (selected === drawing) select(drawing);
  }
  isReading = false;
}

// --- pictures

async function readPicture(item) {
  const attempt = (item.attempt = (item.attempt ?? 0) + 1);
  const result = await getResult(item);
  if (item.attempt !== attempt || !pictures.items.includes(item)) return;
  Object.assign(item, result, { isBusy: false });
  pictures.update(item);
  if (item === selected) show(item);
  const { nRead, nFailed, nTotal } = pictures.progress;
  const failures = nFailed ? `, ${nFailed} could not be read` : "";
  if (nRead + nFailed === nTotal) {
    announce(nTotal === 1 ? announcement(item) : `${nRead} pictures read${failures}`);
  }
}

function addPictures(files) {
  if (!files.length) return;
  const [first] = pictures.add(files);
  select(first);
}

function retry(items) {
  for (const item of items) Object.assign(item, { error: undefined, isBusy: true });
  if (items.includes(drawing)) readDrawing();
  pictures.retry(items.filter((item) => item.file));
  show(selected);
}

function save(items) {
  const model = items.find((item) => item.model)?.model;
  const text = JSON.stringify({ model, answers: items.map(toAnswer) }, null, 2);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = "mnist-svm.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// The server's JSON without the classified images.
function toAnswer({ name, prediction, page, error }) {
  const answer = prediction ?? page ?? { file: name, error: error?.message ?? "not read yet" };
  const withoutImage = (field, value) => (field === "image" ? undefined : value);
  return JSON.parse(JSON.stringify(answer, withoutImage));
}

// --- events

$("undo").addEventListener("click", () => pad.undo());
$("clear").addEventListener("click", () => pad.clear());
$("choose").addEventListener("change", ({ target }) => {
  addPictures(target.files);
  target.value = "";
});
$("retry").addEventListener("click", () => retry([selected]));
$("mode").addEventListener("click", () => {
  selected.mode = selected.page || selected.mode === "page" ? "digit" : "page";
  retry([selected]);
});
$("save").addEventListener("click", () => save([selected]));
$("save-all").addEventListener("click", () => save(pictures.items));
$("remove").addEventListener("click", () => {
  pictures.removeAll();
  if (selected !== drawing) select(null);
  $("choose").focus();
});
$("key").addEventListener("submit", (event) => {
  event.preventDefault();
  apiKey.set($("key-text").value.trim());
  $("key-text").value = "";
  retry([drawing, ...pictures.items].filter((item) => item.error?.status === 401));
  showCorrections();
});

addEventListener("keydown", (event) => {
  if (event.target.closest?.("input:not([type=file])")) return;
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z") {
    event.preventDefault();
    pad.undo();
  } else if (event.key === "Escape" || event.key === "Delete") {
    pad.clear();
  }
});

addEventListener("paste", (event) => {
  if (!event.clipboardData.files.length) return;
  event.preventDefault();
  addPictures(event.clipboardData.files);
});

let dragTimer;
function setDragging(isDragging) {
  clearTimeout(dragTimer);
  document.body.classList.toggle("dragging", isDragging);
  // There is no reliable event for a pointer that leaves the window.
  if (isDragging) dragTimer = setTimeout(() => setDragging(false), DRAG_TIMEOUT_MS);
}
addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  setDragging(true);
});
addEventListener("drop", (event) => {
  setDragging(false);
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  addPictures(event.dataTransfer.files);
});

show(null);
// After learning, what is shown is read again.
startCorrections(shownPicture, () => {
  lastResult = {};
  if (selected && !selected.isTooShort) retry([selected]);
});
$("curl").textContent = `curl -F file=@digit.png ${new URL("predict", document.baseURI)}`;
