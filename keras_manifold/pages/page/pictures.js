// Tiles of a sprite, drawn on canvases.
//
// A sprite is a small grey PNG: a byte of 0 stands for "not finite", otherwise byte - 1 of
// `levels` steps between the ends of the row's range. Colours are given here, so that runs
// can share a scale and dark pages have dark colours.
"use strict";

const isDark = matchMedia("(prefers-color-scheme: dark)");
const MISSING = [128, 128, 128];
const RED_BLUE = {
  // ColorBrewer's RdBu, blue first; on dark pages zero is dark.
  light: [
    "#053061",
    "#2166ac",
    "#4393c3",
    "#92c5de",
    "#d1e5f0",
    "#f7f7f7",
    "#fddbc7",
    "#f4a582",
    "#d6604d",
    "#b2182b",
    "#67001f",
  ],
  dark: [
    "#d6ecff",
    "#9fd0fb",
    "#5fa8e6",
    "#2f74b0",
    "#1d466c",
    "#1b1c20",
    "#6b2a22",
    "#b0463a",
    "#e8735f",
    "#ffab93",
    "#ffe1d6",
  ],
};

function signedColours() {
  return d3.interpolateRgbBasis(RED_BLUE[isDark.matches ? "dark" : "light"]);
}

const decoded = new Map();
const MOST_DECODED = 48;

// Bytes of a sprite; the last few are kept, as there may be hundreds.
function bytesOf(sprite) {
  let bytes = decoded.get(sprite);
  decoded.delete(sprite);
  bytes ??= decode(sprite);
  decoded.set(sprite, bytes);
  if (decoded.size > MOST_DECODED) decoded.delete(decoded.keys().next().value);
  return bytes;
}

async function decode(sprite) {
  const image = new Image();
  image.src = `data:image/png;base64,${sprite.png}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const bytes = new Uint8Array(canvas.width * canvas.height);
  for (let i = 0; i < bytes.length; i++) bytes[i] = data[4 * i];
  return bytes;
}

// Values of one tile, a Float64Array for each channel, with NaN for what is missing.
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

function newTile(sprite, label) {
  const canvas = document.createElement("canvas");
  canvas.className = sprite.image ? "tile" : "tile series";
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  canvas.width = sprite.image ? sprite.width : 256;
  canvas.height = sprite.image ? sprite.height : 144;
  return canvas;
}

async function drawTile(canvas, sprite, row, column, range = sprite.ranges[row]) {
  const planes = valuesOf(sprite, await bytesOf(sprite), row, column);
  if (sprite.image) drawImage(canvas, sprite, planes, range);
  else drawSeries(canvas, sprite, planes, range);
}

function drawImage(canvas, sprite, planes, [low, high]) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(sprite.width, sprite.height);
  const palette = paletteOf(sprite.signed && planes.length === 1);
  const share = (value) => Math.min(1, Math.max(0, (value - low) / (high - low)));
  for (let i = 0; i < planes[0].length; i++) {
    const values = planes.map((plane) => plane[i]);
    let colour = MISSING;
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

const palettes = {};

function paletteOf(isSigned) {
  return (palettes[`${isSigned} ${isDark.matches}`] ??= d3.range(256).map((i) => {
    if (!isSigned) return [i, i, i];
    const { r, g, b } = d3.rgb(signedColours()(i / 255));
    return [r, g, b];
  }));
}

// Bars for a few entries, lines for many; zero is a thin line.
function drawSeries(canvas, sprite, planes, [low, high]) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  const style = getComputedStyle(document.documentElement);
  const y = (value) => height - 6 - ((value - low) / (high - low)) * (height - 12);
  const x = (i) => ((i + 0.5) / sprite.width) * width;
  context.clearRect(0, 0, width, height);
  context.strokeStyle = style.getPropertyValue("--control");
  context.strokeRect(0, Math.round(y(0)) + 0.5, width, 0);
  planes.forEach((plane, channel) => {
    context.strokeStyle = context.fillStyle = style.getPropertyValue(`--run-${channel}`);
    context.lineWidth = 2;
    if (sprite.width <= 32 && planes.length === 1) {
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

function drawScale(canvas) {
  canvas.width = 256;
  canvas.height = 1;
  const context = canvas.getContext("2d");
  paletteOf(true).forEach(([r, g, b], i) => {
    context.fillStyle = `rgb(${r} ${g} ${b})`;
    context.fillRect(i, 0, 1, 1);
  });
}
