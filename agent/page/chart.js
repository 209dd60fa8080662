// chart.js: curves over time, drawn by Dygraphs; the colours are the style sheet's, and follow light and dark.
import { el, rate, setText, time } from './dom.js';

// Its legend writes styles into its HTML, which the page's policy refuses; ours sets text, and nothing but text.
Dygraph.PLUGINS = [Dygraph.Plugins.Grid, Dygraph.Plugins.Axes];

const kDashes = [null, [7, 3], [2, 2], [9, 3, 2, 3]];
const kKeys = ['', ' dashed', ' dotted', ' dashed'];
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const dark = matchMedia('(prefers-color-scheme: dark)');

/** options: label (for screen readers), names of the curves, tall, format(value), onZoom(from, to), fill
 *  @return a node with draw(rows of [Date, number or null, …], {bands: [{from, to}], lines: [{at}], from, to}), stop() */
export function chart({ label, names, tall = false, format = rate, onZoom, fill = false, bandName }) {
  const div = el('div', { class: tall ? 'chart tall' : 'chart', role: 'img', 'aria-label': label });
  const values = names.map((name, i) => {
    const value = el('span');
    return { value, node: el('span', {}, el('span', { class: `key c${i + 1}${kKeys[i]}` }), `${name} `, value) };
  });
  const at = el('span');
  const band = bandName ? el('span', {}, el('span', { class: 'key band' }), bandName) : null;
  const legend = el('div', { class: 'legend' }, ...values.map(({ node }) => node), band, at);
  const root = el('div', {}, div, legend);
  let graph = null;
  let shown = { bands: [], lines: [] };
  let rows = [];

  function tell(row, when) {
    values.forEach(({ value }, i) => setText(value, row ? (row[i + 1] === null ? '–' : format(row[i + 1])) : ''));
    setText(at, when && row ? `at ${time(row[0])}` : '');
    div.setAttribute('aria-label', row ? `${label}. Newest: ${names.map((n, i) => `${n} ${row[i + 1] === null ? 'none' : format(row[i + 1])}`).join(', ')}` : `${label}. No data.`);
  }

  function under(canvas, area, g) {
    canvas.fillStyle = colour('--band');
    for (const { from, to } of shown.bands) {
      const left = Math.max(area.x, g.toDomXCoord(from));
      const right = Math.min(area.x + area.w, g.toDomXCoord(to ?? Date.now()));
      if (right > left || (right === left && right > area.x)) canvas.fillRect(left, area.y, Math.max(right - left, 2), area.h);
    }
    canvas.strokeStyle = colour('--red');
    canvas.setLineDash([6, 4]);
    for (const line of shown.lines) {
      const y = g.toDomYCoord(line.at);
      canvas.beginPath();
      canvas.moveTo(area.x, y);
      canvas.lineTo(area.x + area.w, y);
      canvas.stroke();
    }
    canvas.setLineDash([]);
  }

  function options() {
    return {
      colors: names.map((_, i) => colour(`--curve-${i + 1}`)), axisLineColor: colour('--line'), gridLineColor: colour('--grid'),
    };
  }

  function make() {
    graph = new Dygraph(div, rows, {
      labels: ['time', ...names], legend: 'never', strokeWidth: 1.8, fillGraph: fill, fillAlpha: 0.12, animatedZooms: false,
      series: Object.fromEntries(names.map((name, i) => [name, { strokePattern: kDashes[i] }])),
      includeZero: fill, yRangePad: 8, connectSeparatedPoints: false, rightGap: 8,
      axes: { y: { axisLabelFormatter: (value) => format(value), axisLabelWidth: 56 }, x: { axisLabelWidth: 64 } },
      underlayCallback: under, dateWindow: shown.window,
      highlightCallback: (_event, _x, _points, row) => tell(rows[row], true),
      unhighlightCallback: () => tell(rows.at(-1)),
      zoomCallback: onZoom ? (from, to) => onZoom(from, to) : null,
      ...options(),
    });
  }

  root.draw = (data, { bands = [], lines = [], from, to } = {}) => {
    rows = data;
    shown = { bands, lines, window: from === undefined ? null : [from, to] };
    div.hidden = rows.length === 0;
    tell(rows.at(-1));
    if (rows.length === 0) return;
    if (!graph) make();
    else graph.updateOptions({ file: rows, dateWindow: shown.window, valueRange: null });
  };
  const restyle = () => graph?.updateOptions(options());
  dark.addEventListener('change', restyle);
  root.stop = () => {
    dark.removeEventListener('change', restyle);
    graph?.destroy();
    graph = null;
  };
  return root;
}
