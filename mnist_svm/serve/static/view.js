// The answer panel: what was read in the selected picture, and how sure that is.

import { canCorrect, showCorrection } from "./corrections.js";
import { SURE_FROM, confidenceText, digitsOf, pageSummary, percent } from "./text.js";

export const $ = (id) => document.getElementById(id);

export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

const IMAGE_SIDE = 28;
// Height of the picture with boxes, in CSS pixels.
const MAX_PICTURE_HEIGHT = 300;
const bars = [...Array(10).keys()].map((digit) => {
  const row = $("bars").tBodies[0].insertRow();
  const head = make("th", "", digit);
  head.scope = "row";
  const bar = make("div");
  const cell = make("td", "share");
  cell.append(make("span", "", percent(0)), bar);
  row.append(head, cell);
  return { row, bar, text: cell.firstChild };
});
let digits = [];
let digitButtons = [];
let boxes = [];
let current;

// A picture of the one digit that is shown with its probabilities, as a promise.
export function shownPicture() {
  if (current.prediction) return Promise.resolve(current.blob);
  // The picture of a number has all its digits, the image that was classified only this one.
  return new Promise((resolve) => $("classified").toBlob(resolve));
}

export function setBusy(isBusy) {
  $("answer").setAttribute("aria-busy", String(Boolean(isBusy)));
}

// Show an item, which has `name`; `prediction`, `page` or `error` once it is read; `isBusy` while
// it is read; `isTooShort` if a drawing cannot be a digit yet; and `file` and `url` unless it is the drawing.
export function show(item) {
  const { prediction, page, error } = (current = item) ?? {};
  const isRead = Boolean(prediction || page);
  setBusy(item?.isBusy);
  $("source").textContent = item?.name ?? "";
  const waiting = item && !item.isTooShort ? "Reading…" : "It appears here while you draw.";
  $("message").textContent = error ? error.message : isRead ? "" : waiting;
  $("message").classList.toggle("error", Boolean(error));
  $("key").hidden = error?.status !== 401;
  $("retry").hidden = !error?.isTemporary || error.status === 401;
  const isPage = item?.mode === "page" || page;
  $("mode").hidden = !isRead && !(error?.status === 422 && item.mode);
  $("mode").textContent = isPage ? "Read as one digit" : "Read as several digits";
  $("save").hidden = !isRead;
  $("correct").hidden = !isRead || !canCorrect;
  $("page").hidden = !page;
  $("detail").hidden = Boolean(error);
  $("detail").classList.toggle("empty", !isRead);
  $("detail").setAttribute("aria-hidden", String(!isRead));
  $("original").hidden = !item?.file || !prediction || item.isUndisplayable;
  $("picture").hidden = Boolean(item?.isUndisplayable);
  showNote();
  $("pad-boxes").replaceChildren();
  if (page) showPage(item);
  if (!isRead) $("digit").textContent = "?";
  if (prediction) {
    if (item.file) $("preview").src = item.url;
    showDigit(prediction);
  }
}

function showNote() {
  const { prediction, page, isUndisplayable } = current ?? {};
  const note = (prediction ?? page)?.note;
  const sentences = note ? [`This is ${note}.`] : [];
  if (isUndisplayable && (prediction || page)) {
    sentences.push("Read, but this browser cannot display the file.");
  }
  $("note").textContent = sentences.join(" ");
  $("note").hidden = !sentences.length;
}

for (const image of [$("preview"), $("picture")]) {
  image.addEventListener("error", () => {
    if (!current || image.src !== current.url) return;
    current.isUndisplayable = true;
    $("original").hidden = $("picture").hidden = true;
    showNote();
  });
}

function showDigit({ label, confidence, probabilities, image }) {
  showCorrection(label);
  $("digit").textContent = label;
  $("confidence").textContent = confidenceText({ label, confidence, probabilities });
  $("read").classList.toggle("unsure", confidence < SURE_FROM);
  bars.forEach(({ row, bar, text }, other) => {
    const share = probabilities[other] ?? 0;
    row.classList.toggle("best", other === label);
    row.classList.toggle("zero", share < 0.0005);
    bar.style.setProperty("--share", share);
    text.textContent = percent(share);
  });
  const context = $("classified").getContext("2d");
  const pixels = context.createImageData(IMAGE_SIDE, IMAGE_SIDE);
  image.flat().forEach((grey, i) => pixels.data.set([grey, grey, grey, 255], 4 * i));
  context.putImageData(pixels, 0, 0);
}

function showPage(item) {
  const { page } = item;
  digits = digitsOf(page);
  digitButtons = [];
  const rows = page.rows.map((row) => {
    const line = make("div");
    for (const character of row.text) line.append(character === " " ? " " : makeDigitButton());
    return line;
  });
  $("number").replaceChildren(...rows);
  const longest = Math.max(...page.rows.map((row) => row.text.length));
  $("number").style.setProperty("--longest", longest);
  $("number").style.setProperty("--rows", rows.length);
  $("summary").textContent = pageSummary(page);
  boxes = digits.map((digit) => makeBox(digit, page));
  $("frame").hidden = !item.file;
  if (item.file) showPicture(item);
  else $("pad-boxes").replaceChildren(...boxes);
  selectDigit(0);
}

function showPicture({ url, page: { width, height } }) {
  const frame = $("frame");
  $("picture").src = url;
  frame.style.aspectRatio = `${width} / ${height}`;
  frame.style.maxWidth = `${Math.round((MAX_PICTURE_HEIGHT * width) / height)}px`;
  frame.classList.toggle("enlarged", width < 200);
  boxes.forEach((box, index) => {
    for (const name of ["click", "focus"]) box.addEventListener(name, () => selectDigit(index));
  });
  frame.replaceChildren($("picture"), ...boxes);
}

function makeDigitButton() {
  const index = digitButtons.length;
  const { label, confidence } = digits[index];
  const button = make("button", confidence < SURE_FROM ? "unsure" : "", label);
  button.type = "button";
  button.setAttribute("role", "radio");
  button.setAttribute("aria-label", `${label}, ${percent(confidence)} sure`);
  button.addEventListener("click", () => selectDigit(index));
  digitButtons.push(button);
  return button;
}

function makeBox({ label, confidence, box: { left, top, width, height } }, page) {
  const button = make("button", confidence < SURE_FROM ? "box unsure" : "box");
  button.type = "button";
  button.tabIndex = -1;
  button.setAttribute("aria-label", `Box of the ${label}, ${percent(confidence)} sure`);
  button.append(make("span", top < 0.1 * page.height ? "below" : "", label));
  const toPercent = (pixels, total) => `${(100 * pixels) / total}%`;
  Object.assign(button.style, {
    left: toPercent(left, page.width),
    top: toPercent(top, page.height),
    width: toPercent(width, page.width),
    height: toPercent(height, page.height),
  });
  return button;
}

function selectDigit(index, focus = false) {
  digitButtons.forEach((button, i) => {
    button.setAttribute("aria-checked", String(i === index));
    button.tabIndex = i === index ? 0 : -1;
    boxes[i].classList.toggle("selected", i === index);
  });
  if (focus) digitButtons[index].focus();
  showDigit(digits[index]);
}

$("number").addEventListener("keydown", (event) => {
  const index = digitButtons.indexOf(document.activeElement);
  const last = digitButtons.length - 1;
  const target = {
    ArrowLeft: Math.max(index - 1, 0),
    ArrowUp: Math.max(index - 1, 0),
    ArrowRight: Math.min(index + 1, last),
    ArrowDown: Math.min(index + 1, last),
    Home: 0,
    End: last,
  }[event.key];
  if (index < 0 || target === undefined) return;
  event.preventDefault();
  selectDigit(target, true);
});
