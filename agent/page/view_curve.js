// view_curve.js: any number of any device over time, straight from the local log. Zoomed by dragging, by two fingers, or
// by the buttons; what is zoomed into is read again, finer.
import { get } from './api.js';
import { chart } from './chart.js';
import { address, count, el, setText, time } from './dom.js';
import { fieldsOf, nameOf, series } from './fields.js';

const kSpans = [[300, '5 minutes'], [3600, '1 hour'], [21600, '6 hours'], [86400, '1 day'], [604800, '7 days']];
const kAgain = 5000;
const plain = (n) => (Math.abs(n) >= 1e6 || (n !== 0 && Math.abs(n) < 1e-3) ? n.toExponential(3) : String(Number(n.toPrecision(6))));

export function curve(values) {
  const stream = el('select', { required: true });
  const key = el('input', { required: true, list: 'keys', value: values.key ?? '', maxlength: 1024, autocomplete: 'off' });
  const field = el('select', { required: true });
  const span = el('select', {}, ...kSpans.map(([s, text]) => el('option', { value: s }, text)));
  span.value = kSpans.some(([s]) => String(s) === values.span) ? values.span : '3600';
  const keys = el('datalist', { id: 'keys' });
  const state = el('p', { class: 'empty', role: 'status' }, 'Loading …');
  const buttons = el('div', { class: 'row', role: 'group', 'aria-label': 'Zoom' },
    ...[['◀ earlier', () => move(-0.5)], ['later ▶', () => move(0.5)], ['zoom in', () => zoom(0.5)], ['zoom out', () => zoom(2)], ['now', now]]
      .map(([text, onclick]) => el('button', { type: 'button', onclick }, text)));
  const form = el('form', {}, el('label', {}, 'Stream', stream), el('label', { class: 'grow' }, 'Device', key), keys,
    el('label', { class: 'grow' }, 'Field', field), el('label', {}, 'Time', span), el('button', { class: 'primary' }, 'Show'));
  const place = el('div');
  const root = el('div', {}, el('h1', {}, 'Curve'), form, el('section', { class: 'card' }, el('div', { class: 'head' }, state, buttons), place));
  let picture = null;
  let window = null;  // [from, to] in ms; null: up to now
  let abort = new AbortController();
  let timer = null;
  let known = '';

  const range = () => window ?? [Date.now() - Number(span.value) * 1000, Date.now()];
  function setRange(from, to) {
    window = [Math.round(from), Math.round(Math.max(to, from + 1000))];
    load();
  }
  function move(by) {
    const [from, to] = range();
    setRange(from + by * (to - from), to + by * (to - from));
  }
  function zoom(factor) {
    const [from, to] = range();
    const [middle, half] = [(from + to) / 2, ((to - from) / 2) * factor];
    setRange(middle - half, middle + half);
  }
  function now() {
    window = null;
    load();
  }
  const say = (text) => setText(state, text);

  async function loadFields() {
    const of = JSON.stringify([stream.value, key.value]);
    if (of === known || !key.value) return;
    const found = await fieldsOf(stream.value, key.value, { signal: abort.signal });
    known = of;
    const wanted = field.value || values.field;
    field.replaceChildren(...found.map((pointer) => el('option', { value: pointer }, nameOf(pointer))));
    if (found.includes(wanted)) field.value = wanted;
  }

  async function load() {
    clearTimeout(timer);
    abort.abort();
    abort = new AbortController();
    const { signal } = abort;
    try {
      if (!key.value) return say(stream.options.length ? 'Choose a device.' : 'There is no stream with devices.');
      await loadFields();
      if (!field.value) return say('The newest records of this device hold no number, or there are none.');
      history.replaceState(null, '', address('curve', { stream: stream.value, key: key.value, field: field.value, span: span.value }));
      const [from, to] = range();
      const data = await series(stream.value, key.value, field.value, from, to, { signal });
      if (!picture || picture.name !== field.value) {
        picture?.stop();
        picture = chart({ label: `${nameOf(field.value)} of ${key.value}`, names: [nameOf(field.value)], tall: true, format: plain, onZoom: setRange });
        picture.name = field.value;
        place.replaceChildren(picture);
      }
      picture.draw(data.rows, { from, to });
      const less = data.rows.length < data.found ? `, drawn with ${count(data.rows.length)} that keep every peak` : '';
      say(data.found === 0 ? 'No values in this time.' : `${count(data.found)} values from ${time(from)} to ${time(to)}${less}${data.complete ? '' : ' ▲ the time was up before all was read: choose less'}`);
      if (window === null) timer = setTimeout(load, kAgain);
    } catch (error) {
      if (error.name === 'AbortError') return undefined;
      say(`▲ ${error.message}`);
      timer = setTimeout(load, kAgain);
    }
    return undefined;
  }

  async function loadKeys() {
    try {
      const found = await get('devices', { order: 'key', stream: stream.value, text: key.value, limit: 50 });
      keys.replaceChildren(...found.map((d) => el('option', { value: d.key })));
    } catch {
      // one can type it
    }
  }

  async function begin() {
    try {
      const status = await get('status');
      const names = status.streams.map((s) => s.name);
      stream.replaceChildren(...names.map((name) => el('option', { value: name }, name)));
      const first = (await get('devices', { order: 'key', limit: 1 }))[0];
      stream.value = names.includes(values.stream) ? values.stream : first?.stream ?? names[0];
      if (!key.value && first && first.stream === stream.value) key.value = first.key;
    } catch (error) {
      say(`▲ ${error.message}`);
      timer = setTimeout(begin, kAgain);
      return;
    }
    loadKeys();
    load();
  }

  form.addEventListener('submit', (event) => { event.preventDefault(); now(); });
  key.addEventListener('input', loadKeys);
  key.addEventListener('change', now);
  stream.addEventListener('change', () => { loadKeys(); now(); });
  for (const each of [field, span]) each.addEventListener('change', now);
  begin();
  return { root, stop: () => { clearTimeout(timer); abort.abort(); picture?.stop(); } };
}
