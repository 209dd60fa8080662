// view_alerts.js: what fires, what has fired, the rule that says so, and the curve that it saw.
import { get } from './api.js';
import { chart } from './chart.js';
import { address, el, empty, rate, time } from './dom.js';
import { nameOf, series } from './fields.js';

const kAround = 10 * 60 * 1000;  // ms before and after
const kShown = 100;
const kAgain = 5000;
const kSigns = { critical: ['▲ critical', 'bad'], warning: ['◆ warning', 'warn'] };

/** The limit can be drawn where what is compared is the field itself, or a mean or an extreme of it. */
function limitsOf(alert, field) {
  const name = field.slice(1).replaceAll('/', '.').replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const same = new RegExp(`^(?:(?:avg|mean|min|max|median|ewma|last|quantile)\\()?${name}\\b`);
  return alert.observations.filter((o) => same.test(o.of)).map((o) => Number.parseFloat(String(o.threshold).replace(/^[^-\d]*/, '')))
    .filter(Number.isFinite).map((at) => ({ at }));
}

function facts(alert, rule) {
  const pairs = [['rule', alert.rule], ['says', rule?.expr || alert.condition], ['only where', rule?.where], ['for', rule && rule.for !== '0s' ? rule.for : ''],
    ['device', alert.device], ['stream', alert.stream], ['value', `${alert.value ?? '–'} (limit ${alert.threshold})`], ['began', time(alert.start)],
    [alert.state === 'firing' ? 'noticed' : 'ended', time(alert.at)], ['reason', alert.reason]];
  return el('dl', {}, ...pairs.filter(([, value]) => value).flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, name === 'says' ? el('code', {}, value) : String(value))]));
}

function item(alert, rule) {
  const [sign, kind] = kSigns[alert.severity] ?? [`● ${alert.severity}`, ''];
  const pictures = [];
  const place = el('div');
  const node = el('details', {}, el('summary', {}, el('strong', { class: alert.state === 'firing' ? kind : '' }, alert.state === 'firing' ? sign : 'ended'),
    ` ${time(alert.start)} ${alert.message}`), facts(alert, rule), place,
  el('a', { href: address('records', { stream: alert.stream, key: rule?.by.length ? '' : alert.device, to: String(alert.last_offset + 1) }) }, 'the records'));
  node.addEventListener('toggle', async () => {
    if (!node.open || pictures.length > 0) return;
    if (!rule) return place.replaceChildren(empty('This rule is no longer configured.'));
    if (rule.by.length) return place.replaceChildren(empty(`This rule watches by ${rule.by.join(', ')}, not by the records' key: no curve.`));
    const began = Date.parse(alert.start);
    const ended = alert.state === 'firing' ? Date.now() : Date.parse(alert.at);
    const [from, to] = [began - kAround, Math.min(Date.now(), ended + kAround)];
    for (const field of rule.fields.slice(0, 4)) {
      const name = nameOf(field);
      const picture = chart({ label: `${name} of ${alert.device}`, names: [name], format: rate, bandName: 'fires' });
      pictures.push(picture);
      place.append(picture);
      try {
        const data = await series(alert.stream, alert.device, field, from, to);
        picture.draw(data.rows, { bands: [{ from: began, to: ended }], lines: limitsOf(alert, field), from, to });
        if (data.rows.length === 0) picture.replaceWith(empty(`The log has no ${name} of this time.`));
      } catch (error) {
        picture.replaceWith(empty(`▲ ${error.message}`));
      }
    }
    return undefined;
  });
  node.stop = () => pictures.forEach((picture) => picture.stop());
  return node;
}

export function alerts() {
  const firing = el('div', {}, empty('Loading …'));
  const recent = el('div');
  const root = el('div', {}, el('h1', {}, 'Alerts'), el('h2', {}, 'Firing'), firing, el('h2', {}, 'Ended lately'), recent);
  const items = new Map();  // by id and state: what is open stays open
  let timer = null;
  let opened = false;

  function fill(place, list, rules, none) {
    const shown = list.slice(0, kShown).map((alert) => {
      const id = `${alert.id} ${alert.state}`;
      if (!items.has(id)) items.set(id, item(alert, rules.get(`${alert.stream} ${alert.rule}`)));
      return items.get(id);
    });
    const now = shown.length ? shown : [empty(none)];
    if (list.length > kShown) now.push(empty(`… and ${list.length - kShown} more (sluice alerts --all)`));
    const same = place.children.length === now.length && shown.every((node, i) => place.children[i] === node);
    if (!same || shown.length === 0) place.replaceChildren(...now);
  }

  async function load() {
    try {
      const [list, rules] = await Promise.all([get('alerts'), get('rules')]);
      const byName = new Map(rules.map((rule) => [`${rule.stream} ${rule.name}`, rule]));
      fill(firing, list.firing, byName, rules.length ? 'Nothing fires.' : 'No rules are configured.');
      fill(recent, list.recent.filter((a) => a.state !== 'firing').reverse(), byName, 'None.');
      const first = firing.querySelector('details');
      if (first && !opened) first.open = true;
      opened = true;
    } catch (error) {
      if (items.size === 0) firing.replaceChildren(empty(`▲ ${error.message}`));
    }
    timer = setTimeout(load, kAgain);
  }
  load();
  return { root, stop: () => { clearTimeout(timer); items.forEach((node) => node.stop()); } };
}
