// Runs the program in V8, where the filter runs too. Usage: node run.mjs FILE.wasm
import { readFile } from 'node:fs/promises';
import { WASI } from 'node:wasi';

const wasi = new WASI({ version: 'preview1', args: ['bench-encode'] });
const module = await WebAssembly.compile(await readFile(process.argv[2]));
// The calls into Envoy of the filter's crate, which this program does not make.
const wanted = WebAssembly.Module.imports(module).filter(({ module, kind }) => module === 'env' && kind === 'function');
const env = Object.fromEntries(wanted.map(({ name }) => [name, () => { throw new Error(`${name} was called`); }]));
const instance = await WebAssembly.instantiate(module, { ...wasi.getImportObject(), env });
// The filter's crate exports what starts a library; this is a program.
const { _initialize, ...exports } = instance.exports;
wasi.start({ exports });
