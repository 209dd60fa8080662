// view_overview.js: what comes in, what is durable, what is forwarded; the backlog, outages, the disk, and who is connected.
import { get } from './api.js';
import { chart } from './chart.js';
import { bytes, count, duration, el, rate, setText, table, time } from './dom.js';

const kSpans = [[900, 'last 15 minutes'], [10800, 'last 3 hours'], [172800, 'last 2 days']];
const kLookAgain = 2000;  // ms

function tile(name) {
  const value = el('div', { class: 'value' }, '–');
  const more = el('div', { class: 'more' });
  const root = el('div', { class: 'tile', role: 'group', 'aria-label': name }, el('div', { class: 'name' }, name), value, more);
  root.set = (text, below = '', kind = '') => {
    setText(value, text);
    value.className = `value ${kind}`;
    setText(more, below);
  };
  return root;
}

/** A share of the quota as a bar, which says it in words too. */
function bar(share, label) {
  return el('meter', { class: 'bar', min: 0, max: 1, value: share.toFixed(3), high: 0.8, optimum: 0, 'aria-label': label, title: label });
}

const stateCell = (row) => (row.connected ? { text: '● connected', class: 'good' } : { text: '▲ not connected', class: 'bad' });

export function overview() {
  const tiles = {
    in: tile('In'), durable: tile('Durable'), forwarded: tile('Forwarded'), backlog: tile('Backlog'),
    disk: tile('Disk'), flash: tile('Flash'),
  };
  const messages = el('div', { class: 'card', hidden: true, role: 'region', 'aria-label': 'What is wrong' });
  const rates = chart({ label: 'Messages in, durable and forwarded, a second', names: ['in', 'durable', 'forwarded'], bandName: 'outage', format: rate });
  const backlog = chart({ label: 'Records that are not forwarded yet', names: ['backlog'], bandName: 'outage', format: count, fill: true });
  const span = el('select', { 'aria-label': 'Time that the curves show', onchange: load }, ...kSpans.map(([s, text]) => el('option', { value: s }, text)));
  const links = table('Sources and cluster', [
    { name: 'what', cell: (row) => row.name, kind: 'text' }, { name: 'state', cell: stateCell },
    { name: 'since', kind: 'time', cell: (row) => (row.since ? time(row.since) : '–') }, { name: 'why', kind: 'text', cell: (row) => row.why ?? '' },
  ]);
  const outages = table('Outages', [
    { name: 'what', cell: (row) => row.what, kind: 'text' }, { name: 'from', kind: 'time', cell: (row) => time(row.from) },
    { name: 'for', kind: 'time', cell: (row) => (row.to ? duration((new Date(row.to) - new Date(row.from)) / 1000) : { text: '▲ still', class: 'bad' }) },
    { name: 'why', kind: 'text', cell: (row) => row.why ?? '' },
  ]);
  const streams = table('Streams', [
    { name: 'stream', cell: (row) => row.name, kind: 'text' },
    { name: 'in/s', kind: 'number', cell: (row) => rate(row.appended_per_second) },
    { name: 'out/s', kind: 'number', cell: (row) => (row.forwarding ? rate(row.forwarding.forwarded_per_second) : 'stays') },
    { name: 'backlog', kind: 'number', cell: (row) => (row.forwarding ? count(row.forwarding.backlog) : '') },
    { name: 'drained in', kind: 'number', cell: (row) => (row.forwarding?.backlog ? duration(row.forwarding.drain_seconds) : '') },
    { name: 'disk', kind: 'number', cell: (row) => bytes(row.bytes) },
    { name: 'of the quota', cell: (row) => (row.quota ? bar(row.bytes / row.quota, `${row.name}: ${(100 * row.bytes / row.quota).toFixed(1)} % of the quota`) : 'no quota') },
    { name: 'state', kind: 'text', cell: (row) => (row.blocked ? { text: '▲ no space: its devices wait', class: 'bad' } : row.forwarding?.held ? { text: `▲ held: ${row.forwarding.held}`, class: 'warn' } : '● takes records') },
  ]);
  const root = el('div', {}, el('h1', {}, 'Overview'), messages, el('div', { class: 'tiles' }, ...Object.values(tiles)),
    el('section', { class: 'card' }, el('div', { class: 'head' }, el('h2', {}, 'Messages a second'), span), rates),
    el('section', { class: 'card' }, el('h2', {}, 'Backlog'), backlog),
    el('div', { class: 'two' },
      el('section', { class: 'card' }, el('h2', {}, 'Sources and cluster'), links),
      el('section', { class: 'card' }, el('h2', {}, 'Outages'), outages)),
    el('section', { class: 'card' }, el('h2', {}, 'Streams'), streams));

  let history = null;
  let loading = null;
  let loaded = 0;

  async function load() {
    loading?.abort();
    const abort = new AbortController();
    loading = abort;
    loaded = Date.now();
    try {
      history = await get('history', { seconds: span.value }, { signal: abort.signal });
      draw();
    } catch {
      // the banner says what is wrong
    }
  }

  function draw() {
    const to = history.time.at(-1) ?? Date.now() / 1000;
    const window = { from: (to - Number(span.value)) * 1000, to: to * 1000 };
    const first = history.time[0] ?? to;
    window.from = Math.max(window.from, Math.min(first, to - 60) * 1000);
    const bands = history.outages.map((outage) => ({ from: Date.parse(outage.from), to: outage.to ? Date.parse(outage.to) : null }));
    rates.draw(history.time.map((t, i) => [new Date(t * 1000), history.received[i], history.accepted[i], history.forwarded[i]]), { bands, ...window });
    backlog.draw(history.time.map((t, i) => [new Date(t * 1000), history.backlog[i]]), { bands, ...window });
    outages.fill([...history.outages].reverse().slice(0, 50), 'None since the agent has started.');
  }

  /** Who is away now, or was when the history was loaded, and why. */
  const awayNow = ({ kafka, sources }) => JSON.stringify([...(kafka ? [{ ...kafka, name: 'cluster' }] : []), ...sources.map((s) => ({ ...s, name: `source ${s.name}` }))]
    .filter((link) => !link.connected).map((link) => `${link.name}: ${link.why ?? ''}`).sort());
  const awayThen = () => JSON.stringify(history.outages.filter((outage) => !outage.to).map((outage) => `${outage.what}: ${outage.why ?? ''}`).sort());

  /** The second that the event brings goes to the end; the outages and the coarser rings come from a new look. */
  function append(second, status) {
    if (!history || !second || second.time <= (history.time.at(-1) ?? 0)) return;
    const age = Date.now() - loaded;
    if ((history.step_seconds > 1 && age > history.step_seconds * 1000) || (age > kLookAgain && awayNow(status) !== awayThen())) return void load();
    if (history.step_seconds > 1) return;
    for (const name of ['time', 'received', 'accepted', 'forwarded', 'backlog']) {
      history[name].push(second[name]);
      if (history[name].length > Number(span.value)) history[name].shift();
    }
    draw();
  }

  load();
  return {
    root,
    stop() {
      loading?.abort();
      rates.stop();
      backlog.stop();
    },
    update({ status, history: second }) {
      const { messages: m, storage: disk, kafka } = status;
      tiles.in.set(`${rate(m.received_per_second)}/s`, `${count(m.received)} since the start`);
      tiles.durable.set(`${rate(m.accepted_per_second)}/s`, `${count(m.accepted)} since the start`);
      tiles.forwarded.set(kafka ? `${rate(m.forwarded_per_second)}/s` : '–', kafka ? `${count(m.forwarded)} since the start` : 'nothing is forwarded');
      const drain = status.backlog.drain_seconds;
      const text = drain === null ? (kafka?.connected === false ? 'grows until the cluster is back' : 'does not shrink') : drain < 1 ? 'gone within a second' : `gone in ${duration(drain)}`;
      tiles.backlog.set(count(status.backlog.records), status.backlog.records === 0 ? 'all is forwarded' : text, drain === null && status.backlog.records > 0 ? 'warn' : '');
      const share = disk.quota_bytes ? disk.used_bytes / disk.quota_bytes : null;
      tiles.disk.set(bytes(disk.used_bytes), share === null ? 'no quota' : `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} % of ${bytes(disk.quota_bytes)}`, share > 0.95 ? 'bad' : share > 0.8 ? 'warn' : '');
      tiles.flash.set(disk.flash_days_left === null ? `${bytes(disk.flash_bytes_today)}` : duration(disk.flash_days_left * 86400),
        disk.flash_days_left === null ? 'written today' : `left at this wear; ${bytes(disk.flash_bytes_today)} today`, disk.flash_days_left !== null && disk.flash_days_left < 365 ? 'warn' : '');
      const said = [...status.reasons.map((t) => [t, 'bad']), ...status.notes.map((t) => [t, 'warn'])];
      messages.hidden = said.length === 0;
      const lines = said.map(([t, kind]) => el('div', { class: kind }, `▲ ${t}`));
      if (messages.textContent !== said.map(([t]) => `▲ ${t}`).join('')) messages.replaceChildren(...lines);
      const rows = status.sources.map((s) => ({ ...s, name: `source ${s.name}` }));
      if (status.listener) rows.unshift({ name: `MQTT listener: ${count(status.listener.connections)} connections`, connected: true });
      if (kafka) rows.push({ ...kafka, name: `cluster ${kafka.brokers} (${kafka.delivery})`, why: kafka.why ?? (kafka.uplink.state === 'open' ? '' : `uplink ${kafka.uplink.state}: ${kafka.uplink.why ?? ''}`) });
      links.fill(rows, 'Neither a source nor a cluster is configured.');
      streams.fill(status.streams.map((s) => ({ ...s, quota: disk.quota_bytes })), 'No streams.');
      append(second, status);
    },
  };
}
