// Asks the gateway once a second for what is new and draws it. Several workers share the port: each answers for itself,
// so that what was seen is remembered by worker and their totals are added.
const EVERY = 1000;
const SHOWN = 100;

const seen = new Map(); // worker -> number of its last record
const totals = new Map(); // worker -> its counters
const watched = new Map(); // worker -> a sentence a route
let records = [];
let chosen = null;
let paused = false;

const at = (id) => document.getElementById(id);

function made(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function dollars(value) {
  if (value === 0) return "$0";
  const digits = value >= 100 ? 0 : value >= 1 ? 2 : Math.min(12, 1 - Math.floor(Math.log10(Math.abs(value))));
  return "$" + value.toFixed(digits);
}

// Tiny sums are told for a thousand or a million, so that they can be read.
function scaled(value) {
  const [count, name] = value >= 0.01 ? [1, "one verified answer"] : value >= 1e-5 ? [1e3, "a thousand verified answers"] : [1e6, "a million verified answers"];
  return ["$" + (value * count).toFixed(2), name];
}

function seconds(value) {
  return value < 1 ? Math.round(value * 1000) + "\u00a0ms" : value.toFixed(value < 10 ? 2 : 1) + "\u00a0s";
}

function joules(value) {
  if (value < 1) return rounded(1000 * value) + " mJ";
  return value < 1000 ? rounded(value) + " J" : rounded(value / 1000) + " kJ";
}

// Three digits that count, never written as a power of ten.
const rounded = (value) => Number(value.toPrecision(3));

const percent = (part, whole) => (whole ? Math.round((100 * part) / whole) + "\u00a0%" : "–");

function sum(field) {
  let found = 0;
  for (const one of totals.values()) found += one[field] || 0;
  return found;
}

function sums(field) {
  const found = {};
  for (const one of totals.values()) for (const [key, count] of Object.entries(one[field])) found[key] = (found[key] || 0) + count;
  return found;
}

async function ask() {
  const asked = [...seen].map(([worker, last]) => worker + ":" + last).join(",");
  const answer = await fetch("/dashboard/data?seen=" + asked, { cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  const told = await answer.json();
  seen.set(told.worker, told.last);
  totals.set(told.worker, told.totals);
  watched.set(told.worker, told.watch);
  if (told.records.length) {
    records = [...told.records, ...records].sort((one, other) => other.time - one.time).slice(0, SHOWN);
  }
  return told.records.length > 0;
}

async function follow() {
  if (!paused) {
    try {
      const news = await ask();
      if (!paused) {
        mark("live", "live");
        if (news) draw();
      }
    } catch (error) {
      mark("lost", "the gateway does not answer");
    }
  }
  setTimeout(follow, EVERY);
}

function mark(className, text) {
  at("state").className = className;
  at("state-text").textContent = text;
}

function draw() {
  drawTiles();
  drawPromises();
  drawRows();
  drawPath(chosen || records[0]);
  drawBars("reasons", sums("deferrals"), "", false);
  drawBars("tiers", sums("answers"), "answer", true);
}

// One worker watches for all: the one that knows more says more.
function drawPromises() {
  const found = {};
  for (const sentences of watched.values()) {
    for (const [route, sentence] of Object.entries(sentences)) if (sentence.length > (found[route] || "").length) found[route] = sentence;
  }
  const lines = Object.entries(found).map(([route, sentence]) => {
    const line = made("li");
    line.append(made("strong", "", route), made("span", "", sentence));
    return line;
  });
  at("quality").hidden = !lines.length;
  at("promises").replaceChildren(...lines);
}

function drawTiles() {
  const cost = sum("cost");
  const alone = sum("large_only");
  const requests = sum("requests");
  const answered = sum("answered");
  const saved = alone ? 1 - cost / alone : null;
  at("saved").textContent = saved === null ? "–" : Math.round(100 * saved) + " %";
  at("saved").parentElement.classList.toggle("loses", saved !== null && saved < 0);
  at("saved-note").textContent = alone ? dollars(cost) + " instead of " + dollars(alone) + " for the last tier alone" : "against the last tier alone";
  at("share").textContent = percent(sum("first"), answered);
  at("share-note").textContent = "of " + answered + " answers; " + percent(sum("escalated"), requests) + " of the requests escalated";
  const verified = sum("verified");
  const [price, count] = verified ? scaled(cost / verified) : ["–", ""];
  at("cps").textContent = price;
  at("cps-note").textContent = count ? "for " + count + "; " + verified + " so far" : "no answer was verified yet";
  const times = records.map((record) => record.seconds).sort((one, other) => one - other);
  at("time").textContent = times.length ? seconds(times[Math.floor(times.length / 2)]) : "–";
  at("time-note").textContent = times.length
    ? "median of the last " + times.length + "; 95\u00a0% within " + seconds(times[Math.floor(times.length * 0.95)])
    : "median of the last requests";
  const measured = sum("measured");
  at("energy").textContent = measured ? joules(sum("joules") / measured) : "–";
  at("energy-note").textContent = measured ? "by " + Object.keys(sums("methods")).join(", ") : "not measured: no counter is configured";
  at("requests").textContent = requests.toLocaleString("en");
  const errors = sum("errors");
  at("requests-note").textContent = errors ? errors + " failed" : "no failures";
}

function drawRows() {
  const body = at("rows");
  const held = document.activeElement && document.activeElement.dataset.id;
  at("empty").hidden = records.length > 0;
  body.replaceChildren(...records.map(row));
  if (held) body.querySelector('[data-id="' + CSS.escape(held) + '"]')?.focus();
}

function row(record) {
  const line = made("tr");
  line.tabIndex = 0;
  line.dataset.id = record.id;
  line.setAttribute("aria-selected", String(chosen === record));
  line.append(
    made("td", "", new Date(record.time * 1000).toLocaleTimeString("en-GB")),
    made("td", "", record.asked + (record.stream ? ", stream" : "")),
    way(record),
    confidence(record.confidence),
    made("td", "number", seconds(record.seconds)),
    made("td", "number", dollars(record.cost)),
  );
  const choose = () => {
    chosen = chosen === record ? null : record;
    draw();
  };
  line.addEventListener("click", choose);
  line.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      choose();
    }
  });
  return line;
}

function way(record) {
  const cell = made("td");
  const line = made("span", "way");
  record.path.forEach((attempt, index) => {
    if (index) line.append(made("span", "note", "→"));
    const chip = made("span", "chip " + (attempt.kept ? "ok" : "defer"), attempt.tier + (attempt.deferral ? ": " + attempt.deferral : ""));
    line.append(chip);
  });
  if (record.code !== "ok") line.append(made("span", "chip error", record.code));
  cell.append(line);
  return cell;
}

function confidence(value) {
  const cell = made("td");
  if (value === null) {
    cell.append(made("span", "note", "–"));
    return cell;
  }
  const gauge = made("span", "gauge");
  const fill = made("i");
  fill.style.width = Math.round(100 * value) + "%";
  gauge.append(fill);
  cell.append(gauge, made("span", "", Math.round(100 * value) + " %"));
  return cell;
}

function drawPath(record) {
  const place = at("path");
  if (!record) return;
  const about = [record.id, "route " + record.route, record.asked, seconds(record.seconds), dollars(record.cost)];
  if (record.joules !== null) about.push(joules(record.joules) + " (" + record.method + ")");
  at("path-about").textContent = (chosen ? "" : "the newest: ") + about.join(" · ");
  const nodes = [end("client", record.asked)];
  for (const skip of record.skipped) nodes.push(arrow("passed over", ""), step("skipped", skip.tier, skip.reason, []));
  record.path.forEach((attempt, index) => {
    const before = index ? record.path[index - 1] : null;
    const again = attempt.kind === "repair" ? "repair" : "";
    nodes.push(arrow(before ? again || before.deferral || "next" : "starts here", before ? "bad" : ""), attemptStep(attempt));
  });
  const good = record.code === "ok";
  nodes.push(arrow(good ? "kept" : record.code, good ? "good" : "bad"), end("client", good ? "gets the answer" : "gets an error"));
  place.replaceChildren(...nodes);
}

function attemptStep(attempt) {
  const chips = attempt.verdicts.map(([verifier, ruling, sure]) => {
    const said = ruling === "not_applicable" ? "n/a" : ruling;
    return made("span", "chip " + ruling, verifier + ": " + said + (sure === null ? "" : " " + Math.round(100 * sure) + " %"));
  });
  if (attempt.error) chips.unshift(made("span", "chip error", attempt.error));
  const facts = [seconds(attempt.seconds), attempt.tokens + " tokens", dollars(attempt.cost)];
  if (attempt.joules !== null) facts.push(joules(attempt.joules));
  return step(attempt.kept ? "kept" : "left", attempt.tier, facts.join(" · "), chips);
}

function step(className, title, note, chips) {
  const box = made("div", "step " + className);
  box.append(made("h3", "", title), made("p", "note", note));
  if (chips.length) {
    const line = made("div", "chips");
    line.append(...chips);
    box.append(line);
  }
  return box;
}

function end(title, note) {
  const box = made("div", "step end");
  box.append(made("h3", "", title), made("p", "note", note));
  return box;
}

function arrow(text, className) {
  const box = made("div", "arrow " + className);
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("viewBox", "0 0 100 14");
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(space, "path");
  line.setAttribute("d", "M2 7 H96 M88 2 L97 7 L88 12");
  line.setAttribute("fill", "none");
  line.setAttribute("stroke", "currentColor");
  line.setAttribute("stroke-width", "1.6");
  line.setAttribute("vector-effect", "non-scaling-stroke");
  drawing.append(line);
  box.append(made("span", "", text), drawing);
  return box;
}

function drawBars(id, counts, className, share) {
  const entries = Object.entries(counts).sort((one, other) => other[1] - one[1]);
  const most = Math.max(1, ...entries.map(([, count]) => count));
  const all = entries.reduce((total, [, count]) => total + count, 0);
  at(id).replaceChildren(
    ...entries.map(([name, count]) => {
      const bar = made("div", "bar " + className);
      const track = made("span", "track");
      const fill = made("i");
      fill.style.width = (100 * count) / (share ? all : most) + "%";
      track.append(fill);
      bar.append(made("span", "", name), track, made("span", "number", share ? percent(count, all) : String(count)));
      return bar;
    }),
  );
  if (!entries.length) at(id).replaceChildren(made("p", "note", "nothing yet"));
}

at("pause").addEventListener("click", () => {
  paused = !paused;
  at("pause").setAttribute("aria-pressed", String(paused));
  at("pause").textContent = paused ? "Go on" : "Pause";
  mark("", paused ? "paused" : "catching up");
  if (!paused) draw();
});

follow();
