// Tiles of a sprite, drawn on canvases.
//
// A sprite is a small grey PNG: a byte of 0 stands for "not finite", otherwise byte - 1 of
// `levels` steps between the ends of the row's range. Colours are given here, so that runs
// can share a scale and dark pages have dark colours.
"use strict";

const isDark = matchMedia("(prefers-color-scheme: dark)");
/** @type {Map<string, Promise<Uint8Array>>} */
const decoded = new Map();
const MOST_DECODED = 64;

// Bytes of a sprite; the last few are kept, as there may be hundreds.
/**
 * @param {Sprite} sprite
 * @returns {Promise<Uint8Array>}
 */
function bytesOf({ picture }) {
  const known = decoded.get(picture);
  decoded.delete(picture);
  const bytes = known ?? decode(picture);
  decoded.set(picture, bytes);
  const [oldest] = decoded.keys();
  if (decoded.size > MOST_DECODED) decoded.delete(oldest);
  return bytes;
}

/** @param {string} picture */
async function decode(picture) {
  const image = new Image();
  image.src = `data:image/png;base64,${pictureElements.get(picture)?.text ?? ""}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = contextOf(canvas, { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const bytes = new Uint8Array(canvas.width * canvas.height);
  for (let i = 0; i < bytes.length; i++) bytes[i] = data[4 * i];
  return bytes;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {CanvasRenderingContext2DSettings} [settings]
 */
function contextOf(canvas, settings) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", settings));
}

// Values of one tile, a Float64Array for each channel, with NaN for what is missing.
/**
 * @param {Sprite} sprite
 * @param {Uint8Array} bytes
 * @param {number} row
 * @param {number} column
 */
function valuesOf(sprite, bytes, row, column) {
  const { channels, height, width, across, levels } = sprite;
  const [low, high] = sprite.ranges[row];
  return d3.range(channels).map((channel) => {
    const plane = (row * sprite.columns + column) * channels + channel;
    const top = Math.floor(plane / across) * height;
    const left = (plane % across) * width;
    const values = new Float64Array(height * width);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const byte = bytes[(top + y) * across * width + left + x];
        values[y * width + x] = byte ? low + ((byte - 1) / levels) * (high - low) : NaN;
      }
    }
    return values;
  });
}

// A canvas for one sample of a sprite. What stands beside it tells what it is.
/**
 * @param {Sprite} sprite
 * @param {number} scale of lines: larger tiles have more pixels
 */
function newTile(sprite, scale = 1) {
  const canvas = document.createElement("canvas");
  const isImage = sprite.kind === "image";
  canvas.className = isImage ? "tile" : "tile series";
  canvas.setAttribute("aria-hidden", "true");
  canvas.width = isImage ? sprite.width : 256 * scale;
  canvas.height = isImage ? sprite.height : 144 * scale;
  // No more than this many times as high as its place is wide.
  const share = (1.6 * canvas.width) / canvas.height;
  if (share < 1) canvas.style.width = `${100 * share}%`;
  return canvas;
}

/**
 * @param {Sprite} sprite
 * @param {number} row
 * @param {number} column
 */
async function planesOf(sprite, row, column) {
  return valuesOf(sprite, await bytesOf(sprite), row, column);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Sprite} sprite
 * @param {number} row
 * @param {number} column
 * @param {Interval} range
 */
async function drawTile(canvas, sprite, row, column, range = sprite.ranges[row]) {
  draw(canvas, sprite, await planesOf(sprite, row, column), range);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Sprite} sprite
 * @param {Float64Array[]} planes
 * @param {Interval} range
 * @param {string[] | null} [names] of the entries of a table, to be written below them
 */
function draw(canvas, sprite, planes, range, names) {
  if (sprite.kind === "image") drawImage(canvas, sprite, planes, range);
  else drawSeries(canvas, sprite, planes, range, names);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Sprite} sprite
 * @param {Float64Array[]} planes
 * @param {Interval} range
 */
function drawImage(canvas, sprite, planes, [low, high]) {
  const context = contextOf(canvas);
  const image = context.createImageData(sprite.width, sprite.height);
  const palette = paletteOf(sprite.signed && planes.length === 1);
  const missing = rgbOf(SHARED.notFinite);
  /** @type {(value: number) => number} */
  const share = (value) => Math.min(1, Math.max(0, (value - low) / (high - low)));
  for (let i = 0; i < planes[0].length; i++) {
    const values = planes.map((plane) => plane[i]);
    /** @type {number[]} */
    let colour = missing;
    if (!values.some(Number.isNaN)) {
      colour =
        values.length === 3
          ? values.map((value) => 255 * share(value))
          : palette[Math.round(255 * share(values[0]))];
    }
    image.data.set([...colour, 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
}

/** @type {Record<string, number[][]>} */
const palettes = {};

// The 256 colours of a map, straight lines between its stops, as in the figures.
/** @param {boolean} isSigned */
function paletteOf(isSigned) {
  const signed = isDark.matches ? SHARED.signed.dark : SHARED.signed.light;
  return (palettes[`${isSigned} ${isDark.matches}`] ??= d3.range(256).map((i) => {
    const stops = (isSigned ? signed : SHARED.unsigned).map(rgbOf);
    return d3.piecewise(d3.interpolateArray, stops)(i / 255).slice();
  }));
}

/**
 * @param {string} colour
 * @returns {[number, number, number]}
 */
function rgbOf(colour) {
  const { r, g, b } = d3.rgb(colour);
  return [r, g, b];
}

// Bars for a small table, lines for all else, as in the figures; zero is a thin line, and
// what is not finite a gap with a mark.
/**
 * @param {HTMLCanvasElement} canvas
 * @param {Sprite} sprite
 * @param {Float64Array[]} planes
 * @param {Interval} range
 * @param {string[] | null} [names]
 */
function drawSeries(canvas, sprite, planes, [low, high], names) {
  const context = contextOf(canvas);
  const { width } = canvas;
  const isBars = sprite.kind === "table" && sprite.width <= SHARED.mostBars;
  const below = isBars && names ? Math.round(0.45 * canvas.height) : 0;
  const height = canvas.height - below;
  const style = getComputedStyle(document.documentElement);
  /** @type {(value: number) => number} */
  const y = (value) => height - 6 - ((value - low) / (high - low)) * (height - 12);
  /** @type {(i: number) => number} */
  const x = (i) => ((i + 0.5) / sprite.width) * width;
  context.clearRect(0, 0, width, canvas.height);
  if (below && names) writeNames(context, names, x, height);
  context.strokeStyle = style.getPropertyValue("--control");
  context.strokeRect(0, Math.round(y(0)) + 0.5, width, 0);
  context.fillStyle = SHARED.notFinite;
  for (let i = 0; i < sprite.width; i++) {
    if (planes.some((plane) => Number.isNaN(plane[i])))
      context.fillRect(x(i) - 1.5, 0, 3, height);
  }
  planes.forEach((plane, channel) => {
    context.strokeStyle = context.fillStyle = style.getPropertyValue(
      `--run-${channel % SHARED.categories}`,
    );
    context.lineWidth = 2;
    if (isBars) {
      const bar = Math.max(2, (0.7 * width) / sprite.width);
      plane.forEach((value, i) => {
        if (!Number.isNaN(value))
          context.fillRect(x(i) - bar / 2, y(0), bar, y(value) - y(0));
      });
      return;
    }
    context.beginPath();
    plane.forEach((value, i) => {
      const goesOn = i > 0 && !Number.isNaN(plane[i - 1]);
      if (!Number.isNaN(value)) context[goesOn ? "lineTo" : "moveTo"](x(i), y(value));
    });
    context.stroke();
  });
}

// Names from below upwards, each beneath its bar.
/**
 * @param {CanvasRenderingContext2D} context
 * @param {string[]} names
 * @param {(i: number) => number} x
 * @param {number} top
 */
function writeNames(context, names, x, top) {
  const style = getComputedStyle(document.body);
  const room = context.canvas.height - top;
  context.save();
  context.fillStyle = style.getPropertyValue("--text");
  context.textAlign = "right";
  context.textBaseline = "middle";
  /** @param {number} size */
  const write = (size) => (context.font = `${size}px ${style.fontFamily}`);
  const most = Math.min(17, (0.9 * context.canvas.width) / names.length);
  write(most);
  // Smaller where one is long, but not too small to be read.
  const longest = d3.max(names, (name) => context.measureText(name).width) || 1;
  write(Math.max(Math.min(12, most), Math.min(most, (most * (room - 4)) / longest)));
  names.forEach((name, i) => {
    context.setTransform(0, -1, 1, 0, x(i), top + 2);
    context.fillText(shortened(context, name, room - 4), 0, 0, room - 4);
  });
  context.restore();
}

// A name that would have to be squeezed until nobody can read it loses its end.
/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} name
 * @param {number} room
 */
function shortened(context, name, room) {
  const most = 1.25 * room;
  let shown = name;
  while (shown && context.measureText(`${shown}…`).width > most) shown = shown.slice(0, -1);
  return context.measureText(name).width > most ? `${shown.trimEnd()}…` : name;
}

/** @param {HTMLCanvasElement} canvas */
function drawScale(canvas) {
  canvas.width = 256;
  canvas.height = 1;
  const context = contextOf(canvas);
  paletteOf(true).forEach(([r, g, b], i) => {
    context.fillStyle = `rgb(${r} ${g} ${b})`;
    context.fillRect(i, 0, 1, 1);
  });
}
