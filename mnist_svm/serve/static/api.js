// Requests to the API, and error messages for people.

const REQUEST_TIMEOUT_MS = 60_000;
const LARGE_FILE_BYTES = 5_000_000;
// Attempts while the server is overloaded, and the longest wait between two of them.
const MAX_ATTEMPTS = 3;
const MAX_WAIT_SECONDS = 5;
const STORAGE_KEY = "mnist-svm-key";

const MESSAGES = {
  401: "This server requires an API key.",
  408: "This picture took the server too long. Try a smaller one.",
  503: "The server is busy. Try again in a moment.",
};

export class RequestError extends Error {
  // `isTemporary`: whether a retry may succeed.
  constructor(message, status = 0, isTemporary = true) {
    super(message);
    this.status = status;
    this.isTemporary = isTemporary;
  }
}

let keyInMemory;

// The API key, stored until the tab is closed. Without session storage it lasts until a reload.
export const apiKey = {
  get() {
    try {
      return sessionStorage.getItem(STORAGE_KEY);
    } catch {
      return keyInMemory;
    }
  },
  set(text) {
    keyInMemory = text;
    try {
      sessionStorage.setItem(STORAGE_KEY, text);
    } catch {
      // It is in memory.
    }
  },
};

// Read a picture as `{prediction, model}`, one digit, or `{page, model}`, rows of digits.
// `mode` is "digit", "page", or undefined to choose by the number of digits found. `cached` is an
// earlier result of the same picture as a digit.
export async function read({ blob, name, mode, cached }) {
  if (mode !== "digit") {
    try {
      const { pictures, model } = await post("read?image=true", blob, name);
      const page = pictures[0];
      if (mode || page.rows.flatMap((row) => row.digits).length > 1) return { page, model };
    } catch (error) {
      if (mode || error.status !== 422) throw error;
    }
  }
  if (cached) return cached;
  const { predictions, model } = await post("predict?image=true", blob, name);
  return { prediction: predictions[0], model };
}

// Keep a picture with its right label; returns the state of the corrections.
export function keepCorrection(blob, label) {
  return post(`corrections?label=${label}`, blob, "correction.png");
}

// Return `n_corrections`, whether the server is `learning`, and the last `outcome`.
export function getCorrections() {
  return request("GET", "corrections");
}

// Start to learn from the corrections.
export function startLearning() {
  return request("POST", "teach");
}

async function request(method, path) {
  const response = await send(method, path);
  const content = await response.json().catch(() => ({}));
  if (!response.ok) throw responseError(response.status, content, "");
  return content;
}

async function post(path, blob, name) {
  await requireReadable(blob);
  const body = new FormData();
  body.append("file", blob, name);
  for (let attempt = 1; ; attempt++) {
    const response = await send("POST", path, body, blob.size);
    const content = await response.json().catch(() => ({}));
    if (response.ok) return content;
    if (response.status !== 503 || attempt === MAX_ATTEMPTS) {
      throw responseError(response.status, content, name);
    }
    const seconds = Math.min(response.headers.get("Retry-After") ?? 1, MAX_WAIT_SECONDS);
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  }
}

async function requireReadable(blob) {
  try {
    await blob.slice(0, 1).arrayBuffer();
  } catch {
    const message = "This cannot be opened. If it is a folder, drop its files instead.";
    throw new RequestError(message, 0, false);
  }
}

async function send(method, path, body, size = 0) {
  const headers = apiKey.get() ? { "X-API-Key": apiKey.get() } : {};
  const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  try {
    return await fetch(path, { method, body, headers, signal });
  } catch (error) {
    if (error.name === "TimeoutError") throw new RequestError("The server does not respond.");
    const hint = size > LARGE_FILE_BYTES ? "The file may be too large." : "Is it still running?";
    throw new RequestError(`The server cannot be reached. ${hint}`);
  }
}

function responseError(status, { detail, request_id: id }, name) {
  if (status === 401 && apiKey.get()) {
    return new RequestError("The server rejected this API key.", status);
  }
  if (MESSAGES[status]) return new RequestError(MESSAGES[status], status);
  // The page shows the file name already.
  const reason = String(detail ?? `status ${status}`).replace(`${name}: `, "");
  if (status === 413) {
    return new RequestError(`Too large for this server: ${reason}.`, status, false);
  }
  if (reason.startsWith("several digits")) {
    // The reason names a command, which the page does not have.
    return new RequestError("Several digits. Choose “Read as several digits”.", status, false);
  }
  if (status < 500) return new RequestError(asSentence(reason), status, false);
  const request = id ? `, request ${id}` : "";
  return new RequestError(`The server failed (${status}${request}).`, status);
}

function asSentence(text) {
  return text[0].toUpperCase() + text.slice(1) + (text.endsWith(".") ? "" : ".");
}
