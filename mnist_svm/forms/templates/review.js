
"use strict";

const byId = (id) => document.getElementById(id);
const { name, threshold, entries, rows } = JSON.parse(byId("data").textContent);

// What a person did with each number: whether it was looked at, and what was typed.
entries.forEach((entry, index) => Object.assign(entry, { index, value: entry.text, done: false }));

const isDoubtful = ({ confidence }) => confidence !== null && confidence < threshold;
const isValid = (entry) => /^[0-9]*$|^\?$/.test(entry.value);
const isCorrected = (entry) => entry.done && entry.value !== entry.text;
const isShown = (entry) => byId("all").checked || isDoubtful(entry) || !isValid(entry);

let isSaved = true;

function describe(entry) {
  if (!isValid(entry)) return "Digits only, or ? alone";
  if (isCorrected(entry)) return entry.text === "" ? "Corrected; it was read as blank" : `Corrected; it was read as ${entry.text}`;
  if (entry.done) return "Confirmed";
  if (entry.confidence === null) return "Read as blank";
  const rejected = entry.saved === entry.text ? "" : `; saved as ${entry.saved} unless you confirm it`;
  return `Read with confidence ${entry.shown}${rejected}`;
}

function update(entry) {
  const { item, input } = entry;
  item.classList.toggle("done", entry.done && isValid(entry));
  item.classList.toggle("doubtful", isDoubtful(entry) && !entry.done);
  item.classList.toggle("invalid", !isValid(entry));
  item.querySelector(".state").textContent = describe(entry);
  input.setAttribute("aria-invalid", String(!isValid(entry)));
}

function updateProgress() {
  const toCheck = entries.filter(isDoubtful);
  const checked = toCheck.filter((entry) => entry.done).length;
  const corrected = entries.filter(isCorrected).length;
  byId("progress").textContent =
    `${checked} of ${toCheck.length} checked, ${corrected} corrected${isSaved ? "" : ", not saved yet"}`;
}

function change(entry, value, done) {
  if (entry.value === value && entry.done === done) return;
  entry.value = value;
  entry.done = done;
  isSaved = false;
  update(entry);
  updateProgress();
}

const inputs = () => [...document.querySelectorAll("main input")];

// Go to the number that is `step` further; after the last one, to the button that saves.
function go(input, step) {
  const all = inputs();
  const next = all[all.indexOf(input) + step];
  if (next) {
    next.focus();
    next.select();
    next.closest("li").scrollIntoView({ block: "nearest" });
  } else if (step > 0) {
    byId("save").focus();
  }
}

function onKey(event, entry) {
  if (event.key === "Enter" && !event.isComposing) {
    event.preventDefault();
    if (event.shiftKey) {
      go(entry.input, -1);
    } else if (isValid(entry)) {
      change(entry, entry.value, true);
      go(entry.input, 1);
    }
  } else if (event.key === "Escape") {
    entry.input.value = entry.text;
    change(entry, entry.text, false);
    entry.input.select();
  }
}

function createItem(entry) {
  const item = byId("entry").content.firstElementChild.cloneNode(true);
  const [image, input] = [item.querySelector("img"), item.querySelector("input")];
  Object.assign(entry, { item, input });
  item.querySelector(".name").textContent = entry.name;
  if (entry.picture) image.src = entry.picture;
  else image.remove();
  const state = item.querySelector(".state");
  state.id = `state-${entry.index}`;
  input.setAttribute("aria-describedby", state.id);
  input.value = entry.value;
  input.addEventListener("input", () => change(entry, input.value.trim(), true));
  input.addEventListener("keydown", (event) => onKey(event, entry));
  update(entry);
  return item;
}

// The numbers of each page under its name.
function show() {
  const main = byId("entries");
  main.replaceChildren();
  let page = null;
  let list = null;
  for (const entry of entries.filter(isShown)) {
    if (entry.page !== page) {
      page = entry.page;
      const heading = document.createElement("h2");
      heading.textContent = page;
      list = document.createElement("ul");
      main.append(heading, list);
    }
    list.append(createItem(entry));
  }
  const isEmpty = main.childElementCount === 0;
  byId("none").hidden = !isEmpty;
  byId("none").textContent = entries.length
    ? `Every number was read with a confidence of ${threshold} or more.`
    : "No numbers were read.";
}

// A cell as Python's csv module writes it.
const quote = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function cell([index, shows]) {
  const entry = entries[index];
  if (shows === "text") return entry.done ? entry.value : entry.saved;
  if (!entry.done) return entry.shown;
  return /[0-9]/.test(entry.value) ? "1" : "";
}

function line(row) {
  const texts = row.map((each) => (typeof each === "string" ? each : cell(each)));
  // A row of one blank cell would be no row.
  return texts.length === 1 && texts[0] === "" ? '""' : texts.map(quote).join(",");
}

function save() {
  const wrong = entries.find((entry) => !isValid(entry));
  if (wrong) {
    wrong.input.focus();
    return;
  }
  const content = rows.map((row) => `${line(row)}\n`).join("");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "text/csv" }));
  link.download = name;
  link.click();
  // The browser takes the content some time after the click.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  isSaved = true;
  updateProgress();
}

const count = entries.filter(isDoubtful).length;
byId("heading").textContent = count ? `${count} of ${entries.length} numbers to check` : "Nothing to check";
byId("all").addEventListener("change", show);
byId("save").addEventListener("click", save);
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
    event.preventDefault();
    save();
  }
});
addEventListener("beforeunload", (event) => {
  if (!isSaved) event.preventDefault();
});
show();
updateProgress();
const [first] = inputs();
if (first) {
  first.focus({ preventScroll: true });
  first.select();
}
