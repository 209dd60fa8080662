// app.js: the frame around the views: which one is shown, whether the agent is there, and the login.
import { follow, setToken, whenUnauthorized } from './api.js';
import { el, setText, time } from './dom.js';
import { alerts } from './view_alerts.js';
import { curve } from './view_curve.js';
import { devices } from './view_devices.js';
import { overview } from './view_overview.js';
import { records } from './view_records.js';
import { sql } from './view_sql.js';

const views = { overview, devices, curve, alerts, records, sql };
const main = document.getElementById('main');
const link = document.getElementById('link');
const banner = document.getElementById('banner');
const firing = document.getElementById('firing');

let state = null;      // the newest event
let view = null;       // {root, update(state), stop()}
let lostSince = null;
let locked = false;
let login = null;

function parse() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  return { name: views[path] ? path : 'overview', values: Object.fromEntries(new URLSearchParams(query || '')) };
}

function show() {
  if (locked) return;
  const { name, values } = parse();
  view?.stop?.();
  view = views[name](values);
  main.replaceChildren(view.root);
  document.title = `${name === 'sql' ? 'SQL' : `${name[0].toUpperCase()}${name.slice(1)}`} · Sluice`;
  for (const each of document.querySelectorAll('#nav a')) {
    if (each.getAttribute('href') === `#/${name}`) each.setAttribute('aria-current', 'page');
    else each.removeAttribute('aria-current');
  }
  if (state) view.update?.(state);
}

function pill(text, kind) {
  setText(link, text);
  link.className = `pill ${kind}`;
}

function take(next) {
  state = next;
  lostSince = null;
  banner.hidden = true;
  document.body.classList.remove('stale');
  const { status } = state;
  setText(document.getElementById('agent'), status.agent.id);
  const count = status.rules?.firing ?? 0;
  setText(firing, String(count));
  firing.setAttribute('aria-label', `${count} firing`);
  firing.hidden = count === 0;
  if (!status.ready) pill('▲ not ready', 'bad');
  else if (status.notes.length > 0) pill('● ready, with notes', 'warn');
  else pill('● ready', 'good');
  view?.update?.(state);
}

function lost(why, retry) {
  if (locked) return;
  lostSince ??= new Date();
  document.body.classList.add('stale');
  pill('▲ disconnected', 'bad');
  banner.hidden = false;
  const old = state ? `What is shown is of ${time(state.status.time)}. ` : '';
  setText(banner, `No connection since ${time(lostSince)}: ${why}. ${old}Trying again every ${Math.ceil(retry / 1000)} s.`);
}

/** A token may be wrong: it is tried before anything else is shown. */
function askForToken() {
  if (locked) return;
  locked = true;
  const again = sessionStorage.length > 0;
  view?.stop?.();
  view = null;
  banner.hidden = true;
  pill('▲ locked', 'warn');
  const field = el('input', { type: 'password', id: 'token', required: true, autocomplete: 'current-password' });
  const fault = el('p', { class: 'bad', role: 'alert' }, again ? 'This token is not the one of [admin].' : '');
  const form = el('form', {}, el('label', { class: 'grow', for: 'token' }, 'Token of [admin]', field),
    el('button', { class: 'primary' }, 'Log in'));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    setToken(field.value.trim());
    locked = false;
    login?.();
  });
  main.replaceChildren(el('section', { class: 'card login' }, el('h2', {}, 'Log in'),
    el('p', {}, 'This agent shows itself only to who knows its token. It is kept until this tab is closed.'), form, fault));
  field.focus();
}

async function run() {
  for (;;) {
    const unlocked = new Promise((resolve) => { login = resolve; });
    show();
    await follow(take, lost);  // ends only where the token is missing or wrong
    askForToken();
    await unlocked;
  }
}

whenUnauthorized(askForToken);
addEventListener('hashchange', () => {
  show();
  main.focus();
});
run();
