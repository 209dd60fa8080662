// view_devices.js: who sends what, how often, and who has fallen silent. A page of them at a time: there may be 10,000.
import { get } from './api.js';
import { address, count, duration, el, empty, rate, setText, table, time } from './dom.js';

const kRows = 100;
const kAgain = 5000;

export function devices(values) {
  const text = el('input', { type: 'search', value: values.text ?? '', maxlength: 256 });
  const order = el('select', {}, el('option', { value: 'silent' }, 'longest silent first'), el('option', { value: 'key' }, 'by name'));
  order.value = values.order === 'key' ? 'key' : 'silent';
  const found = el('span', { role: 'status' });
  const before = el('button', { type: 'button', onclick: () => turn(-kRows) }, 'Back');
  const after = el('button', { type: 'button', onclick: () => turn(kRows) }, 'On');
  const state = empty('Loading …');
  const rows = table('Devices', [
    { name: 'device', kind: 'text', cell: (d) => el('a', { href: address('curve', { stream: d.stream, key: d.key }) }, d.key) },
    { name: 'stream', cell: (d) => d.stream },
    { name: 'silent for', kind: 'number', cell: (d) => silence(d) },
    { name: 'last', kind: 'time', cell: (d) => time(d.last) },
    { name: 'a minute', kind: 'number', cell: (d) => rate(d.per_minute) },
    { name: 'messages', kind: 'number', cell: (d) => count(d.messages) },
    { name: 'last value', kind: 'text code', cell: (d) => (d.value === null ? '' : d.value + (d.value_bytes > 64 ? ' …' : '')) },
    { name: 'look', cell: (d) => el('a', { href: address('records', { stream: d.stream, key: d.key }), 'aria-label': `records of ${d.key}` }, 'records') },
  ]);
  const form = el('form', { role: 'search' }, el('label', { class: 'grow' }, 'Device', text), el('label', {}, 'Order', order));
  const root = el('div', {}, el('h1', {}, 'Devices'), form,
    el('section', { class: 'card' }, el('div', { class: 'head' }, found, el('div', { class: 'row' }, before, after)), state, rows));
  rows.hidden = true;
  let skip = 0;
  let abort = null;
  let timer = null;

  /** Three times what is usual of it, and ten seconds: then it is said in words and colour. */
  function silence(d) {
    const late = d.per_minute && d.silent_seconds > Math.max(10, (3 * 60) / d.per_minute);
    return late ? { text: `▲ ${duration(d.silent_seconds)}`, class: 'warn' } : duration(d.silent_seconds);
  }

  async function load() {
    clearTimeout(timer);
    abort?.abort();
    abort = new AbortController();
    try {
      const { json, headers } = await get('devices', { text: text.value, order: order.value, skip, limit: kRows }, { signal: abort.signal, whole: true });
      const total = Number(headers.get('X-Total-Count'));
      if (json.length === 0 && skip > 0) {
        skip = 0;
        return load();
      }
      setText(found, total === 0 ? 'No devices' : `${count(skip + 1)} to ${count(skip + json.length)} of ${count(total)} devices`);
      before.disabled = skip === 0;
      after.disabled = skip + json.length >= total;
      state.hidden = true;
      rows.hidden = false;
      rows.fill(json, text.value ? 'No device has this in its name.' : 'No device has sent yet. Only streams whose route has a key have devices.');
    } catch (error) {
      if (error.name === 'AbortError') return undefined;
      state.hidden = false;
      setText(state, `▲ ${error.message}`);
    }
    timer = setTimeout(load, kAgain);
    return undefined;
  }

  function turn(by) {
    skip = Math.max(0, skip + by);
    load();
  }
  function again() {
    skip = 0;
    history.replaceState(null, '', address('devices', { text: text.value, order: order.value === 'key' ? 'key' : '' }));
    load();
  }
  form.addEventListener('submit', (event) => { event.preventDefault(); again(); });
  text.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(again, 250); });
  order.addEventListener('change', again);
  load();
  return { root, stop: () => { clearTimeout(timer); abort?.abort(); } };
}
