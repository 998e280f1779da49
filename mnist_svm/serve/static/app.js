// Drawing, dropping, choosing and pasting; what is read; what is shown.

import { Trouble, key, read } from "./api.js";
import { Files } from "./files.js";
import { Pad } from "./pad.js";
import { $, busy, show } from "./view.js";
import { spoken } from "./words.js";

// What is told to screen readers waits for a pause of so many milliseconds.
const PAUSE = 600;
const isNarrow = matchMedia("(max-width: 56rem)");

const pad = new Pad($("pad"), drawn);
const files = new Files(readFile, select);
const drawing = { name: "Your drawing" };
let shown = null;
let asking = false;
let changed = false;
// Counts how often ink was taken away: an answer from before that is of no use.
let era = 0;
// What was found in the drawing last, and in which version of it.
let last = {};
let telling;

function tell(text) {
  clearTimeout(telling);
  telling = setTimeout(() => ($("status").textContent = text), PAUSE);
}

function select(item) {
  shown = item;
  files.mark(item);
  show(item);
  if (item?.file && isNarrow.matches) $("answer").scrollIntoView({ block: "nearest" });
  if (item?.one || item?.many || item?.error) tell(spoken(item));
}

function forget(item) {
  Object.assign(item, { one: undefined, many: undefined, error: undefined });
}

async function answer(picture) {
  try {
    const { one, many, model } = await read(picture);
    return { one, many, model, error: undefined };
  } catch (error) {
    const trouble = new Trouble("The server's answer makes no sense.");
    return { one: undefined, many: undefined, error: error instanceof Trouble ? error : trouble };
  }
}

function drawn(away) {
  era += away;
  const { length } = pad.strokes;
  const strokes = length === 1 ? "1 stroke" : `${length} strokes`;
  $("pad").setAttribute("aria-label", `Drawing pad, ${length ? strokes : "empty"}`);
  $("invitation").hidden = !pad.isEmpty;
  $("undo").setAttribute("aria-disabled", String(!pad.canUndo));
  $("clear").setAttribute("aria-disabled", String(pad.isEmpty));
  if (pad.isEmpty) {
    drawing.as = undefined;
    if (shown === drawing) select(null);
    tell("Cleared");
    return;
  }
  if (shown !== drawing) {
    forget(drawing);
    select(drawing);
  }
  // What must be mended first, such as a key that is missing, does not change with every move.
  if (!pad.isDrawing || !drawing.error?.passing) readDrawing();
}

// One request at a time; what was drawn meanwhile is read next.
async function readDrawing() {
  changed = true;
  if (shown === drawing) busy(true);
  if (asking) return;
  asking = true;
  while (changed && !pad.isEmpty) {
    changed = false;
    const now = era;
    const { version } = pad;
    // The only stroke is one digit mostly, or a part of one; whether it is more is asked next.
    const isFirst = pad.strokes.length === 1 && last.version !== version && !drawing.as;
    const as = isFirst ? "one" : drawing.as;
    const known = last.one && last.version === version ? last : undefined;
    const found = await answer({ blob: await pad.picture(), name: "drawing.png", as, known });
    last = { ...found, version };
    changed ||= isFirst && !pad.isDrawing && !found.error?.passing;
    // The beginning of a stroke may be no digit yet.
    const isNone = found.error?.status === 422 && (isFirst || pad.isDrawing);
    if (now !== era || isNone) continue;
    Object.assign(drawing, found, { isBusy: changed });
    // A picture may have been dropped meanwhile.
    if (shown === drawing) select(drawing);
  }
  asking = false;
}

async function readFile(item) {
  const turn = (item.turn = (item.turn ?? 0) + 1);
  const found = await answer(item);
  if (item.turn !== turn || !files.items.includes(item)) return;
  Object.assign(item, found, { isBusy: false });
  files.refresh(item);
  if (item === shown) show(item);
  const { done, failed, all } = files.progress;
  const missed = failed ? `, ${failed} could not be read` : "";
  if (done + failed === all) tell(all === 1 ? spoken(item) : `${done} pictures read${missed}`);
}

function take(list) {
  if (!list.length) return;
  const [first] = files.add(list);
  select(first);
}

function again(items) {
  for (const item of items) Object.assign(item, { error: undefined, isBusy: true });
  if (items.includes(drawing)) readDrawing();
  files.again(items.filter((item) => item.file));
  show(shown);
}

function save(items) {
  const model = items.find((item) => item.model)?.model;
  const text = JSON.stringify({ model, answers: items.map(entry) }, null, 2);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = "mnist-svm.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// As the server told it, without what the classifier saw.
function entry({ name, one, many, error }) {
  const told = one ?? many ?? { file: name, error: error?.message ?? "not read yet" };
  return JSON.parse(JSON.stringify(told, (field, value) => (field === "image" ? undefined : value)));
}

function isTyping({ target }) {
  return Boolean(target.closest?.("input:not([type=file])"));
}

$("undo").addEventListener("click", () => pad.undo());
$("clear").addEventListener("click", () => pad.clear());
$("choose").addEventListener("change", ({ target }) => {
  take(target.files);
  target.value = "";
});
$("again").addEventListener("click", () => again([shown]));
$("other").addEventListener("click", () => {
  shown.as = shown.many || shown.as === "many" ? "one" : "many";
  again([shown]);
});
$("save").addEventListener("click", () => save([shown]));
$("save-all").addEventListener("click", () => save(files.items));
$("remove").addEventListener("click", () => {
  files.removeAll();
  if (shown !== drawing) select(null);
  $("choose").focus();
});
$("key").addEventListener("submit", (event) => {
  event.preventDefault();
  key.set($("key-text").value.trim());
  $("key-text").value = "";
  again([drawing, ...files.items].filter((item) => item.error?.status === 401));
});

addEventListener("keydown", (event) => {
  if (isTyping(event)) return;
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
  take(event.clipboardData.files);
});

let leaving;
function drags(isOver) {
  clearTimeout(leaving);
  document.body.classList.toggle("dragging", isOver);
  // Nothing tells reliably that the pointer left the window, but that it moves no more over it.
  if (isOver) leaving = setTimeout(() => drags(false), 500);
}
addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  drags(true);
});
addEventListener("drop", (event) => {
  drags(false);
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  take(event.dataTransfer.files);
});

show(null);
$("curl").textContent = `curl -F file=@digit.png ${new URL("predict", document.baseURI)}`;
