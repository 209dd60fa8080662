// api.js: what the agent is asked: /api/v1/…, with the token where one is needed, and the events.
//
// The events come through fetch() and not through EventSource, which can't send a token.

const kToken = 'sluice.token';
const kSilenceMax = 5000;  // ms: an event comes each second
const kRetryMax = 10000;

export class ApiError extends Error {
  constructor(status, what, at) {
    super(what);
    this.status = status;
    this.at = at;  // the place in a query that it is about
  }
}

let onUnauthorized = () => {};
export const whenUnauthorized = (handler) => { onUnauthorized = handler; };
export const setToken = (token) => sessionStorage.setItem(kToken, token);

function headers() {
  const token = sessionStorage.getItem(kToken);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

async function request(path, options) {
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: headers(), cache: 'no-store' });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, 'the agent does not answer');
  }
  if (answer.ok) return answer;
  if (answer.status === 401) onUnauthorized();
  const { error, at } = await answer.json().catch(() => ({}));
  throw new ApiError(answer.status, error || `the agent answered ${answer.status}`, at);
}

/** @return the JSON of /api/v1/PATH, and the answer's headers as `headers` of it where `whole` */
export async function get(path, values = {}, { signal, whole } = {}) {
  const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== '' && value !== undefined && value !== null));
  const answer = await request(`/api/v1/${path}${query.size ? `?${query}` : ''}`, { signal });
  const json = await answer.json();
  return whole ? { json, headers: answer.headers } : json;
}

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Follows the events for as long as the page lives, and connects again whenever they end.
 *  take(state): the newest; lost(why, retryMs): there are none until further notice */
export async function follow(take, lost) {
  for (let retry = 500; ; retry = Math.min(retry * 2, kRetryMax)) {
    let why = 'the agent has closed the connection';
    try {
      await readEvents((state) => { retry = 500; take(state); });
    } catch (error) {
      why = error.name === 'AbortError' ? 'the agent has gone silent' : error.message;
      if (error.status === 401) return;
    }
    lost(why, retry);
    await pause(retry);
  }
}

async function readEvents(take) {
  const abort = new AbortController();
  // A page that the browser keeps for its back button would keep its connection too, of which there are few.
  addEventListener('pagehide', () => abort.abort(), { signal: abort.signal });
  let watch = setTimeout(() => abort.abort(), kSilenceMax);
  try {
    const answer = await request('/api/v1/events', { signal: abort.signal });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(watch);
      watch = setTimeout(() => abort.abort(), kSilenceMax);
      text += value;
      const events = text.split('\n\n');
      text = events.pop();
      // Only the newest counts: a page that was busy doesn't work off what is old.
      const data = events.at(-1)?.split('\n').filter((line) => line.startsWith('data: ')).map((line) => line.slice(6)).join('');
      if (data) take(JSON.parse(data));
    }
  } finally {
    clearTimeout(watch);
    abort.abort();
  }
}
