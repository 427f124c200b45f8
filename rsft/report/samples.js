"use strict";
// What is shown lies in scripts beside this page, each a call of rsftSamples: on a file:// page fetch() is
// refused, and script tags are not. All text comes in through textContent and option labels, never as HTML.

const KINDS = { c: "correct", w: "wrong", n: "no answer", t: "truncated", e: "error", "-": "none" };
const WHY = {
  c: "what was read is right",
  w: "what was read is not right",
  n: "nothing was found that states an answer",
  t: "the token limit came before an answer",
  e: "the grader failed; counts as no answer at all",
};
const KEPT = 40; // scripts' values held at once
const LONG = 60; // trials from which on they can be searched

const byId = (id) => document.getElementById(id);
const values = new Map();
const waiting = new Map();

function rsftSamples(file, value) {
  values.set(file, value);
  if (values.size > KEPT) values.delete(values.keys().next().value);
  if (waiting.has(file)) waiting.get(file)(value);
}

/** The value that a script beside the page hands over; rejects where there is none. */
function load(file) {
  if (values.has(file)) return Promise.resolve(values.get(file));
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    const done = () => { waiting.delete(file); script.remove(); };
    waiting.set(file, (value) => { done(); resolve(value); });
    script.onerror = () => { done(); reject(new Error(file)); };
    script.src = file.split("/").map(encodeURIComponent).join("/");
    document.body.append(script);
  });
}

/** A text as it can be seen: control signs as their pictures, what has no sign or turns the line by its number. */
function visible(text) {
  return text
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, (sign) => String.fromCharCode(0x2400 + sign.charCodeAt(0)))
    .replace(/[\u007f-\u009f\u202a-\u202e\u2066-\u2069]|\p{Surrogate}/gu,
      (sign) => "⟨U+" + sign.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0") + "⟩");
}

function made(tag, text, kind) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = visible(String(text));
  if (kind) element.className = kind;
  return element;
}

function many(count, noun) {
  return count.toLocaleString("en") + " " + noun + (count === 1 ? "" : "s");
}

function fill(select, options, wanted) {
  select.replaceChildren(...options.map(([value, label]) => {
    const option = made("option", label);
    option.value = value;
    return option;
  }));
  if (options.some(([value]) => String(value) === String(wanted))) select.value = wanted;
}

let index, family, folder, shown = [], at = 0, turn = 0;
const asked = new URLSearchParams(location.hash.slice(1)); // of a link to one answer

const named = (t) => [t.base, t.data, t.length, "seed " + t.seed, t.recipe === "default" ? "" : t.recipe]
  .filter(Boolean).join(" · ");

function fillTrials() {
  const words = byId("find").value.toLowerCase().split(/\s+/);
  const found = index.trials.map((trial, number) => [number, named(trial), trial.id])
    .filter(([, name, id]) => words.every((word) => (name + " " + id).toLowerCase().includes(word)));
  const before = byId("trial").value || index.trials.findIndex((trial) => trial.id === asked.get("trial"));
  fill(byId("trial"), found, before);
  return found.length;
}

const trial = () => index.trials[byId("trial").value];
const benchmark = () => index.benchmarks[byId("benchmark").value];

function fillBenchmarks() {
  const before = benchmark() ? benchmark().name : asked.get("benchmark");
  const options = trial().benchmarks.map((number) => [number, index.benchmarks[number].name]);
  fill(byId("benchmark"), options, (options.find(([, name]) => name === before) || [""])[0]);
}

async function openFamily() {
  const mine = ++turn;
  folder = "samples/" + trial().id + "/" + benchmark().key;
  try {
    const found = await load(folder + "/index.js");
    if (mine !== turn) return;
    family = found;
  } catch (error) {
    return lacking(error);
  }
  const steps = family.steps.map((step) => [step, step ? "step " + step : "step 0, the base"]);
  const first = byId("step").value || asked.get("step") || family.steps[family.steps.length - 1];
  fill(byId("step"), steps, family.steps.includes(Number(first)) ? first : family.steps[family.steps.length - 1]);
  const second = byId("against").value || asked.get("against") || "";
  fill(byId("against"), [["", "no other step"], ...steps], second);
  list(asked.get("answer"));
}

const verdictAt = (step, place) => family.verdicts[family.steps.indexOf(Number(step))][place];
/** Picked steps in the order of training. */
const picked = () => [byId("against").value, byId("step").value].filter((step) => step !== "").sort((a, b) => a - b);

/** Where an answer's verdict went between the picked steps: `lost`, `won` or neither. */
function turned(place) {
  const [before, after] = picked().map((step) => verdictAt(step, place));
  if (before === "c" && "wnt".includes(after)) return "lost";
  return after === "c" && "wnt".includes(before) ? "won" : "";
}

/** What is listed under the filters; `wanted` is the answer to begin with, as `problem.sample`. */
function list(wanted) {
  const step = byId("step").value, against = byId("against").value;
  const outcome = byId("outcome").value, change = byId("change").value;
  byId("change").disabled = against === "";
  shown = family.slots.map((_, place) => place).filter((place) => {
    const now = verdictAt(step, place);
    if (outcome && now !== outcome) return false;
    const way = against === "" ? "" : turned(place);
    return against === "" || !change || way === change || (change === "both" && way !== "");
  });
  const start = shown.findIndex((place) => family.slots[place].join(".") === wanted);
  at = Math.max(0, start);
  byId("list").replaceChildren(...shown.map((place, number) => {
    const item = made("li"), button = made("button");
    button.type = "button";
    const [problem, sample] = family.slots[place], now = verdictAt(step, place);
    button.append(made("span", problem + (benchmark().samples > 1 ? " · " + (sample + 1) : "")));
    const colour = against === "" ? now : { lost: "w", won: "c" }[turned(place)] || "";
    button.append(made("span", picked().map((each) => KINDS[verdictAt(each, place)]).join(" → "), "verdict " + colour));
    button.onclick = () => { at = number; show(); };
    item.append(button);
    return item;
  }));
  summarise();
  byId("columns").hidden = !shown.length;
  byId("choices").hidden = byId("about").hidden = false;
  if (shown.length) show();
  else ++turn;
}

function summarise() {
  const step = Number(byId("step").value), against = byId("against").value;
  const total = (each) => family.totals[family.steps.indexOf(Number(each))];
  const all = Object.values(total(step)).reduce((sum, count) => sum + count, 0);
  const kinds = Object.entries(total(step)).map(([kind, count]) => count.toLocaleString("en") + " " + kind.replace("_", " "));
  let said = (shown.length ? many(shown.length, "answer") : "No answer") + " under these filters, of " +
    family.slots.length.toLocaleString("en") + " that can be read here, of " + all.toLocaleString("en") +
    " given at step " + step + " (" + kinds.join(", ") + ").";
  if (against !== "") {
    const [i, j] = picked().map((each) => family.steps.indexOf(Number(each)));
    said += " From step " + family.steps[i] + " to step " + family.steps[j] + ", of all answers " +
      family.lost[i][j].toLocaleString("en") + " went right → wrong and " +
      family.lost[j][i].toLocaleString("en") + " wrong → right.";
  }
  byId("said").textContent = said;
  byId("about").textContent = "Each cell has at most " + index.places + " answers here: half of them drawn among " +
    "those whose verdict changes between two neighbouring steps of the trial, the others among the rest, the same " +
    "answers at every step" + (index.trials.length < index.of ? "; " + many(index.trials.length, "trial") + " of " +
    index.of.toLocaleString("en") + " are here, drawn too or not yet answered" : "") + ". " +
    (benchmark().temperature > 0 ? "Answers are sampled at temperature " + benchmark().temperature +
    ": one change of one verdict may be chance. " : "") +
    "Arrow keys ← and → turn to the previous and next answer. Signs that cannot be seen are shown by pictures or numbers.";
}

async function show() {
  const mine = ++turn, place = shown[at], step = byId("step").value, against = byId("against").value;
  const [problem, sample] = family.slots[place], about = family.problems[problem];
  byId("title").textContent = visible(benchmark().name + ", problem " + problem +
    (benchmark().samples > 1 ? ", answer " + (sample + 1) + " of " + benchmark().samples : ""));
  byId("place").textContent = at + 1 + " of " + shown.length;
  byId("previous").disabled = at === 0;
  byId("next").disabled = at === shown.length - 1;
  byId("problem").textContent = visible(about.prompt || "(the problem's text is not in the storage)");
  byId("gold").textContent = about.gold ? "Reference answer: " + visible(about.gold) : "";
  [...byId("list").querySelectorAll("button")].forEach((button, number) => {
    if (number === at) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  });
  const current = byId("list").children[at], box = byId("list");
  if (current.offsetTop < box.scrollTop || current.offsetTop + current.offsetHeight > box.scrollTop + box.clientHeight) {
    box.scrollTop = current.offsetTop - box.clientHeight / 2; // not scrollIntoView, which moves the page too
  }
  const link = new URLSearchParams({ trial: trial().id, benchmark: benchmark().name, step, answer: problem + "." + sample });
  if (against !== "") link.set("against", against);
  for (const id of ["outcome", "change"]) if (byId(id).value) link.set(id, byId(id).value);
  history.replaceState(null, "", "#" + link);
  const steps = picked();
  try {
    const cells = await Promise.all(steps.map((each) => load(folder + "/step_" + each.padStart(6, "0") + ".js")));
    if (mine !== turn) return;
    byId("sides").replaceChildren(...cells.map((rows, i) => side(steps[i], verdictAt(steps[i], place), rows[place])));
  } catch (error) {
    if (mine === turn) lacking(error);
  }
}

function side(step, verdict, row) {
  const box = made("section", undefined, "side"), head = made("div", undefined, "head");
  head.append(made("h3", Number(step) ? "Step " + step : "Step 0, the base"), made("span", KINDS[verdict], "verdict " + verdict));
  box.append(head);
  if (!row) {
    box.append(made("p", "This answer was not asked for at this step.", "note"));
    return box;
  }
  const facts = made("dl");
  const add = (name, said) => { if (said) facts.append(made("dt", name), made("dd", said)); };
  add("Read", row.answer === null ? "nothing" : row.answer);
  add("Where", row.where);
  add("Why", WHY[verdict] + (row.why ? ": " + row.why : "") + (row.cut && verdict !== "t" ? "; cut at the token limit" : ""));
  add("Grader's number", row.raw === null ? "none" : String(row.raw));
  add("Length", many(row.tokens, "token") + ", " + many(row.characters, "character"));
  box.append(facts);
  if (row.text === undefined) {
    box.append(made("p", "The text is in generations.parquet alone: this cell's file is full.", "note"));
    return box;
  }
  if (row.thinking) {
    const fold = made("details");
    fold.append(made("summary", "Thinking, " + many(row.thinking.length, "character")), made("pre", row.thinking));
    box.append(fold);
  }
  if (row.text || !row.thinking) box.append(made("pre", row.text.replace(/^\n+|\n+$/g, "") || "(empty)"));
  else box.append(made("p", "Nothing follows the thinking.", "note"));
  return box;
}

function lacking(error) {
  byId("columns").hidden = true;
  byId("said").textContent = "There is no " + error.message + " beside this page: copy the folder samples/ with it, " +
    "or write both again with rsft report.";
}

function turnTo(number) {
  if (number < 0 || number >= shown.length) return;
  const inList = byId("list").contains(document.activeElement);
  at = number;
  show();
  if (inList) byId("list").children[at].firstChild.focus({ preventScroll: true });
}

function begin(found) {
  index = found;
  if (!index.trials.length) {
    byId("said").textContent = "No answer is graded yet; this page fills as cells are.";
    return;
  }
  byId("find-label").hidden = index.trials.length < LONG;
  fill(byId("outcome"), [["", "any"], ...Object.entries(KINDS).slice(0, 5)], asked.get("outcome") || "");
  const changes = [["", "any"], ["lost", "right → wrong"], ["won", "wrong → right"], ["both", "changed"]];
  fill(byId("change"), changes, asked.get("change") || "");
  fillTrials();
  fillBenchmarks();
  openFamily();
}

byId("choices").onsubmit = (event) => event.preventDefault();
byId("find").oninput = () => { if (fillTrials()) { fillBenchmarks(); openFamily(); } };
byId("trial").onchange = () => { fillBenchmarks(); openFamily(); };
byId("benchmark").onchange = openFamily;
for (const id of ["step", "against", "outcome", "change"]) {
  byId(id).onchange = () => list(shown.length ? family.slots[shown[at]].join(".") : undefined);
}
byId("previous").onclick = () => turnTo(at - 1);
byId("next").onclick = () => turnTo(at + 1);
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || /^(SELECT|INPUT)$/.test(event.target.tagName)) return;
  const inList = byId("list").contains(event.target);
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key] || (inList && { ArrowUp: -1, ArrowDown: 1 }[event.key]);
  if (!by) return;
  event.preventDefault();
  turnTo(at + by);
});
load("samples/index.js").then(begin, lacking);
