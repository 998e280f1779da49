// The list of uploaded pictures, as cards in their order.

import { resultTexts } from "./text.js";
import { $, make } from "./view.js";

const MAX_CONCURRENT_READS = 2;

export class PictureList {
  items = [];
  #queue = [];
  #nRunning = 0;
  #read;
  #onSelect;

  // `read` takes an item and returns a promise; `onSelect` is called with the item of a card.
  constructor(read, onSelect) {
    this.#read = read;
    this.#onSelect = onSelect;
  }

  add(files) {
    const added = [...files].map((file) => this.#makeItem(file));
    this.items.push(...added);
    this.#enqueue(added);
    return added;
  }

  retry(items) {
    items.forEach(renderCard);
    this.#enqueue(items);
  }

  removeAll() {
    for (const item of this.items) URL.revokeObjectURL(item.url);
    this.items = [];
    this.#queue = [];
    $("cards").replaceChildren();
    this.#renderProgress();
  }

  highlight(item) {
    for (const each of this.items) each.card.setAttribute("aria-current", String(each === item));
  }

  get progress() {
    const nFailed = this.items.filter((item) => item.error).length;
    const nRead = this.items.filter((item) => item.prediction || item.page).length;
    return { nRead, nFailed, nTotal: this.items.length };
  }

  update(item) {
    renderCard(item);
    this.#renderProgress();
  }

  #makeItem(file) {
    const item = { file, blob: file, name: file.name, url: URL.createObjectURL(file), isBusy: true };
    item.card = make("button", "card");
    item.card.type = "button";
    const thumbnail = make("img");
    Object.assign(thumbnail, { alt: "", loading: "lazy", width: 48, height: 48, src: item.url });
    thumbnail.addEventListener("error", () => {
      const extension = file.name.split(".").at(-1).slice(0, 4).toUpperCase();
      const fileType = make("span", "file-type", extension);
      fileType.setAttribute("aria-hidden", "true");
      thumbnail.replaceWith(fileType);
    });
    const text = make("span", "text");
    text.append(make("span", "name", file.name), make("span", "message"));
    item.card.append(thumbnail, text, make("span", "result"));
    item.card.addEventListener("click", () => this.#onSelect(item));
    const entry = make("li");
    entry.append(item.card);
    $("cards").append(entry);
    renderCard(item);
    return item;
  }

  #enqueue(items) {
    this.#queue.push(...items);
    this.#renderProgress();
    this.#startReads();
  }

  #startReads() {
    while (this.#nRunning < MAX_CONCURRENT_READS && this.#queue.length) {
      this.#nRunning++;
      this.#read(this.#queue.shift()).finally(() => {
        this.#nRunning--;
        this.#startReads();
      });
    }
  }

  #renderProgress() {
    const { nRead, nFailed, nTotal } = this.progress;
    const nDone = nRead + nFailed;
    $("files").hidden = !nTotal;
    $("progress").hidden = nDone === nTotal;
    $("progress").max = nTotal;
    $("progress").value = nDone;
    const failures = nFailed ? `${nFailed} not read` : "";
    $("count").textContent = nDone < nTotal ? `${nDone} of ${nTotal} read` : failures;
    $("save-all").hidden = nTotal < 2 || !nRead;
  }
}

function renderCard(item) {
  const [result, message] = item.error
    ? ["", item.error.message]
    : item.prediction || item.page
      ? resultTexts(item)
      : ["", "Waiting"];
  item.card.classList.toggle("error", Boolean(item.error));
  item.card.querySelector(".result").textContent = result;
  item.card.querySelector(".message").textContent = message;
}
