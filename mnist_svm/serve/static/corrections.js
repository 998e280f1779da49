// Corrections of answers, and learning from them; only if the server keeps corrections.

import { RequestError, getCorrections, keepCorrection, startLearning } from "./api.js";

const POLL_MS = 500;
const $ = (id) => document.getElementById(id);

export const canCorrect = "corrections" in document.body.dataset;

let isLearning = false;

// Show the buttons of all labels but the one that was read.
export function showCorrection(label) {
  $("kept").textContent = "";
  for (const button of $("labels").children) {
    button.hidden = button.value === String(label);
    button.removeAttribute("aria-pressed");
  }
}

// Show how many corrections there are, and what the last learning changed.
export async function showCorrections() {
  if (!canCorrect) return;
  try {
    showState(await getCorrections());
  } catch (error) {
    // Without the key, the answer panel asks for it when something is read.
    if (error.status !== 401) showProblem(error);
  }
}

// `shownPicture` returns a promise of a picture of the digit that is shown; `onLearned` is called
// when the server has a new model.
export function startCorrections(shownPicture, onLearned) {
  if (!canCorrect) return;
  for (let label = 0; label < 10; label++) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", value: label, textContent: label });
    button.addEventListener("click", () => keep(button, shownPicture));
    $("labels").append(button);
  }
  $("learn").addEventListener("click", () => learn(onLearned));
  showCorrections();
}

async function keep(button, shownPicture) {
  try {
    showState(await keepCorrection(await shownPicture(), button.value));
  } catch (error) {
    $("kept").textContent = messageOf(error);
    return;
  }
  for (const other of $("labels").children) {
    other.setAttribute("aria-pressed", String(other === button));
  }
  $("kept").textContent = `Kept as a ${button.value}.`;
}

async function learn(onLearned) {
  if (isLearning) return;
  isLearning = true;
  try {
    let state = await startLearning();
    showState(state);
    while (state.learning) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      state = await getCorrections();
    }
    showState(state);
    if (!state.outcome?.error) onLearned();
  } catch (error) {
    showProblem(error);
  } finally {
    isLearning = false;
  }
}

function showState({ n_corrections: n, learning, outcome }) {
  $("teach").hidden = !n && !outcome;
  $("learn").setAttribute("aria-disabled", String(learning || !n));
  const corrections = n === 1 ? "1 correction" : `${n} corrections`;
  $("learn").textContent = learning ? "Learning…" : `Learn from ${corrections}`;
  $("learned").textContent = learning ? "This takes some seconds; go on meanwhile." : sentence(outcome);
}

function showProblem(error) {
  $("teach").hidden = false;
  $("learn").setAttribute("aria-disabled", "false");
  $("learn").textContent = "Learn from corrections";
  $("learned").textContent = messageOf(error);
}

function sentence(outcome) {
  if (!outcome) return "Correct what is misread, five of each digit if you can, then let me learn.";
  if (outcome.error) return `Learning failed: ${outcome.error}`;
  const { corrections, test } = outcome;
  const learned =
    `Learned. Of ${corrections.n} corrections, ${corrections.before} were misread before, ` +
    `${corrections.after} when learning from the others only.`;
  if (!test) return learned;
  return `${learned} Of ${test.n} test images, ${test.before} were misread before, ${test.after} now.`;
}

function messageOf(error) {
  return error instanceof RequestError ? error.message : "The server sent an invalid response.";
}
