// What all charts have in common, by Observable Plot.
"use strict";

const DASHES = "6 4";
const TIP = { title: "text", fontSize: 12, lineHeight: 1.3 };

// A chart in a box that tells those who do not see it what it shows.
/**
 * @param {Chart} chart
 * @param {string} summary
 */
function boxOf(chart, summary) {
  chart.setAttribute("aria-hidden", "true");
  return element("div", { class: "chart", role: "img", "aria-label": summary }, chart);
}

/** @param {number} value */
function axisNumber(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return d3.format(".1~e")(value);
  return d3.format(".4~g")(value);
}

/** @type {(value: number) => string} */
const wholeNumber = (value) => (Number.isInteger(value) ? String(value) : "");

// Ticks of an axis that counts.
/** @type {(domain: Interval, count: number) => number[]} */
const wholeTicks = ([low, high], count) => d3.ticks(low, high, count).filter(Number.isInteger);

// Ticks of a logarithmic axis, few enough that all have labels: within a decade those of a
// plain axis, then 1, 2 and 5, then powers of ten.
/** @type {(domain: Interval) => number[]} */
function logTicks([low, high]) {
  if (high < 10 * low) return d3.ticks(low, high, 5);
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const factors = high < 100 * low ? [1, 2, 5] : [1];
  const powers = d3.range(first, last + 1, Math.ceil((last - first) / 8));
  const all = powers.flatMap((power) => factors.map((factor) => Number(`${factor}e${power}`)));
  return all.filter((tick) => tick >= low && tick <= high);
}

// Letters at the ends of curves: moved apart where these end together, and kept inside.
/**
 * @param {Chart} chart
 * @param {{letter: string, colour: string, value: number}[]} ends
 * @param {number} x
 */
function addLetters(chart, ends, x) {
  const scale = chart.scale("y");
  const [bottom, top] = scale.range;
  const placed = ends
    .map((end) => ({ ...end, y: Math.max(top, Math.min(bottom, scale.apply(end.value))) }))
    .sort((a, b) => a.y - b.y);
  const gap = Math.min(13, (bottom - top) / Math.max(1, placed.length - 1));
  placed.forEach((end, i) => {
    if (i) end.y = Math.max(end.y, placed[i - 1].y + gap);
  });
  placed.toReversed().forEach((end, i, all) => {
    end.y = Math.min(end.y, i ? all[i - 1].y - gap : bottom);
  });
  d3.select(chart)
    .append("g")
    .selectAll("text")
    .data(placed)
    .join("text")
    .attr("class", "letter")
    .attr("x", x)
    .attr("y", (end) => end.y)
    .attr("dy", "0.35em")
    .attr("font-weight", 700)
    .attr("fill", (end) => end.colour)
    .text((end) => end.letter);
}

/**
 * @param {Chart} chart
 * @param {number | null} at
 */
function markStep(chart, at) {
  const scale = chart.scale("x");
  const [left, right] = d3.extent(scale.domain);
  const isIn = at !== null && at >= (left ?? 0) && at <= (right ?? 0);
  const [bottom, top] = chart.scale("y").range;
  d3.select(chart)
    .selectAll("line.chosen")
    .data(isIn ? [scale.apply(at)] : [])
    .join("line")
    .attr("class", "chosen")
    .attr("x1", (x) => x)
    .attr("x2", (x) => x)
    .attr("y1", bottom)
    .attr("y2", top);
}

// Which value of the axis a point of the screen means.
/**
 * @param {Chart} chart
 * @param {number} clientX
 */
function valueUnder(chart, clientX) {
  const box = chart.getBoundingClientRect();
  const inside = ((clientX - box.left) / box.width) * chart.viewBox.baseVal.width;
  return chart.scale("x").invert(inside);
}

// A click tells a value of the axis, a drag two of them.
/**
 * @param {Chart} chart
 * @param {(value: number) => void} clicked
 * @param {(from: number, to: number) => void} dragged
 */
function listen(chart, clicked, dragged) {
  /** @type {number | null} */
  let start = null;
  const [bottom, top] = chart.scale("y").range;
  const box = d3.select(chart).append("rect").attr("class", "zoom").attr("visibility", "hidden");
  const scale = chart.scale("x");
  chart.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch" && event.button === 0) start = event.clientX;
  });
  chart.addEventListener("pointermove", (event) => {
    if (start === null || Math.abs(event.clientX - start) < 8) return;
    const [a, b] = d3.sort([start, event.clientX].map((x) => scale.apply(valueUnder(chart, x))));
    box.attr("visibility", "visible").attr("x", a).attr("width", b - a);
    box.attr("y", top).attr("height", bottom - top);
  });
  chart.addEventListener("pointerleave", () => {
    start = null;
    box.attr("visibility", "hidden");
  });
  chart.addEventListener("click", (event) => {
    const from = start;
    start = null;
    box.attr("visibility", "hidden");
    const to = valueUnder(chart, event.clientX);
    if (from === null || Math.abs(event.clientX - from) < 8) return clicked(to);
    const [low, high] = d3.sort([valueUnder(chart, from), to]);
    dragged(low, high);
  });
}

// What the lines of a chart mean.
/** @param {[text: string, colour: string, isDashed?: boolean][]} entries */
function key(entries, areDots = false) {
  return element(
    "ul",
    { class: "key" },
    ...entries.map(([text, colour, isDashed]) => {
      const item = element("li");
      d3.select(item)
        .append("svg")
        .attr("viewBox", "0 0 28 10")
        .attr("aria-hidden", "true")
        .append("path")
        .attr("d", areDots ? "M22 5h0" : "M1 5h26")
        .attr("stroke", colour)
        .attr("stroke-width", areDots ? 9 : 2.5)
        .attr("stroke-linecap", areDots ? "round" : null)
        .attr("stroke-dasharray", isDashed ? "5 3" : null);
      item.append(text);
      return item;
    }),
  );
}
