// The pictures that were sent, as a list of cards in their order, two of them read at a time.

import { $, make } from "./view.js";
import { reading } from "./words.js";

const AT_ONCE = 2;

export class Files {
  items = [];
  #queue = [];
  #running = 0;
  #read;
  #chosen;

  // `read` is called with an item and gives a promise; `chosen` with the item to show.
  constructor(read, chosen) {
    this.#read = read;
    this.#chosen = chosen;
  }

  add(files) {
    const added = [...files].map((file) => this.#item(file));
    this.items.push(...added);
    this.#queue.push(...added);
    this.#show();
    this.#pump();
    return added;
  }

  again(items) {
    this.#queue.push(...items);
    items.forEach(showCard);
    this.#show();
    this.#pump();
  }

  removeAll() {
    for (const item of this.items) URL.revokeObjectURL(item.url);
    this.items = [];
    this.#queue = [];
    $("cards").replaceChildren();
    this.#show();
  }

  mark(item) {
    for (const each of this.items) each.card.setAttribute("aria-current", String(each === item));
  }

  // How many were read, how many could not be, and how many there are.
  get progress() {
    const failed = this.items.filter((item) => item.error).length;
    const done = this.items.filter((item) => item.one || item.many).length;
    return { done, failed, all: this.items.length };
  }

  refresh(item) {
    showCard(item);
    this.#show();
  }

  #item(file) {
    const url = URL.createObjectURL(file);
    const item = { file, blob: file, name: file.name, url, isBusy: true };
    item.card = make("button", "card");
    item.card.type = "button";
    const thumbnail = make("img");
    Object.assign(thumbnail, { alt: "", loading: "lazy", width: 48, height: 48, src: item.url });
    thumbnail.addEventListener("error", () => {
      const kind = file.name.split(".").at(-1).slice(0, 4).toUpperCase();
      const instead = make("span", "blind", kind);
      instead.setAttribute("aria-hidden", "true");
      thumbnail.replaceWith(instead);
    });
    const words = make("span", "words");
    words.append(make("span", "name", file.name), make("span", "told"));
    item.card.append(thumbnail, words, make("span", "result"));
    item.card.addEventListener("click", () => this.#chosen(item));
    const place = make("li");
    place.append(item.card);
    $("cards").append(place);
    showCard(item);
    return item;
  }

  #pump() {
    while (this.#running < AT_ONCE && this.#queue.length) {
      this.#running++;
      this.#read(this.#queue.shift()).finally(() => {
        this.#running--;
        this.#pump();
      });
    }
  }

  #show() {
    const { done, failed, all } = this.progress;
    $("files").hidden = !all;
    $("progress").hidden = done + failed === all;
    $("progress").max = all;
    $("progress").value = done + failed;
    $("count").textContent =
      done + failed < all ? `${done + failed} of ${all} read` : failed ? `${failed} not read` : "";
    $("save-all").hidden = all < 2 || !done;
  }
}

function showCard(item) {
  const [result, told] = item.error
    ? ["", item.error.message]
    : item.one || item.many
      ? reading(item)
      : ["", "Waiting"];
  item.card.classList.toggle("trouble", Boolean(item.error));
  item.card.querySelector(".result").textContent = result;
  item.card.querySelector(".told").textContent = told;
}
