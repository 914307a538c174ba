// Checks OpenAPI documents with the engine of Redocly's linter, @redocly/openapi-core.
//
// Each line of the file is one document, 3.0 or 3.1. For each, one line comes out, in the same order: a list of what is
// wrong with it, empty if it is valid. The rules are those of the specification (the linter's ruleset "spec"), and
// those that catch a document which contradicts itself; none about taste.
//
//     node validate.mjs <folder of node_modules> documents.jsonl
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [modules, file] = process.argv.slice(2);
const core = path.join(modules, "@redocly", "openapi-core");
const { createConfig, lintFromString } = await import(pathToFileURL(path.join(core, "lib", "index.js")));

const config = await createConfig({
  extends: ["spec"],
  rules: {
    "no-duplicated-enum-values": "error",
    "no-enum-type-mismatch": "error",
    "no-invalid-media-type-examples": "error",
    "no-invalid-parameter-examples": "error",
    "no-invalid-schema-examples": "error",
    "no-required-schema-properties-undefined": "error",
    "no-schema-type-mismatch": "error",
  },
});

async function problems(source) {
  try {
    const found = await lintFromString({ source, absoluteRef: "document.json", config });
    return found.map(({ location, message, ruleId }) => `${location[0]?.pointer}: ${message} (${ruleId})`);
  } catch (error) {
    return [`${error.name}: ${error.message}`];
  }
}

const lines = fs.readFileSync(file, "utf8").split("\n");
lines.pop(); // What follows the last line end: nothing.
for (const line of lines) process.stdout.write(JSON.stringify(await problems(line)) + "\n");
