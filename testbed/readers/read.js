// Reads a file of HTTP exchanges with the published TypeScript library, http-types 0.6.1.
//
// For each line of the file one line of JSON comes out, in the same order: {"read": ...} with everything that the
// library understood, or {"refused": "..."} with what it said. Headers and query are lists of [name, [values]]:
// the library's own toJSON puts them into an object, where a name like __proto__ is lost. `urlPathname` is what the
// platform's own URL parser, which the library uses, makes of the path.
//
//     NODE_PATH=<folder>/node_modules node read.js exchanges.jsonl
"use strict";

const fs = require("fs");
const { HttpExchangeReader } = require("http-types");

const timestamp = value => (value ? value.toISOString() : null);
const fields = map => [...map.entries()];

function everything(line) {
  const { request, response } = HttpExchangeReader.fromJson(line);
  const { path } = JSON.parse(line).request;
  return {
    request: {
      timestamp: timestamp(request.timestamp),
      method: request.method,
      protocol: request.protocol,
      host: request.host,
      headers: fields(request.headers.headers),
      body: request.body,
      path: request.path,
      pathname: request.pathname,
      query: fields(request.query.parameters),
      urlPathname: path ? new URL("file://" + path).pathname : undefined,
    },
    response: {
      timestamp: timestamp(response.timestamp),
      statusCode: response.statusCode,
      headers: fields(response.headers.headers),
      body: response.body,
    },
  };
}

function verdict(line) {
  try {
    return { read: everything(line) };
  } catch (error) {
    return { refused: `${error.name}: ${error.message}` };
  }
}

const lines = fs.readFileSync(process.argv[2], "utf8").split("\n");
lines.pop(); // What follows the last line end: nothing.
for (const line of lines) process.stdout.write(JSON.stringify(verdict(line)) + "\n");
