// What the original tutorial's tools do, as one service: take JSON Lines over HTTP, send them to Kafka with kafkajs, and
// answer when Kafka has acknowledged them.
//
//   node collector.cjs FOLDER_OF_KAFKAJS post|line HOST PORT BROKERS TOPIC
//
// `post`: one send for all lines of a post. `line`: one send for each line. Both with kafkajs's own settings (acks of
// all replicas, no compression).
"use strict";

const http = require("node:http");
const path = require("node:path");

const [folder, mode, host, port, brokers, topic] = process.argv.slice(2);
const { Kafka, logLevel } = require(path.join(folder, "node_modules", "kafkajs"));

const kafka = new Kafka({ clientId: "node", brokers: brokers.split(","), logLevel: logLevel.ERROR });
const producer = kafka.producer();

const store = async (lines) => {
  if (mode === "post") {
    await producer.send({ topic, messages: lines.map((value) => ({ value })) });
  } else {
    await Promise.all(lines.map((value) => producer.send({ topic, messages: [{ value }] })));
  }
};

const read = async (request) => {
  const chunks = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
};

const answer = (response, status, receipt) => {
  const body = JSON.stringify(receipt);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  response.end(body);
};

const server = http.createServer(async (request, response) => {
  try {
    const lines = (await read(request)).split("\n").filter((line) => line !== "");
    await store(lines);
    answer(response, 200, { accepted: lines.length });
  } catch (error) {
    console.error(error);
    answer(response, 503, { accepted: 0 });
  }
});

producer.connect().then(
  () => server.listen(Number(port), host),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
