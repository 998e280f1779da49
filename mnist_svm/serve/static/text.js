// Results as text.

// Digits with a lower confidence are marked as unsure.
export const SURE_FROM = 0.9;

// Format a probability, with a no-break space.
export function percent(share, over = ">") {
  return `${share > 0.9994 && share < 1 ? `${over}99.9` : (100 * share).toFixed(1)}\u00a0%`;
}

function percentInWords(share) {
  return percent(share, "over ");
}

export function digitsOf(page) {
  return page.rows.flatMap((row) => row.digits);
}

export function confidenceText({ label, confidence, probabilities }) {
  if (confidence >= 0.99) return `Sure, ${percentInWords(confidence)}`;
  if (confidence >= SURE_FROM) return `Fairly sure, ${percentInWords(confidence)}`;
  const others = probabilities.map((share, other) => (other === label ? -1 : share));
  const next = others.indexOf(Math.max(...others));
  return `Unsure, ${percent(confidence)}; or a ${next}, ${percent(others[next])}`;
}

// The digit of a result, or its numbers, and how sure all of that is.
export function resultTexts({ prediction, page }) {
  if (prediction) {
    return [String(prediction.label), `${percentInWords(prediction.confidence)} sure`];
  }
  const numbers = page.rows.flatMap((row) => row.numbers);
  const lowest = percentInWords(Math.min(...numbers.map((number) => number.confidence)));
  const text = page.rows.map((row) => row.text).join(" / ");
  const each = lowest.startsWith("over") ? "each " : "each at least ";
  return [text, `${numbers.length > 1 ? each : ""}${lowest} sure`];
}

// A result or an error for screen readers.
export function announcement(item) {
  if (item.error) return `${item.name}: ${item.error.message}`;
  return `Read as ${resultTexts(item).join(", ").replace("\u00a0%", " percent")}`;
}

export function pageSummary(page) {
  const digits = digitsOf(page);
  const nUnsure = digits.filter((digit) => digit.confidence < SURE_FROM).length;
  const count = digits.length === 1 ? "1 digit" : `${digits.length} digits`;
  return nUnsure ? `${count}, ${nUnsure} unsure (dashed)` : `${count}, all sure`;
}
