// Runs a program in V8, where the filter runs too. Usage: node wasi.mjs FILE.wasm [ARGUMENT…]
import { readFile } from 'node:fs/promises';
import { WASI } from 'node:wasi';

const [file, ...args] = process.argv.slice(2);
const wasi = new WASI({ version: 'preview1', args: [file, ...args], env: process.env, preopens: { '/': '/' } });
const module = await WebAssembly.compile(await readFile(file));
// The calls into Envoy of the filter's crate, which no program makes.
const wanted = WebAssembly.Module.imports(module).filter(({ module, kind }) => module === 'env' && kind === 'function');
const env = Object.fromEntries(wanted.map(({ name }) => [name, () => { throw new Error(`${name} was called`); }]));
// Property tests take their seed from the host, for proptest reads no environment in wasm: one that is given counts here
// too, for each test by itself.
const seed = process.env.PROPTEST_RNG_SEED;
if (seed !== undefined) {
  wasi.wasiImport.random_get = (at, len) => {
    let state = BigInt(seed);
    new Uint8Array(instance.exports.memory.buffer, at, len).forEach((_, place, bytes) => {
      state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
      bytes[place] = Number(state >> 56n);
    });
    return 0;
  };
}
const instance = await WebAssembly.instantiate(module, { ...wasi.getImportObject(), env });
// The filter's crate exports what starts a library; this is a program.
const { _initialize, ...exports } = instance.exports;
process.exitCode = wasi.start({ exports });
