// MQTT.js: round_trip.js PORT 3.1.1|5. What it does: tests/support/other_clients.py.
'use strict';
const mqtt = require('mqtt');

const [port, version] = process.argv.slice(2);
const received = [];
let enough = () => {};

function connect(clientId, session) {
  const options = {clientId, clean: !session, protocolVersion: version === '5' ? 5 : 4, reconnectPeriod: 0};
  if (version === '5') options.properties = {sessionExpiryInterval: session ? 60 : 0};
  const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, options);
  client.on('message', (topic, payload, packet) => {
    received.push(`${packet.qos} ${packet.retain ? 1 : 0} ${topic} ${payload}`);
    enough();
  });
  return new Promise((resolve, reject) => {
    client.on('connect', connack => resolve({client, sessionPresent: connack.sessionPresent}));
    client.on('error', reject);
  });
}

const end = client => new Promise(resolve => client.end(false, {}, resolve));
const publish = (client, topic, payload, options) =>
  new Promise((resolve, reject) => client.publish(topic, payload, options, error => error ? reject(error) : resolve()));
const wait = count => new Promise(resolve => {
  enough = () => received.length >= count && resolve();
  enough();
});

async function main() {
  let reader = (await connect('round-trip', true)).client;
  await new Promise((resolve, reject) => {
    reader.subscribe('plant/+/value', {qos: 2}, (error, granted) => error ? reject(error) : resolve(granted));
  });
  await end(reader);

  const writer = (await connect('round-trip-writer', false)).client;
  const send = async (qos, from, to) => {
    // It doesn't keep to the server's receive maximum: with QoS 2, whose exchanges are its to end, no server waits.
    const atOnce = qos === 2 ? 20 : to - from;
    for (let n = from; n < to;) {
      const sent = [];
      for (; n < to && sent.length < atOnce; ++n) {
        sent.push(publish(writer, `plant/${qos}/value`, String(n), {qos}));
      }
      await Promise.all(sent);
    }
  };
  await send(1, 0, 50);
  await send(2, 0, 50);
  const back = await connect('round-trip', true);
  if (!back.sessionPresent) throw new Error('the session is gone');
  reader = back.client;
  await wait(100);
  await send(0, 50, 60);
  await send(1, 50, 100);
  await send(2, 50, 100);
  await wait(210);
  await publish(writer, 'plant/kept/value', 'on', {qos: 1, retain: true});
  await wait(211);
  const late = (await connect('round-trip-late', false)).client;
  await new Promise(resolve => late.subscribe('plant/kept/value', {qos: 1}, resolve));
  await wait(212);
  await publish(writer, 'plant/kept/value', '', {qos: 1, retain: true});
  for (const client of [reader, writer, late]) await end(client);
  console.log(received.join('\n'));
}

setTimeout(() => { console.error(`only ${received.length} messages came`); process.exit(1); }, 30000).unref();
main().catch(error => { console.error(error); process.exit(1); });
