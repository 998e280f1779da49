// Questions to the server, and its answers in words for people.

const TIMEOUT = 60_000;
const LARGE = 5_000_000;
// A busy server is asked so often, and waited for no longer than so many seconds.
const TRIES = 3;
const PATIENCE = 5;
const KEY = "mnist-svm-key";

const WORDS = {
  401: "This server wants an API key.",
  408: "The server ran out of time over this picture. A smaller one may do.",
  503: "The server is busy. Try again in a moment.",
};

export class Trouble extends Error {
  // `passing`: whether to try again may help.
  constructor(message, status = 0, passing = true) {
    super(message);
    this.status = status;
    this.passing = passing;
  }
}

let remembered;

// Kept until the tab is closed, or where the browser keeps nothing, until the page is left.
export const key = {
  get() {
    try {
      return sessionStorage.getItem(KEY);
    } catch {
      return remembered;
    }
  },
  set(text) {
    remembered = text;
    try {
      sessionStorage.setItem(KEY, text);
    } catch {
      // It is remembered.
    }
  },
};

// What is in a picture: `{one, model}`, the digit, or `{many, model}`, the digits in rows.
// `as` is "one" or "many", or nothing to find out; `known` is what was found of the same as "one".
export async function read({ blob, name, as, known }) {
  if (as !== "one") {
    try {
      const { pictures, model } = await ask("read", blob, name);
      const many = pictures[0];
      if (as || many.rows.flatMap((row) => row.digits).length > 1) return { many, model };
    } catch (trouble) {
      if (as || trouble.status !== 422) throw trouble;
    }
  }
  if (known) return known;
  const { predictions, model } = await ask("predict", blob, name);
  return { one: predictions[0], model };
}

async function ask(path, blob, name) {
  await requireReadable(blob);
  const body = new FormData();
  body.append("file", blob, name);
  for (let tries = 1; ; tries++) {
    const response = await send(path, body, blob.size);
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer;
    if (response.status !== 503 || tries === TRIES) throw refused(response, answer, name);
    const seconds = Math.min(response.headers.get("Retry-After") ?? 1, PATIENCE);
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  }
}

async function requireReadable(blob) {
  try {
    await blob.slice(0, 1).arrayBuffer();
  } catch {
    throw new Trouble("This cannot be opened. Of a folder, drop what is in it.", 0, false);
  }
}

async function send(path, body, size) {
  const headers = key.get() ? { "X-API-Key": key.get() } : {};
  const signal = AbortSignal.timeout(TIMEOUT);
  try {
    return await fetch(`${path}?image=true`, { method: "POST", body, headers, signal });
  } catch (error) {
    if (error.name === "TimeoutError") throw new Trouble("The server does not answer.");
    const guess = size > LARGE ? "Perhaps the file is too large." : "Is it still running?";
    throw new Trouble(`The server cannot be reached. ${guess}`);
  }
}

function refused({ status }, { detail, request_id: id }, name) {
  if (status === 401 && key.get()) return new Trouble("That API key was not accepted.", 401);
  if (WORDS[status]) return new Trouble(WORDS[status], status);
  // The name is beside it already.
  const reason = String(detail ?? `refused (${status})`).replace(`${name}: `, "");
  if (status === 413) return new Trouble(`Too large for this server: ${reason}.`, status, false);
  if (status < 500) return new Trouble(sentence(reason), status, false);
  return new Trouble(`The server failed (${status}${id ? `, request ${id}` : ""}).`, status);
}

function sentence(text) {
  return text[0].toUpperCase() + text.slice(1) + (text.endsWith(".") ? "" : ".");
}
