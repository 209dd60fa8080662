// fields.js: which numbers a device sends: JSON pointers (RFC 6901) out of its newest records.
import { get } from './api.js';

const kFieldsMax = 100;

export function numbersIn(json, pointer = '', found = []) {
  if (typeof json === 'number' && pointer) found.push(pointer);
  if (json === null || typeof json !== 'object') return found;
  for (const [name, value] of Object.entries(json)) {
    if (found.length >= kFieldsMax) break;
    numbersIn(value, `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, found);
  }
  return found;
}

/** For people: "motor/rpm". */
export const nameOf = (pointer) => pointer.slice(1).replaceAll('~1', '/').replaceAll('~0', '~');

export async function fieldsOf(stream, key, options) {
  const { records } = await get('records', { stream, key, limit: 5 }, options);
  const all = new Set();
  for (const record of records) {
    try {
      for (const pointer of numbersIn(JSON.parse(record.value))) all.add(pointer);
    } catch {
      // not JSON: it has no fields
    }
  }
  return [...all];
}

export async function series(stream, key, field, from, to, options) {
  const points = Math.min(2000, Math.max(400, Math.round(innerWidth)));
  const data = await get('series', { stream, key, field, from: new Date(from).toISOString(), to: new Date(to).toISOString(), points }, options);
  return { ...data, rows: data.time.map((t, i) => [new Date(t), data.value[i]]) };
}
