// dom.js: elements out of text, and how numbers, sizes and times are shown. Text is only ever set as text: whatever a
// device writes is shown, and never becomes a part of the page.

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'class') node.className = value;
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export const empty = (text) => el('p', { class: 'empty' }, text);

/** A table whose rows are changed in place, so that a focus or a selection in them stays.
 *  columns: [{name, kind, cell(row) -> text or {text, class} or a Node}] */
export function table(caption, columns) {
  const body = el('tbody');
  const head = el('tr', {}, ...columns.map((c) => el('th', { scope: 'col', class: c.kind }, c.name)));
  const node = el('table', { 'aria-label': caption }, el('thead', {}, head), body);
  const wrapper = el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption }, node);
  const note = empty('');
  const root = el('div', {}, wrapper, note);
  root.fill = (rows, none) => {
    wrapper.hidden = rows.length === 0;
    note.hidden = rows.length > 0;
    setText(note, rows.length ? '' : none);
    while (body.rows.length > rows.length) body.lastElementChild.remove();
    rows.forEach((row, at) => {
      const line = body.rows[at] || body.appendChild(el('tr', {}, ...columns.map((c) => el('td', { class: c.kind }))));
      columns.forEach((column, i) => fillCell(line.cells[i], column, row));
    });
  };
  return root;
}

function fillCell(cell, column, row) {
  const value = column.cell(row);
  if (value instanceof Node) {
    if (cell.firstChild && cell.firstChild.isEqualNode(value)) return;
    cell.replaceChildren(value);
    return;
  }
  const { text, class: extra } = typeof value === 'object' ? value : { text: value };
  setText(cell, text);
  cell.className = [column.kind, extra].filter(Boolean).join(' ');
}

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const count = (n) => (n === null || n === undefined ? '–' : n >= 1e6 ? short.format(n) : whole.format(n));
export const rate = (n) => (n === null || n === undefined ? '–' : n > 0 && n < 10 ? n.toFixed(1) : count(n));

export function bytes(n) {
  if (n === null || n === undefined) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) { n /= 1024; ++unit; }
  return `${unit === 0 || n >= 100 ? n.toFixed(0) : n.toFixed(1)} ${units[unit]}`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return '–';
  if (seconds < 60) return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} s`;
  const parts = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  const first = parts.findIndex(([size]) => seconds >= size);
  const [size, unit] = parts[first];
  const next = parts[first + 1];
  const rest = Math.floor((seconds % size) / next[0]);
  return `${Math.floor(seconds / size)} ${unit}${rest ? ` ${rest} ${next[1]}` : ''}`;
}

const two = (n) => String(n).padStart(2, '0');
/** Of this browser's time zone; with the date where it isn't today. */
export function time(at) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return String(at);
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return date.toDateString() === new Date().toDateString() ? clock : `${day} ${clock}`;
}

/** "#/view?name=value" for the address bar. */
export function address(view, values = {}) {
  const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== '' && value !== undefined && value !== null));
  return `#/${view}${query.size ? `?${query}` : ''}`;
}
