// The last minute of the stream: seconds in the buffer as an area, the bit rate as a stepped line.

const SPAN_MS = 60_000;
const PAD = { top: 10, right: 30, bottom: 18, left: 24 };
const RATE_STEPS = [128, 192, 256, 320, 512, 1024, 2048];
const BUFFER_STEPS = [10, 20, 40, 60, 80, 120];

const ceiling = (steps, value) => steps.find((step) => step >= value) ?? value;

export class Chart {
  #canvas;
  #samples = [];

  constructor(canvas) {
    this.#canvas = canvas;
  }

  /** Adds what is now; `kbps` is null while nothing plays. */
  sample(bufferSeconds, kbps) {
    const at = performance.now();
    this.#samples.push({ at, bufferSeconds, kbps });
    while (this.#samples[0].at < at - SPAN_MS) this.#samples.shift();
  }

  draw() {
    const { width, height, context } = this.#prepared();
    if (width === 0) return; // not shown
    const style = getComputedStyle(this.#canvas);
    const colour = (name) => style.getPropertyValue(name).trim();
    const maxBuffer = ceiling(BUFFER_STEPS, Math.max(0, ...this.#samples.map((s) => s.bufferSeconds)));
    const maxRate = ceiling(RATE_STEPS, Math.max(0, ...this.#samples.map((s) => s.kbps ?? 0)));
    const now = performance.now();
    const x = (at) => width - PAD.right - ((now - at) / SPAN_MS) * (width - PAD.left - PAD.right);
    const y = (share) => height - PAD.bottom - share * (height - PAD.top - PAD.bottom);
    const area = { left: PAD.left, right: width - PAD.right, y };
    drawGrid(context, area, { grid: colour("--line"), text: colour("--faint"), font: style.fontFamily, maxBuffer, maxRate });
    drawArea(context, this.#samples.map((s) => [x(s.at), y(s.bufferSeconds / maxBuffer)]), y(0), colour("--cool"));
    drawSteps(context, this.#samples.map((s) => [x(s.at), s.kbps === null ? null : y(s.kbps / maxRate)]), colour("--warm"));
  }

  #prepared() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const scale = window.devicePixelRatio || 1;
    if (this.#canvas.width !== Math.round(width * scale) || this.#canvas.height !== Math.round(height * scale)) {
      this.#canvas.width = Math.round(width * scale);
      this.#canvas.height = Math.round(height * scale);
    }
    const context = this.#canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    return { width, height, context };
  }
}

function drawGrid(context, { left, right, y }, { grid, text, font, maxBuffer, maxRate }) {
  context.font = `10px ${font}`;
  context.fillStyle = text;
  context.strokeStyle = grid;
  context.lineWidth = 1;
  context.textBaseline = "middle";
  for (const share of [0, 0.5, 1]) {
    const line = Math.round(y(share)) + 0.5;
    context.beginPath();
    context.moveTo(left, line);
    context.lineTo(right, line);
    context.stroke();
    context.textAlign = "right";
    context.fillText(String(maxBuffer * share), left - 6, line);
    context.textAlign = "left";
    context.fillText(String(maxRate * share), right + 6, line);
  }
  context.textBaseline = "alphabetic";
  context.fillText("60 s ago", left, y(0) + 14);
  context.textAlign = "right";
  context.fillText("now", right, y(0) + 14);
}

function drawArea(context, points, base, colour) {
  if (points.length < 2) return;
  const line = new Path2D();
  for (const [x, y] of points) line.lineTo(x, y);
  const fill = new Path2D(line);
  fill.lineTo(points.at(-1)[0], base);
  fill.lineTo(points[0][0], base);
  context.fillStyle = colour;
  context.globalAlpha = 0.16;
  context.fill(fill);
  context.globalAlpha = 1;
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.stroke(line);
}

function drawSteps(context, points, colour) {
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.lineJoin = "round";
  context.beginPath();
  let before = null;
  for (const [x, y] of points) {
    if (y === null) before = null;
    else if (before === null) context.moveTo(x, y);
    else {
      context.lineTo(x, before);
      context.lineTo(x, y);
    }
    before = y;
  }
  context.stroke();
}
