// Readings in words.

// Digits of less confidence are pointed out.
export const DOUBTFUL = 0.9;

// With a space that does not break.
export function percent(share, over = ">") {
  return `${share > 0.9994 && share < 1 ? `${over}99.9` : (100 * share).toFixed(1)}\u00a0%`;
}

function sure(share) {
  return percent(share, "over ");
}

export function digitsOf(many) {
  return many.rows.flatMap((row) => row.digits);
}

export function sureness({ digit, confidence, probabilities }) {
  if (confidence >= 0.99) return `Sure, ${sure(confidence)}`;
  if (confidence >= DOUBTFUL) return `Fairly sure, ${sure(confidence)}`;
  const others = probabilities.map((share, other) => (other === digit ? -1 : share));
  const next = others.indexOf(Math.max(...others));
  return `Unsure, ${percent(confidence)}; or a ${next}, ${percent(others[next])}`;
}

// Of a picture: what was read, and how sure that is.
export function reading({ one, many }) {
  if (one) return [String(one.digit), `${sure(one.confidence)} sure`];
  const digits = digitsOf(many);
  const least = sure(Math.min(...digits.map((digit) => digit.confidence)));
  const text = many.rows.map((row) => row.number).join(" / ");
  const each = least.startsWith("over") ? "each " : "each at least ";
  return [text, `${digits.length > 1 ? each : ""}${least} sure`];
}

export function spoken(item) {
  if (item.error) return `${item.name}: ${item.error.message}`;
  return `Read as ${reading(item).join(", ").replace("\u00a0%", " percent")}`;
}

export function summary(many) {
  const digits = digitsOf(many);
  const unsure = digits.filter((digit) => digit.confidence < DOUBTFUL).length;
  const count = digits.length === 1 ? "1 digit" : `${digits.length} digits`;
  return unsure ? `${count}, ${unsure} of them unsure (dashed)` : `${count}, sure of each`;
}
