/**
 * Makes the working tree ready to run: packages installed as the lock file says, sources compiled.
 *
 * Runs before anything is installed, so it uses Node alone. When there is nothing to do it costs a few milliseconds
 * (two small JSON files, one stat for each source file) and starts no process; `npm start` depends on that.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** The executable: see bundle.mjs. */
export const MAIN = path.join(ROOT, 'packages/headpond/dist/bin/headpond.js')

/**
 * The projects of tsconfig.json: where the source is, where it goes, what it is built from besides.
 * @type {Record<ProjectName, { source: string, output: string, config: string, needs: ProjectName[] }>}
 * @typedef {'server' | 'test' | 'bench' | 'interop' | 'examples' | 'email-dedup' | 'jackpot'} ProjectName
 */
const PROJECTS = {
  server: {
    source: 'packages/headpond/src',
    output: 'packages/headpond/dist',
    config: 'packages/headpond/src',
    needs: [],
  },
  test: {
    source: 'packages/headpond/test',
    output: 'packages/headpond/dist-test',
    config: 'packages/headpond/test',
    needs: ['server'],
  },
  bench: { source: 'bench/src', output: 'bench/dist', config: 'bench', needs: ['server', 'test', 'interop'] },
  interop: { source: 'interop/src', output: 'interop/dist', config: 'interop', needs: ['server', 'test'] },
  examples: {
    source: 'examples/shared/src',
    output: 'examples/shared/dist',
    config: 'examples/shared',
    needs: ['server'],
  },
  'email-dedup': {
    source: 'examples/email-dedup/src',
    output: 'examples/email-dedup/dist',
    config: 'examples/email-dedup',
    needs: ['examples'],
  },
  jackpot: {
    source: 'examples/jackpot/src',
    output: 'examples/jackpot/dist',
    config: 'examples/jackpot',
    needs: ['examples'],
  },
}
const ALL_PROJECTS = /** @type {ProjectName[]} */ (Object.keys(PROJECTS))
/** Those of which each is a small application, complete: `npm run example:email-dedup`. */
export const EXAMPLES = /** @type {const} */ (['email-dedup', 'jackpot'])

/** What every build depends on besides its sources. */
const SHARED_INPUTS = ['package-lock.json', 'tsconfig.base.json', 'packages/headpond/package.json']

/** Runs `npm ci` unless node_modules already holds exactly what package-lock.json names. Throws when npm fails. */
export function ensureInstalled() {
  if (isInstalled()) return
  withLock(() => {
    if (isInstalled()) return
    console.error('headpond: installing packages (npm ci) ...')
    // Dev dependencies are needed to build, whatever NODE_ENV says; no package of ours needs an install script.
    const status = npm(['ci', '--include=dev', '--include=optional', '--ignore-scripts', '--no-audit', '--no-fund'])
    if (status !== 0) throw new Error(`npm ci failed (exit code ${status}); see its message above`)
  })
}

/**
 * Compiles what changed since the last build. Returns false when the compiler found errors: what it could compile
 * has been written nevertheless, and the next call reports the errors again.
 * @param {ProjectName[]} [names]
 */
export function ensureBuilt(names = ALL_PROJECTS) {
  if (staleProjects(names).size === 0 && isLinked()) return true
  return withLock(() => {
    // Fingerprints are taken before the compiler reads: a file edited meanwhile is seen by the next call.
    const stale = staleProjects(names)
    let succeeded = true
    if (stale.size > 0) {
      console.error(`headpond: building ${[...stale.keys()].join(', ')} ...`)
      const configs = [...stale.keys()].map((name) => PROJECTS[name].config)
      succeeded = runStep('node_modules/typescript/bin/tsc', ['-b', ...configs])
      if (succeeded && stale.has('server')) succeeded = runStep('scripts/bundle.mjs', [])
      for (const [name, fingerprint] of stale) {
        removeOrphans(PROJECTS[name])
        // Without a stamp the next call builds again, even when the sources have gone back to what they were.
        if (succeeded) fs.writeFileSync(stampOf(name), fingerprint)
        else fs.rmSync(stampOf(name), { force: true })
      }
    }
    linkExecutable()
    return succeeded
  })
}

/** Stdout belongs to the program that is to run: what a step says goes to stderr. @param {string} file @param {string[]} args */
function runStep(file, args) {
  const step = spawnSync(process.execPath, [path.join(ROOT, file), ...args], { cwd: ROOT, stdio: ['ignore', 2, 2] })
  if (step.error) throw step.error
  return step.status === 0
}

/** The test files of a project, compiled, whose path contains one of the patterns (all files when there is none).
 * @param {ProjectName} name
 * @param {string[]} patterns
 */
export function compiledTests(name, patterns = []) {
  const { source, output } = PROJECTS[name]
  return listFiles(path.join(ROOT, source))
    .filter((file) => file.endsWith('.test.ts'))
    .filter((file) => matches(path.relative(ROOT, file), patterns))
    .map((file) => path.join(ROOT, output, path.relative(path.join(ROOT, source), file).replace(/\.ts$/, '.js')))
    .filter((file) => fs.existsSync(file))
    .map((file) => path.relative(ROOT, file))
}

/** @param {string} file @param {string[]} patterns */
export function matches(file, patterns) {
  return patterns.length === 0 || patterns.some((pattern) => file.includes(pattern.replace(/^\.\//, '')))
}

/** Runs a program in the foreground and returns its exit code. @param {string} program @param {string[]} args */
export function run(program, args, env = process.env) {
  const result = spawnSync(program, args, { cwd: ROOT, stdio: 'inherit', env })
  if (result.error) throw result.error
  return result.status ?? 1
}

/** Runs a tool that came with the packages, by its file, so that no shell stands between. @param {string[]} args */
export function runTool(/** @type {string} */ file, args) {
  return run(process.execPath, [path.join(ROOT, 'node_modules', file), ...args])
}

/** Every file under a folder, in a stable order. @param {string} folder @returns {string[]} */
export function listFiles(folder) {
  if (!fs.existsSync(folder)) return []
  return fs
    .readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const file = path.join(folder, entry.name)
      return entry.isDirectory() ? listFiles(file) : [file]
    })
}

/** Compares the lock file with the one npm keeps of what it has installed: same packages, same contents. */
function isInstalled() {
  const wanted = readLock('package-lock.json')
  const installed = readLock('node_modules/.package-lock.json')
  if (wanted === undefined || installed === undefined) return false
  return Object.entries(wanted).every(([where, entry]) => {
    if (where === '' || !where.includes('node_modules/')) return true // our own workspaces
    const found = installed[where]
    // Packages for other platforms are named in the lock file, and rightly absent.
    if (found === undefined) return entry.optional === true || entry.devOptional === true
    return found.version === entry.version && found.integrity === entry.integrity
  })
}

/**
 * @param {string} file
 * @returns {Record<string, { version?: string, integrity?: string, optional?: boolean, devOptional?: boolean }> | undefined}
 */
function readLock(file) {
  try {
    return JSON.parse(fs.readFileSync(path.join(ROOT, file), 'utf8')).packages
  } catch {
    return undefined
  }
}

/** @param {string[]} args */
function npm(args) {
  // Under `npm start` this is npm's own file; otherwise the npm on the path.
  const npmFile = process.env.npm_execpath
  const viaNode = npmFile !== undefined && /npm-cli\.c?js$/.test(npmFile)
  const [program, prefix] = viaNode ? [process.execPath, [npmFile]] : ['npm', []]
  const result = spawnSync(program, [...prefix, ...args], {
    cwd: ROOT,
    stdio: ['ignore', 2, 2], // stdout belongs to the program that is to run
    shell: !viaNode && process.platform === 'win32',
  })
  if (result.error) throw result.error
  return result.status ?? 1
}

/** @param {ProjectName[]} names @returns {Map<ProjectName, string>} the projects to build, with their fingerprints */
function staleProjects(names) {
  /** @type {Map<ProjectName, string>} */
  const fingerprints = new Map()
  for (const name of names) fingerprint(name, fingerprints)
  for (const [name, value] of fingerprints) {
    if (readText(stampOf(name)) === value) fingerprints.delete(name)
  }
  return fingerprints
}

/**
 * Path, time and size of every input, hashed. Equality rather than "newer than": a checkout may bring older files.
 * @param {ProjectName} name
 * @param {Map<ProjectName, string>} known
 * @returns {string}
 */
function fingerprint(name, known) {
  const earlier = known.get(name)
  if (earlier !== undefined) return earlier
  const { source, config, needs } = PROJECTS[name]
  const hash = createHash('sha256')
  for (const need of needs) hash.update(fingerprint(need, known))
  const inputs = listFiles(path.join(ROOT, source)).filter((file) => /\.(ts|mts|json)$/.test(file))
  for (const file of [
    ...inputs,
    ...[...SHARED_INPUTS, `${config}/tsconfig.json`].map((each) => path.join(ROOT, each)),
  ]) {
    const { mtimeMs, size } = fs.statSync(file)
    hash.update(`${path.relative(ROOT, file)} ${mtimeMs} ${size}\n`)
  }
  const value = hash.digest('hex')
  known.set(name, value)
  return value
}

/** @param {ProjectName} name */
function stampOf(name) {
  return path.join(ROOT, PROJECTS[name].output, '.stamp')
}

/** Removes what was compiled from a source file that is gone; the compiler does not. @param {{ source: string, output: string }} project */
function removeOrphans({ source, output }) {
  for (const file of listFiles(path.join(ROOT, output))) {
    if (path.dirname(file) === path.dirname(MAIN)) continue
    const [, stem] = /^(.*?)\.(?:js|js\.map|d\.ts|d\.ts\.map)$/.exec(path.relative(path.join(ROOT, output), file)) ?? []
    if (stem !== undefined && !fs.existsSync(path.join(ROOT, source, `${stem}.ts`))) fs.rmSync(file)
  }
}

const LINK = path.join(ROOT, 'node_modules/.bin/headpond')

function isLinked() {
  if (process.platform === 'win32') return fs.existsSync(`${LINK}.cmd`)
  return fs.existsSync(LINK) && fs.realpathSync(LINK) === fs.realpathSync(MAIN)
}

/** npm links an executable when it installs; ours does not exist yet at that time. */
function linkExecutable() {
  if (!fs.existsSync(MAIN)) return
  fs.chmodSync(MAIN, 0o755)
  if (isLinked()) return
  if (process.platform === 'win32') {
    npm(['rebuild', 'headpond', '--ignore-scripts'])
    return
  }
  fs.rmSync(LINK, { force: true }) // a link that points elsewhere, or nowhere
  fs.mkdirSync(path.dirname(LINK), { recursive: true })
  fs.symlinkSync(path.join('../headpond', path.relative(path.join(ROOT, 'packages/headpond'), MAIN)), LINK)
}

/**
 * One installation or build at a time in a tree. The lock names its process, so that one left by a crash is seen.
 * @template T
 * @param {() => T} work
 * @returns {T}
 */
function withLock(work) {
  const lock = path.join(ROOT, '.prepare.lock')
  for (let announced = false; ; ) {
    try {
      fs.writeFileSync(lock, String(process.pid), { flag: 'wx' })
      break
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error
      if (!isAlive(Number(readText(lock)))) {
        fs.rmSync(lock, { force: true })
        continue
      }
      if (!announced) console.error('headpond: another process is building; waiting for it ...')
      announced = true
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
    }
  }
  try {
    return work()
  } finally {
    fs.rmSync(lock, { force: true })
  }
}

/** @param {number} pid */
function isAlive(pid) {
  if (!(pid > 0)) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM'
  }
}

/** @param {string} file */
function readText(file) {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
