// Draws the matrix from tiles of its lower triangle; the upper one is the same tiles, mirrored.
"use strict";

const $ = (id) => document.getElementById(id);
const canvas = $("matrix"), ink = canvas.getContext("2d"), tip = $("tip");
const MOST_TILES = 96; // kept, or twice what is seen
const IN_FLIGHT = 6; // questions at a time
const AGAIN = 1500; // milliseconds until what is not complete is asked for again
const WRITTEN = 42, WIDEST = 170; // pixels of a number from which it is written; at most
const LETTER = 7; // pixels of a letter, about

let facts, part, limits, lut, hatch, styles; // limits: [low, high]
let view = { x: 0, y: 0, scale: 1 }; // row and column at the corner, pixels of a number
let margin = { left: 60, top: 24 };
let pointer = null, drawing = false, failure = "";
const tiles = new Map(), numbers = new Map(), labels = new Map(), asked = new Set();
let queue = [], inFlight = 0, dragged = null;

const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
const size = () => ({ w: canvas.clientWidth - margin.left, h: canvas.clientHeight - margin.top });

// ---- what is asked for ------------------------------------------------------------------------------------

async function get(path, form) {
  const answer = await fetch(path).catch(() => { throw new Error("no answer: is it still being served?"); });
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return answer[form]();
}

// The latest questions first, a few at a time; what is no longer seen is not asked for.
function ask(key, fetched) {
  if (asked.has(key)) return;
  queue.push([key, fetched]);
}

function pump() {
  while (inFlight < IN_FLIGHT && queue.length) {
    const [key, fetched] = queue.shift();
    if (asked.has(key)) continue;
    asked.add(key);
    inFlight++;
    fetched().then(() => { failure = ""; }, (error) => { failure = String(error.message || error); })
      .finally(() => { inFlight--; asked.delete(key); draw(failure ? AGAIN : 0); });
  }
}

function tileKey(level, i, j) { return `tile/${part.name}/${level}/${i}/${j}`; }

async function fetchTile(key) {
  const buffer = await get(key, "arrayBuffer");
  const [height, width, sample, known] = new Uint32Array(buffer, 0, 4);
  const cells = height * width, Real = facts.bytes === 4 ? Float32Array : Float64Array;
  const planes = (buffer.byteLength - 16 - 2 * cells) / (cells * facts.bytes);
  const plane = (k) => new Real(buffer, 16 + k * cells * facts.bytes, cells);
  const share = (k) => new Uint8Array(buffer, 16 + planes * cells * facts.bytes + k * cells, cells);
  tiles.delete(key);
  tiles.set(key, {
    height, width, sample: sample > 0, known: known / 1000, at: performance.now(), bitmaps: {},
    mean: plane(0), extreme: plane(planes - 1), odd: share(0), absent: share(1),
  });
  const most = Math.max(MOST_TILES, 2 * tilesSeen(level()).length);
  while (tiles.size > most) tiles.delete(tiles.keys().next().value);
}

function wantTile(level, i, j) {
  const key = tileKey(level, i, j), tile = tiles.get(key);
  if (tile) {
    tiles.delete(key); // seen last
    tiles.set(key, tile);
  }
  if (!tile || (tile.known < 1 && performance.now() - tile.at > AGAIN)) ask(key, () => fetchTile(key));
  return tile;
}

function numberAt(i, j) {
  const [a, b] = [Math.floor(i / facts.block), Math.floor(j / facts.block)], key = `numbers/${a}/${b}`;
  const found = numbers.get(key);
  if (!found || (found.absent && performance.now() - found.at > AGAIN)) {
    ask(key, async () => {
      const texts = await get(key, "json");
      const absent = texts.some((row) => row.some((text) => text === "not done"));
      numbers.set(key, { texts, absent, at: performance.now() });
      while (numbers.size > 256) numbers.delete(numbers.keys().next().value);
    });
  }
  return found && found.texts[i - a * facts.block][j - b * facts.block];
}

let unnamed = new Set();
function label(row) {
  if (!facts.labels) return String(row);
  if (!labels.has(row)) unnamed.add(row);
  return labels.get(row) ?? "";
}

function askLabels() {
  const rows = [...unnamed].slice(0, 256);
  unnamed = new Set();
  if (!rows.length) return;
  const key = `labels/${rows.join()}`;
  ask(key, async () => {
    const found = await get(key, "json");
    if (labels.size > 20000) labels.clear();
    rows.forEach((row, k) => labels.set(row, found[k]));
  });
}

// ---- colours ----------------------------------------------------------------------------------------------

function rgb(hex) { return [1, 3, 5].map((k) => parseInt(`#${hex}`.slice(k, k + 2), 16)); }

function mixed(stops, t) {
  const at = t * (stops.length - 1), k = Math.min(Math.floor(at), stops.length - 2);
  return stops[k].map((c, channel) => c + (at - k) * (stops[k + 1][channel] - c));
}

function recolour() {
  const stops = facts.colours[$("colours").value].map(rgb);
  lut = Array.from({ length: 256 }, (_, k) => mixed(stops, k / 255).map(Math.round));
  const bar = $("bar").getContext("2d"), image = bar.createImageData(256, 1);
  lut.forEach((colour, k) => image.data.set([...colour, 255], 4 * k));
  bar.putImageData(image, 0, 0);
  for (const tile of tiles.values()) tile.bitmaps = {};
  draw();
}

function colour(x) {
  return lut[clamp(Math.floor(256 * (x - limits[0]) / (limits[1] - limits[0])), 0, 255)];
}

// A tile in colours: of sign 1 as it stands below the diagonal, of the part's sign as its mirror has to be.
function bitmap(tile, sign) {
  const summary = $("summary").value, key = `${summary}${sign}`;
  if (tile.bitmaps[key]) return tile.bitmaps[key];
  const made = document.createElement("canvas");
  [made.width, made.height] = [tile.width, tile.height];
  const context = made.getContext("2d"), image = context.createImageData(tile.width, tile.height);
  const values = tile[summary], { data } = image;
  for (let k = 0; k < values.length; k++) {
    const x = values[k], odd = tile.odd[k], absent = tile.absent[k];
    let shown = styles.paperRgb;
    if (x === x) {
      shown = colour(sign * x);
      if (odd) shown = mixed([shown, styles.oddRgb], 0.35 + 0.65 * odd / 255);
    } else if (odd) shown = styles.oddRgb;
    data.set(shown, 4 * k);
    data[4 * k + 3] = absent === 255 ? 0 : 255 - absent * 0.8;
  }
  context.putImageData(image, 0, 0);
  tile.bitmaps[key] = made;
  return made;
}

// ---- the picture ------------------------------------------------------------------------------------------

function draw(later = 0) {
  if (later) return setTimeout(draw, later);
  if (!drawing) requestAnimationFrame(paint);
  drawing = true;
}

function level() {
  const perPixel = 1 / (view.scale * devicePixelRatio);
  const wanted = Math.max(0, Math.ceil(Math.log2(perPixel) - 0.01));
  return facts.levels.find((k) => k >= wanted) ?? facts.levels.at(-1);
}

function seen() {
  const { w, h } = size(), n = facts.n;
  return {
    top: clamp(view.y, 0, n), left: clamp(view.x, 0, n),
    bottom: clamp(view.y + h / view.scale, 0, n), right: clamp(view.x + w / view.scale, 0, n),
  };
}

function middle() {
  const { w, h } = size();
  return { row: view.y + h / view.scale / 2, column: view.x + w / view.scale / 2 };
}

// The cell of a level that a number is in: its tile, its place there, and the sign of its triangle.
function cellOf(at, i, j) {
  const span = facts.tile * 2 ** at, [a, b] = [Math.max(i, j), Math.min(i, j)];
  const tile = tiles.get(tileKey(at, Math.floor(a / span), Math.floor(b / span)));
  const within = (x) => Math.floor((x % span) / 2 ** at);
  return tile && { tile, k: within(a) * tile.width + within(b), sign: i < j ? part.sign : 1 };
}

function tilesSeen(at) {
  const span = facts.tile * 2 ** at, part = seen(), found = [];
  for (let i = Math.floor(part.top / span); i * span < part.bottom; i++) {
    for (let j = Math.floor(part.left / span); j * span < part.right; j++) found.push([i, j]);
  }
  return found;
}

// Draws tile (i, j) of a level, of either triangle; of a coarser one only what lies in `clip`.
function place(tile, at, i, j, clip) {
  const span = facts.tile * 2 ** at, cell = 2 ** at * view.scale;
  ink.save();
  if (clip) {
    ink.beginPath();
    ink.rect(...clip);
    ink.clip();
  }
  const x = (j * span - view.x) * view.scale, y = (i * span - view.y) * view.scale;
  if (i >= j) ink.setTransform(...scaled(cell, 0, 0, cell, x, y));
  else ink.setTransform(...scaled(0, cell, cell, 0, x, y));
  ink.drawImage(bitmap(tile, i >= j ? 1 : part.sign), 0, 0);
  ink.restore();
}

function scaled(a, b, c, d, x, y) {
  const r = devicePixelRatio;
  return [a * r, b * r, c * r, d * r, (x + margin.left) * r, (y + margin.top) * r];
}

function paint() {
  drawing = false;
  const r = devicePixelRatio, w = canvas.clientWidth, h = canvas.clientHeight;
  if (canvas.width !== Math.round(w * r) || canvas.height !== Math.round(h * r)) {
    [canvas.width, canvas.height] = [Math.round(w * r), Math.round(h * r)];
  }
  queue = [];
  ink.setTransform(r, 0, 0, r, 0, 0);
  ink.fillStyle = styles.paper;
  ink.fillRect(0, 0, w, h);
  if (facts.n) paintMatrix(w, h);
  else {
    ink.fillStyle = styles.ink;
    ink.font = styles.font;
    ink.textAlign = "center";
    ink.fillText("The matrix is 0 x 0: there is nothing to show.", w / 2, h / 2);
  }
  pump();
}

function paintMatrix(w, h) {
  const at = level(), r = devicePixelRatio, n = facts.n;
  ink.save();
  ink.beginPath();
  ink.rect(margin.left, margin.top, w, h);
  ink.clip();
  const whole = [-view.x * view.scale, -view.y * view.scale, n * view.scale, n * view.scale];
  ink.setTransform(r, 0, 0, r, margin.left * r, margin.top * r);
  ink.fillStyle = hatch;
  ink.fillRect(...whole);
  ink.imageSmoothingEnabled = false;
  let waiting = 0, sampled = 0, known = 1;
  const centre = under() ?? middle();
  const span = facts.tile * 2 ** at;
  const far = ([i, j]) => Math.hypot((i + 0.5) * span - centre.row, (j + 0.5) * span - centre.column);
  for (const [i, j] of tilesSeen(at).sort((a, b) => far(a) - far(b))) {
    const tile = wantTile(at, Math.max(i, j), Math.min(i, j));
    if (tile) {
      place(tile, at, i, j);
      sampled += tile.sample;
      known = Math.min(known, tile.known);
    } else {
      waiting++;
      const [wide, high] = [j, i].map((k) => (Math.min(n, (k + 1) * span) - k * span) * view.scale);
      const clip = [(j * span - view.x) * view.scale, (i * span - view.y) * view.scale, wide, high];
      ink.fillStyle = styles.paper;
      ink.fillRect(...clip);
      for (const up of facts.levels.filter((k) => k > at)) { // until it comes, a coarser one
        const [a, b] = [i, j].map((k) => Math.floor(k * 2 ** (at - up)));
        const coarser = tiles.get(tileKey(up, Math.max(a, b), Math.min(a, b)));
        if (coarser) {
          place(coarser, up, a, b, clip);
          break;
        }
      }
    }
  }
  if (view.scale >= WRITTEN) writeNumbers();
  mark();
  ink.setTransform(r, 0, 0, r, margin.left * r, margin.top * r);
  ink.strokeStyle = styles.line;
  ink.strokeRect(...whole);
  ink.restore();
  ink.setTransform(r, 0, 0, r, 0, 0);
  axes();
  tell(at, waiting, sampled, known);
  point();
  askLabels();
  if (known < 1) draw(AGAIN);
}

// A number in as many digits as there is room for; all of them, or none.
function brief(text, room) {
  if (text.length <= room) return text;
  const x = Number(text);
  for (let digits = 12; Number.isFinite(x) && digits > 1; digits--) {
    const said = String(Number(x.toPrecision(digits)));
    if (said.length <= room) return said;
  }
  return "";
}

function writeNumbers() {
  const { top, left, bottom, right } = seen(), room = Math.floor((view.scale - 8) / LETTER);
  const r = devicePixelRatio;
  ink.setTransform(r, 0, 0, r, margin.left * r, margin.top * r);
  ink.font = styles.font;
  ink.textAlign = "center";
  ink.textBaseline = "middle";
  for (let i = Math.floor(top); i < bottom; i++) {
    for (let j = Math.floor(left); j < right; j++) {
      const text = numberAt(i, j), cell = cellOf(0, i, j);
      if (text === undefined || !cell) continue;
      const { tile, k, sign } = cell, x = sign * tile.mean[k];
      const [red, green, blue] = x === x ? colour(x) : tile.odd[k] ? styles.oddRgb : styles.paperRgb;
      ink.fillStyle = 0.3 * red + 0.59 * green + 0.11 * blue > 130 ? "#111" : "#fff";
      if (tile.absent[k]) ink.fillStyle = styles.ink;
      else if (x !== x && !tile.odd[k]) ink.fillStyle = styles.faint; // not stored
      ink.fillText(brief(text, room), (j + 0.5 - view.x) * view.scale, (i + 0.5 - view.y) * view.scale);
    }
  }
}

// A frame around the number, or the cell, under the pointer.
function mark() {
  const at = under(), k = 2 ** level(), r = devicePixelRatio;
  if (!at) return;
  const [i, j] = [at.row, at.column].map((x) => Math.floor(x / k) * k);
  if (k * view.scale < 4) return;
  ink.setTransform(r, 0, 0, r, margin.left * r, margin.top * r);
  ink.strokeStyle = styles.ink;
  ink.lineWidth = 1.5;
  ink.strokeRect((j - view.x) * view.scale, (i - view.y) * view.scale, k * view.scale, k * view.scale);
  ink.lineWidth = 1;
}

function nice(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  return [1, 2, 5, 10].map((k) => k * power).find((step) => step >= least);
}

function cut(text, room) {
  const letters = Math.floor(room / LETTER);
  return text.length <= letters ? text : `${text.slice(0, Math.max(1, letters - 1))}…`;
}

function axes() {
  const { top, left, bottom, right } = seen();
  ink.fillStyle = styles.ink;
  ink.font = styles.font;
  ink.strokeStyle = styles.faint;
  ink.textBaseline = "middle";
  const wide = facts.labels ? 14 : LETTER * (String(facts.n).length + 2);
  const ticks = (from, to, least, text) => {
    const step = nice(least / view.scale);
    for (let k = Math.ceil((from - 0.5) / step) * step; k + 0.5 <= to; k += step) {
      if (k >= 0 && k < facts.n) text(k, label(k));
    }
  };
  ink.textAlign = "right";
  ticks(top, bottom, 15, (k, name) => {
    const y = margin.top + (k + 0.5 - view.y) * view.scale;
    ink.fillText(cut(name, margin.left - 10), margin.left - 7, y);
    ink.fillRect(margin.left - 4, y, 4, 1);
  });
  ticks(left, right, wide, (k, name) => {
    const x = margin.left + (k + 0.5 - view.x) * view.scale;
    ink.save();
    ink.translate(x, margin.top - 7);
    if (facts.labels) ink.rotate(-Math.PI / 2);
    ink.textAlign = facts.labels ? "left" : "center";
    ink.fillText(cut(name, facts.labels ? margin.top - 10 : 1e9), 0, facts.labels ? 0 : -4);
    ink.restore();
    ink.fillRect(x, margin.top - 4, 1, 4);
  });
}

function tell(at, waiting, sampled, known) {
  const k = 2 ** at, what = $("summary").value === "mean" ? "mean" : "number of largest size";
  const stored = facts.stored ? " that are stored" : "";
  $("cell").textContent = at ? `Each cell: ${what} of ${k} x ${k} numbers${stored}` : "Each cell: one number";
  const percent = `${Math.floor(100 * known)} % ${facts.tiled ? "done and " : ""}read`;
  let said = waiting ? "loading" : "";
  if (sampled) said = `a sample is shown: ${percent}`;
  else if (known < 1 && at) said = percent;
  $("state").textContent = failure || said;
  $("state").classList.toggle("failed", failure !== "");
  canvas.dataset.level = at;
  canvas.dataset.settled = waiting || sampled || queue.length || inFlight ? "" : "yes";
}

// ---- the pointer ------------------------------------------------------------------------------------------

function say(rows) {
  tip.replaceChildren(...rows.map(([tag, text]) => {
    const line = document.createElement(tag);
    line.textContent = text;
    const box = document.createElement("div");
    box.append(line);
    return box;
  }));
}

function named(what, first, last) {
  const where = first === last ? String(first) : `${first} to ${last}`;
  if (!facts.labels) return `${what} ${where}`;
  const names = first === last ? label(first) : `${label(first)} … ${label(last)}`;
  return `${what} ${where}: ${names}`;
}

function point() {
  const here = under(), at = level(), k = 2 ** at, n = facts.n;
  tip.hidden = !here;
  if (!here) return;
  const [i, j] = [here.row, here.column].map((x) => Math.floor(x / k) * k);
  const [a, b] = [i, j].map((x) => Math.min(x + k, n) - 1);
  const rows = [["span", named("row", i, a)], ["span", named("column", j, b)]];
  if (at === 0) rows.push(["b", numberAt(i, j) ?? "…"]);
  else rows.push(...cellFacts(at, i, j));
  say(rows);
  const beside = (x, size, all) => `${x + 14 + size < all ? x + 14 : Math.max(0, x - 14 - size)}px`;
  tip.style.left = beside(pointer.x, tip.clientWidth, canvas.clientWidth);
  tip.style.top = beside(pointer.y, tip.clientHeight, canvas.clientHeight);
}

function cellFacts(at, i, j) {
  const cell = cellOf(at, i, j);
  if (!cell) return [["b", "…"]];
  const { tile, k, sign } = cell, said = [], of = tile.sample ? " of a sample" : "";
  if (tile.mean[k] === tile.mean[k]) {
    said.push(["b", `mean${of} ${Number((sign * tile.mean[k]).toPrecision(6))}`]);
    said.push(["span", `largest size${of} ${Number((sign * tile.extreme[k]).toPrecision(6))}`]);
  } else if (facts.stored && !tile.odd[k]) said.push(["span", "nothing stored"]);
  const share = (x) => (x === 255 ? "all" : `${Math.max(1, Math.floor(x / 2.55))} %`);
  if (tile.odd[k]) said.push(["span", `${share(tile.odd[k])} NaN or infinite`]);
  if (tile.absent[k]) said.push(["span", `${share(tile.absent[k])} not done, not yet read or damaged`]);
  return said;
}

function zoom(factor, x, y) {
  const { w, h } = size();
  const least = Math.min(w, h) / facts.n / 2, scale = clamp(view.scale * factor, Math.min(least, 1), WIDEST);
  view.x += x / view.scale - x / scale;
  view.y += y / view.scale - y / scale;
  view.scale = scale;
  held();
}

// Some of the matrix stays in sight.
function held() {
  const { w, h } = size(), n = facts.n;
  view.x = clamp(view.x, Math.min(0, n - w / view.scale) - 0.25 * w / view.scale, n - 0.25 * w / view.scale);
  view.y = clamp(view.y, Math.min(0, n - h / view.scale) - 0.25 * h / view.scale, n - 0.25 * h / view.scale);
  draw();
}

function whole() {
  const { w, h } = size();
  view.scale = Math.min((Math.min(w, h) - 12) / Math.max(facts.n, 1), WIDEST);
  view.x = view.y = 0;
  draw();
}

function local(event) {
  const box = canvas.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

// Where in the matrix the pointer is, null where it is not in it.
function under() {
  if (!pointer || dragged) return null;
  const { x, y } = pointer, n = facts.n;
  const row = (y - margin.top) / view.scale + view.y, column = (x - margin.left) / view.scale + view.x;
  const inside = x > margin.left && y > margin.top && row >= 0 && column >= 0 && row < n && column < n;
  return inside ? { row, column } : null;
}

function listen() {
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { x, y } = local(event), turned = clamp(event.deltaY * (event.deltaMode ? 20 : 1), -200, 200);
    zoom(2 ** (-turned / 200), x - margin.left, y - margin.top);
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    dragged = { ...local(event), at: { ...view } };
    canvas.classList.add("dragged");
  });
  canvas.addEventListener("pointermove", (event) => {
    if (dragged) {
      const { x, y } = local(event);
      view.x = dragged.at.x - (x - dragged.x) / view.scale;
      view.y = dragged.at.y - (y - dragged.y) / view.scale;
      held();
    }
    pointer = local(event);
    draw();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => {
      dragged = null;
      canvas.classList.remove("dragged");
      draw();
    });
  }
  canvas.addEventListener("pointerleave", () => { pointer = null; draw(); });
  canvas.addEventListener("dblclick", (event) => {
    const { x, y } = local(event);
    zoom(event.shiftKey ? 0.25 : 4, x - margin.left, y - margin.top);
  });
  const about = (factor) => zoom(factor, size().w / 2, size().h / 2);
  const move = (x, y) => {
    view.x += x * size().w / view.scale;
    view.y += y * size().h / view.scale;
    held();
  };
  const keys = {
    "+": () => about(2), "=": () => about(2), "-": () => about(0.5), 0: whole,
    ArrowLeft: () => move(-0.2, 0), ArrowRight: () => move(0.2, 0),
    ArrowUp: () => move(0, -0.2), ArrowDown: () => move(0, 0.2),
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  $("in").onclick = () => about(2);
  $("out").onclick = () => about(0.5);
  $("whole").onclick = whole;
  $("part").onchange = () => { choose(facts.parts[$("part").selectedIndex]); };
  $("summary").onchange = () => draw();
  $("colours").onchange = recolour;
  $("low").onchange = $("high").onchange = () => setLimits(Number($("low").value), Number($("high").value));
  $("automatic").onclick = () => setLimits(part.low, part.high);
  $("visible").onclick = fromView;
  $("go").onsubmit = (event) => { event.preventDefault(); go($("place").value); };
  new ResizeObserver(() => draw()).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readStyles(); recolour(); });
}

// ---- limits, places ---------------------------------------------------------------------------------------

function setLimits(low, high) {
  const fits = Number.isFinite(low) && Number.isFinite(high) && low < high;
  for (const id of ["low", "high"]) $(id).setCustomValidity(fits ? "" : "two numbers, the lower one first");
  if (!fits) return void $("high").reportValidity();
  limits = [low, high];
  [$("low").value, $("high").value] = limits;
  recolour();
}

function fromView() {
  const at = level(), k = 2 ** at, { top, left, bottom, right } = seen(), found = [];
  const step = Math.max(k, k * Math.ceil((bottom - top) / k / 256));
  for (let i = Math.floor(top / k) * k; i < bottom; i += step) {
    for (let j = Math.floor(left / k) * k; j < right; j += step) {
      const cell = cellOf(at, i, j), isOwn = Math.floor(i / k) === Math.floor(j / k);
      const x = cell && !isOwn ? cell.sign * cell.tile[$("summary").value][cell.k] : NaN;
      if (Number.isFinite(x)) found.push(x);
    }
  }
  if (!found.length) return;
  found.sort((a, b) => a - b);
  let [low, high] = [0.01, 0.99].map((q) => Number(found[Math.round(q * (found.length - 1))].toPrecision(3)));
  if ($("colours").value === "RdBu") {
    high = Math.max(Math.abs(low), Math.abs(high));
    low = -high;
  }
  if (low === high) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
  if (low < high) setLimits(low, high);
}

async function go(text) {
  const box = $("place");
  try {
    const [i, j] = await get(`find/${encodeURIComponent(text)}`, "json"), { w, h } = size();
    box.setCustomValidity("");
    view.scale = Math.max(view.scale, 60);
    view.x = j + 0.5 - w / view.scale / 2;
    view.y = i + 0.5 - h / view.scale / 2;
    held();
  } catch {
    box.setCustomValidity(`no row is ${text}, and no pair`);
    box.reportValidity();
  }
}

// ---- the beginning ----------------------------------------------------------------------------------------

function readStyles() {
  const css = getComputedStyle(document.documentElement);
  const of = (name) => css.getPropertyValue(`--${name}`).trim();
  const plain = (hex) => rgb(hex.length === 4 ? [...hex.slice(1)].map((c) => c + c).join("") : hex.slice(1));
  styles = { font: "12px system-ui, sans-serif" };
  for (const name of ["paper", "ink", "faint", "line", "odd"]) styles[name] = of(name);
  styles.paperRgb = plain(styles.paper);
  styles.oddRgb = plain(styles.odd);
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const context = tile.getContext("2d");
  context.fillStyle = of("absent");
  context.fillRect(0, 0, 8, 8);
  context.strokeStyle = of("hatch");
  for (const x of [-8, 0, 8]) {
    context.moveTo(x, 8);
    context.lineTo(x + 8, 0);
  }
  context.stroke();
  hatch = ink.createPattern(tile, "repeat");
}

function choose(chosen) {
  part = chosen;
  $("colours").value = part.colours;
  setLimits(part.low, part.high);
}

function options(id, names) {
  $(id).replaceChildren(...names.map((name) => new Option(name)));
}

async function start() {
  facts = await get("facts", "json");
  document.title = facts.title ? `${facts.title} - vech` : "vech";
  $("title").textContent = facts.title;
  $("facts").textContent = `${facts.n} x ${facts.n} ${facts.dtype}, ${facts.kind}`;
  $("part-row").hidden = facts.parts.length < 2;
  $("summary-row").hidden = facts.levels.length < 2;
  $("stored-row").hidden = !facts.stored;
  $("absent-row").hidden = !facts.tiled;
  if (facts.labels) $("place").placeholder = "label, or two";
  options("part", facts.parts.map((each) => each.name));
  options("colours", Object.keys(facts.colours));
  $("summary").value = facts.summary;
  const letters = facts.labels ? facts.letters : String(facts.n).length;
  const wide = Math.round(clamp(LETTER * letters + 14, 30, 150));
  margin = { left: wide, top: facts.labels ? wide : 24 };
  readStyles();
  document.body.classList.toggle("empty", facts.n === 0);
  if (facts.n) choose(facts.parts[0]);
  whole();
  listen();
}

start().catch((error) => { $("state").textContent = error.message; $("state").classList.add("failed"); });
