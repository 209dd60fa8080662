// view_sql.js: SQL over the local log: a query, and its rows as a table or as a file.
import { get } from './api.js';
import { address, count, el, setText } from './dom.js';

const quoted = (name) => (/^[a-z_][a-z0-9_]*$/i.test(name) ? name : `"${name.replaceAll('"', '""')}"`);

/** What one asks first, of the stream that has the most. */
const examples = (stream) => [
  ['newest records', `select time_text(timestamp) as time, key, value\nfrom ${quoted(stream)} order by offset desc limit 20`],
  ['last hour by device', `select key, count(*) as records, max(timestamp) - min(timestamp) as ms\nfrom ${quoted(stream)} where timestamp > now('-1 hour') group by key order by records desc`],
  ['streams', 'select * from streams'],
  ['devices', 'select stream, key, per_minute, silent_seconds, value from devices order by silent_seconds desc limit 50'],
  ['alerts', 'select time_text(timestamp) as time, state, severity, device, message from alerts order by timestamp desc limit 50'],
  ['what was lost', 'select time_text(timestamp) as time, stream, first_offset, count, reason from gaps order by timestamp desc limit 50'],
];

const cellText = (value) => (value === null ? 'null' : String(value));
const csvField = (value) => (value === null ? '' : /[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value));

/** Where a query is wrong: the line, and a mark below the place. `at` counts bytes of UTF-8. */
function marked(query, at) {
  const before = new TextDecoder().decode(new TextEncoder().encode(query).slice(0, at));
  const start = before.lastIndexOf('\n') + 1;
  const line = query.slice(start).split('\n', 1)[0];
  return `${line}\n${' '.repeat(before.length - start)}^`;
}

export function sql(values) {
  const query = el('textarea', { rows: 4, maxlength: 1500, spellcheck: 'false', autocapitalize: 'off', autocomplete: 'off', required: true, 'aria-describedby': 'sql-help' });
  query.value = values.query ?? '';
  const run = el('button', { class: 'primary', title: 'Ctrl+Enter' }, 'Run');
  const save = el('button', { type: 'button', hidden: true }, 'Save as CSV');
  const tries = el('div', { class: 'tries' });
  const state = el('p', { class: 'empty', role: 'status' }, 'Loading …');
  const place = el('pre', { class: 'bad', hidden: true });
  const head = el('tr');
  const body = el('tbody');
  const rows = el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Rows', hidden: true }, el('table', { 'aria-label': 'Rows' }, el('thead', {}, head), body));
  const form = el('form', {}, el('label', { class: 'grow' }, 'Query', query), run, save);
  const help = el('p', { class: 'empty', id: 'sql-help' }, 'Each stream is a table with offset, timestamp, key, value and headers; streams, devices, alerts and gaps are views. ' +
    'Only SELECT, at most 1,000 rows in 5 seconds; “sluice sql” goes further.');
  const root = el('div', {}, el('h1', {}, 'SQL'), form, tries, help, el('section', { class: 'card' }, state, place, rows));
  let abort = new AbortController();
  let found = null;

  async function load() {
    abort.abort();
    abort = new AbortController();
    const text = query.value;
    history.replaceState(null, '', address('sql', { query: text }));
    setText(state, 'Looking …');
    place.hidden = true;
    rows.hidden = true;
    save.hidden = true;
    run.disabled = true;
    const began = performance.now();
    try {
      found = await get('sql', { query: text }, { signal: abort.signal });
      const seconds = ((performance.now() - began) / 1000).toFixed(2);
      const isNumber = (column) => found.rows.some((row) => row[column] !== null) && found.rows.every((row) => row[column] === null || typeof row[column] === 'number');
      head.replaceChildren(...found.columns.map((name, column) => el('th', { scope: 'col', class: isNumber(column) ? 'number' : '' }, name)));
      body.replaceChildren(...found.rows.map((row) => el('tr', {}, ...row.map((value) => el('td', { class: typeof value === 'number' ? 'number' : 'text' }, el('code', {}, cellText(value)))))));
      rows.hidden = found.rows.length === 0;
      save.hidden = found.rows.length === 0;
      const damaged = found.damaged > 0 ? `; ${count(found.damaged)} damaged places were passed over` : '';
      setText(state, `${found.complete ? '' : '◆ '}${count(found.rows.length)} rows in ${seconds} s${found.complete ? '' : `: ${found.why}`}${damaged}`);
    } catch (error) {
      if (error.name === 'AbortError') return;
      setText(state, `▲ ${error.message}`);
      place.hidden = typeof error.at !== 'number';
      if (!place.hidden) setText(place, marked(text, error.at));
    }
    run.disabled = false;
  }

  save.addEventListener('click', () => {
    const lines = [found.columns, ...found.rows].map((row) => `${row.map(csvField).join(',')}\r\n`);
    const link = el('a', { href: URL.createObjectURL(new Blob(lines, { type: 'text/csv' })), download: 'sluice.csv' });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });

  async function begin() {
    try {
      const { streams } = await get('status');
      const fullest = streams.reduce((best, s) => (s.high_watermark > (best?.high_watermark ?? -1) ? s : best), null);
      const all = examples(fullest?.name ?? 'telemetry');
      tries.replaceChildren(...all.map(([name, text]) => el('button', { type: 'button', onclick: () => { query.value = text; load(); } }, name)));
      if (!query.value) [[, query.value]] = all;
      return load();
    } catch (error) {
      return setText(state, `▲ ${error.message}`);
    }
  }
  form.addEventListener('submit', (event) => { event.preventDefault(); load(); });
  query.addEventListener('keydown', (event) => { if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit(); });
  begin();
  return { root, stop: () => abort.abort() };
}
