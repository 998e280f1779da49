// The answer: what was read in one picture, and why.

import { DOUBTFUL, digitsOf, percent, sureness, summary } from "./words.js";

export const $ = (id) => document.getElementById(id);

export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

const SIZE = 28;
// Of the picture with boxes, in pixels of the screen.
const TALLEST = 300;
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
let choices = [];
let boxes = [];
let current;

export function busy(isBusy) {
  $("answer").setAttribute("aria-busy", String(Boolean(isBusy)));
}

// An item has a `name`, a `file` and its `url` unless it is the drawing, `one` or `many` or an
// `error` or none yet, and `isBusy` while it is read.
export function show(item) {
  const { one, many, error } = (current = item) ?? {};
  const isRead = Boolean(one || many);
  busy(item?.isBusy);
  $("source").textContent = item?.name ?? "";
  const waiting = item ? "Reading…" : "It appears here while you draw.";
  $("message").textContent = error ? error.message : isRead ? "" : waiting;
  $("message").classList.toggle("trouble", Boolean(error));
  $("key").hidden = error?.status !== 401;
  $("again").hidden = !error?.passing || error.status === 401;
  $("other").hidden = !isRead && !(error?.status === 422 && item.as);
  $("other").textContent = item?.as === "many" || many ? "Read as one digit" : "Read as several";
  $("save").hidden = !isRead;
  $("several").hidden = !many;
  $("detail").hidden = Boolean(error);
  $("detail").classList.toggle("blank", !isRead);
  $("detail").setAttribute("aria-hidden", String(!isRead));
  $("sent").hidden = !item?.file || !one || item.isBlind;
  $("picture").hidden = Boolean(item?.isBlind);
  showNote();
  $("marks").replaceChildren();
  if (many) showNumber(item);
  if (!isRead) $("digit").textContent = "?";
  if (one) {
    if (item.file) $("preview").src = item.url;
    showDigit(one);
  }
}

function showNote() {
  const { one, many, isBlind } = current ?? {};
  const part = (one ?? many)?.note;
  const parts = part ? [`This is ${part}.`] : [];
  if (isBlind && (one || many)) parts.push("Read, but this browser cannot show such a file.");
  $("note").textContent = parts.join(" ");
  $("note").hidden = !parts.length;
}

for (const image of [$("preview"), $("picture")]) {
  image.addEventListener("error", () => {
    if (!current || image.src !== current.url) return;
    current.isBlind = true;
    $("sent").hidden = $("picture").hidden = true;
    showNote();
  });
}

function showDigit({ digit, confidence, probabilities, image }) {
  $("digit").textContent = digit;
  $("confidence").textContent = sureness({ digit, confidence, probabilities });
  $("read").classList.toggle("unsure", confidence < DOUBTFUL);
  bars.forEach(({ row, bar, text }, each) => {
    const share = probabilities[each] ?? 0;
    row.classList.toggle("best", each === digit);
    row.classList.toggle("none", share < 0.0005);
    bar.style.setProperty("--share", share);
    text.textContent = percent(share);
  });
  const context = $("seen").getContext("2d");
  const pixels = context.createImageData(SIZE, SIZE);
  image.flat().forEach((grey, at) => pixels.data.set([grey, grey, grey, 255], 4 * at));
  context.putImageData(pixels, 0, 0);
}

function showNumber(item) {
  const { many } = item;
  digits = digitsOf(many);
  choices = [];
  const rows = many.rows.map((row) => {
    const line = make("div");
    for (const character of row.number) line.append(character === " " ? " " : choice());
    return line;
  });
  $("number").replaceChildren(...rows);
  const longest = Math.max(...many.rows.map((row) => row.number.length));
  $("number").style.setProperty("--longest", longest);
  $("number").style.setProperty("--rows", rows.length);
  $("summary").textContent = summary(many);
  boxes = digits.map((digit) => box(digit, many));
  $("stage").hidden = !item.file;
  if (item.file) showPicture(item);
  else $("marks").replaceChildren(...boxes);
  choose(0);
}

function showPicture({ url, many: { width, height } }) {
  const stage = $("stage");
  $("picture").src = url;
  stage.style.aspectRatio = `${width} / ${height}`;
  stage.style.maxWidth = `${Math.round((TALLEST * width) / height)}px`;
  stage.classList.toggle("tiny", width < 200);
  boxes.forEach((each, index) => {
    for (const event of ["click", "focus"]) each.addEventListener(event, () => choose(index));
  });
  stage.replaceChildren($("picture"), ...boxes);
}

function choice() {
  const index = choices.length;
  const { digit, confidence } = digits[index];
  const button = make("button", confidence < DOUBTFUL ? "unsure" : "", digit);
  button.type = "button";
  button.setAttribute("role", "radio");
  button.setAttribute("aria-label", `${digit}, ${percent(confidence)} sure`);
  button.addEventListener("click", () => choose(index));
  choices.push(button);
  return button;
}

function box({ digit, confidence, box: { left, top, width, height } }, picture) {
  const button = make("button", confidence < DOUBTFUL ? "box unsure" : "box");
  button.type = "button";
  button.tabIndex = -1;
  button.setAttribute("aria-label", `Box of the ${digit}, ${percent(confidence)} sure`);
  button.append(make("span", top < 0.1 * picture.height ? "under" : "", digit));
  const across = (pixels) => `${(100 * pixels) / picture.width}%`;
  const down = (pixels) => `${(100 * pixels) / picture.height}%`;
  Object.assign(button.style, {
    left: across(left),
    top: down(top),
    width: across(width),
    height: down(height),
  });
  return button;
}

function choose(index, focus = false) {
  choices.forEach((button, each) => {
    button.setAttribute("aria-checked", String(each === index));
    button.tabIndex = each === index ? 0 : -1;
    boxes[each].classList.toggle("chosen", each === index);
  });
  if (focus) choices[index].focus();
  showDigit(digits[index]);
}

$("number").addEventListener("keydown", (event) => {
  const at = choices.indexOf(document.activeElement);
  const last = choices.length - 1;
  const target = {
    ArrowLeft: Math.max(at - 1, 0),
    ArrowUp: Math.max(at - 1, 0),
    ArrowRight: Math.min(at + 1, last),
    ArrowDown: Math.min(at + 1, last),
    Home: 0,
    End: last,
  }[event.key];
  if (at < 0 || target === undefined) return;
  event.preventDefault();
  choose(target, true);
});
