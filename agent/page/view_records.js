// view_records.js: the records of a stream, found by key, time or text, and what became of each.
import { get } from './api.js';
import { address, count, el, setText, time } from './dom.js';

const kShown = 400;  // characters of a value, until somebody wants all of it
const kFates = {
  delivered: ['● delivered', 'good'], forwarded: ['● forwarded', 'good'], waiting: ['◆ waits', 'warn'], 'dead-lettered': ['▲ dead-lettered', 'bad'],
  'given-up': ['▲ given up', 'bad'], compacted: ['● compacted', ''], deleted: ['◆ deleted', 'warn'], 'not-there-yet': ['◆ not there yet', 'warn'],
};

const bytesOf = (record, name) => record[name] ?? (record[`${name}_base64`] === undefined ? null : `base64:${record[`${name}_base64`]}`);

function proofText(answer) {
  const lines = answer.places.map((p) => `topic ${p.topic}, partition ${p.partition}, offset ${p.offset}, acknowledged ${time(p.at)}`);
  if (answer.why) lines.push(answer.why);
  if (answer.reason) lines.push(answer.reason);
  if (answer.fate === 'forwarded') lines.push('the forwarder has passed it; where to is no longer known');
  if (answer.dead_letter) lines.push(`the dead letter is ${answer.dead_letter.stream} offset ${answer.dead_letter.offset}: ${answer.dead_letter.fate}`);
  return lines.join('\n');
}

function line(stream, record) {
  const value = bytesOf(record, 'value');
  const code = el('code', {}, value === null ? 'null (tombstone)' : value.slice(0, kShown));
  const cell = el('td', { class: 'text' }, code);
  if (value !== null && value.length > kShown) {
    const more = el('button', { type: 'button', onclick: () => { code.textContent = value; more.remove(); } }, 'all of it');
    cell.append(' … ', more);
  }
  if (record.value_bytes) cell.append(el('p', { class: 'empty' }, `the beginning of ${count(record.value_bytes)} bytes`));
  for (const header of record.headers) cell.append(el('div', { class: 'code' }, `${bytesOf(header, 'key')}: ${bytesOf(header, 'value')}`));
  const proof = el('td', { class: 'text' });
  const button = el('button', { type: 'button', 'aria-label': `proof of delivery of offset ${record.offset}`, async onclick() {
    button.disabled = true;
    try {
      const answer = await get('why', { stream, offset: record.offset });
      const [text, kind] = kFates[answer.fate] ?? [answer.fate, ''];
      proof.replaceChildren(el('strong', { class: kind }, text), el('pre', {}, proofText(answer)), button);
    } catch (error) {
      proof.replaceChildren(el('span', { class: 'bad' }, `▲ ${error.message} `), button);
    }
    button.disabled = false;
  } }, 'proof');
  proof.append(button);
  return el('tr', {}, el('td', { class: 'number' }, String(record.offset)), el('td', { class: 'time' }, time(record.timestamp)),
    el('td', { class: 'text' }, bytesOf(record, 'key') ?? 'null'), cell, proof);
}

const utc = (local) => (local ? new Date(local).toISOString() : '');

export function records(values) {
  const stream = el('select', { required: true });
  const key = el('input', { value: values.key ?? '', maxlength: 1024, autocomplete: 'off' });
  const text = el('input', { type: 'search', value: values.text ?? '', maxlength: 256 });
  const from = el('input', { type: 'datetime-local', step: 1 });
  const to = el('input', { type: 'datetime-local', step: 1 });
  const order = el('select', {}, el('option', { value: 'newest' }, 'newest first'), el('option', { value: 'oldest' }, 'oldest first'));
  const state = el('p', { class: 'empty', role: 'status' }, 'Loading …');
  const more = el('button', { type: 'button', hidden: true, onclick: () => load(true) }, 'More');
  const body = el('tbody');
  const rows = el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Records', hidden: true }, el('table', { 'aria-label': 'Records' },
    el('thead', {}, el('tr', {}, ...[['offset', 'number'], ['time'], ['key'], ['value'], ['what became of it']].map(([name, kind]) => el('th', { scope: 'col', class: kind }, name)))), body));
  const form = el('form', { role: 'search' }, el('label', {}, 'Stream', stream), el('label', { class: 'grow' }, 'Key (all of it)', key), el('label', { class: 'grow' }, 'Text in key or value', text),
    el('label', {}, 'From', from), el('label', {}, 'To', to), el('label', {}, 'Order', order), el('button', { class: 'primary' }, 'Find'));
  const root = el('div', {}, el('h1', {}, 'Records'), form, el('section', { class: 'card' }, state, rows, more));
  let next = null;
  let scanned = 0;
  let abort = new AbortController();
  let toOffset = values.to;  // from a link: until something else is asked for

  async function load(on) {
    abort.abort();
    abort = new AbortController();
    if (!on) {
      body.replaceChildren();
      scanned = 0;
      setText(state, 'Looking …');
      history.replaceState(null, '', address('records', { stream: stream.value, key: key.value, text: text.value, to: toOffset }));
    }
    const newest = order.value === 'newest';
    const asked = { stream: stream.value, key: key.value, text: text.value, order: order.value, from: utc(from.value), to: toOffset ?? utc(to.value), limit: 50 };
    if (on) asked[newest ? 'to' : 'from'] = next;
    more.disabled = true;
    try {
      const found = await get('records', asked, { signal: abort.signal });
      ({ next } = found);
      scanned += found.scanned;
      body.append(...found.records.map((record) => line(stream.value, record)));
      rows.hidden = body.rows.length === 0;
      more.hidden = next === null;
      const none = next === null ? 'No record is like that.' : 'Nothing found so far.';
      setText(state, `${body.rows.length === 0 ? none : `${count(body.rows.length)} records`} (${count(scanned)} looked at${next === null ? ', all there are' : ''})`);
    } catch (error) {
      if (error.name === 'AbortError') return;
      setText(state, `▲ ${error.message}`);
      more.hidden = next === null;
    }
    more.disabled = false;
  }

  async function begin() {
    try {
      const { streams } = await get('status');
      stream.replaceChildren(...streams.map((s) => el('option', { value: s.name }, s.name)));
      const fullest = streams.reduce((best, s) => (s.high_watermark > (best?.high_watermark ?? -1) ? s : best), null);
      stream.value = streams.some((s) => s.name === values.stream) ? values.stream : fullest?.name ?? '';
      if (!stream.value) return setText(state, 'There are no streams.');
      return load(false);
    } catch (error) {
      return setText(state, `▲ ${error.message}`);
    }
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    toOffset = undefined;
    load(false);
  });
  stream.addEventListener('change', () => { toOffset = undefined; load(false); });
  begin();
  return { root, stop: () => abort.abort() };
}
