/**
 * Compiles packages/headpond/lua to lua.wasm. To be run after a change of its sources, by those who have the tools: see
 * packages/headpond/lua/README.md.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../packages/headpond/lua/', import.meta.url))
const target = ['--target=wasm32-wasi']
const features = ['-mbulk-memory', '-msign-ext', '-mnontrapping-fptoint', '-mmutable-globals']
const defines = ['-DNDEBUG', '-DLUA_ANSI', '-DENABLE_CJSON_GLOBAL']

/** What runs while a script runs is made fast; the parser and its like are made small, since size is time to load. */
const fast = new Set([
  'lvm',
  'ltable',
  'lstring',
  'lgc',
  'ldo',
  'lapi',
  'lobject',
  'lfunc',
  'lmem',
  'lstate',
  'headpond',
])
const small = new Set(['lparser', 'lcode', 'llex', 'lundump', 'ldump', 'ldebug'])

/** Address space that a state may fill; a script that needs more gets an error. */
const MEMORY_BYTES_MAX = 2 ** 30
const STACK_BYTES = 2 ** 20

/** @param {string} name @returns {string} the newest of `name` and `name-NN` that is there */
function tool(name) {
  const versions = Array.from({ length: 12 }, (_, index) => `${name}-${25 - index}`)
  for (const each of [name, ...versions]) {
    try {
      execFileSync(each, ['--version'], { stdio: 'ignore' })
      return each
    } catch {}
  }
  throw new Error(`${name} is not installed: see packages/headpond/lua/README.md`)
}

/** @returns {string[]} paths relative to `folder` */
function sources() {
  return fs
    .readdirSync(path.join(folder, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.[ch]$/.test(file))
    .map((file) => `src/${file.split(path.sep).join('/')}`)
    .sort()
}

const clang = tool('clang')
const objects = fs.mkdtempSync(path.join(os.tmpdir(), 'headpond-lua-'))
const includes = ['-I', path.join(folder, 'src'), '-I', path.join(folder, 'src', 'lua')]
for (const file of sources().filter((each) => each.endsWith('.c'))) {
  const name = path.basename(file, '.c')
  // The fast ones are optimized together once more when they are linked.
  const level = fast.has(name) ? ['-O3', '-flto'] : [small.has(name) ? '-Os' : '-O2']
  const warnings = ['-Wall', '-Wno-unused-function']
  const output = path.join(objects, `${name}.o`)
  execFileSync(
    clang,
    [...target, ...features, ...defines, ...includes, ...warnings, '-ffunction-sections', ...level].concat([
      '-c',
      path.join(folder, file),
      '-o',
      output,
    ]),
    { stdio: 'inherit' },
  )
}

const sysroot = '/usr/lib/wasm32-wasi'
const runtime = execFileSync(clang, [...target, '-print-libgcc-file-name'], { encoding: 'utf8' }).trim()
const linked = path.join(objects, 'linked.wasm')
execFileSync(
  tool('wasm-ld'),
  ['--no-entry', '--strip-all', '--gc-sections', '--lto-O3', '--stack-first']
    .concat(['-z', `stack-size=${STACK_BYTES}`, '--initial-memory=2097152', `--max-memory=${MEMORY_BYTES_MAX}`])
    .concat(fs.readdirSync(objects).map((file) => path.join(objects, file)))
    .concat([`-L${sysroot}`, '-lc', '-lm', runtime, '-o', linked]),
  { stdio: 'inherit' },
)
const allowed = ['bulk-memory', 'sign-ext', 'nontrapping-float-to-int', 'mutable-globals']
const wasm = path.join(folder, 'lua.wasm')
execFileSync(tool('wasm-opt'), ['-O3', ...allowed.map((feature) => `--enable-${feature}`), linked, '-o', wasm])
fs.chmodSync(wasm, 0o644)
fs.rmSync(objects, { recursive: true })

const digest = createHash('sha256')
for (const file of sources()) digest.update(`${file}\0`).update(fs.readFileSync(path.join(folder, file)))
fs.writeFileSync(path.join(folder, 'lua.wasm.sources'), `${digest.digest('hex')}\n`)
console.log(`lua.wasm: ${fs.statSync(wasm).size} bytes`)
