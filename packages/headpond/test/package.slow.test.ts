/** The package as it is published: it holds all that it needs, runs, and its types are found. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'

/** Seen from the compiled file. */
const PACKAGE = fileURLToPath(new URL('../', import.meta.url))
const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url))

/** An application that has installed the package, and has nothing else of the repository. */
let application: string

before(() => {
  application = mkdtempSync(join(tmpdir(), 'headpond-package-'))
  const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', application], {
    cwd: PACKAGE,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  }).trim()
  const modules = join(application, 'node_modules')
  mkdirSync(join(modules, 'headpond'), { recursive: true })
  execFileSync('tar', ['-xzf', join(application, packed), '-C', join(modules, 'headpond'), '--strip-components', '1'])
  const { dependencies } = JSON.parse(readFileSync(join(modules, 'headpond', 'package.json'), 'utf8'))
  for (const name of [...Object.keys(dependencies), '@types/node']) {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(REPOSITORY, 'node_modules', name), join(modules, name), 'junction')
  }
  writeFileSync(join(application, 'package.json'), '{ "name": "application", "type": "module", "private": true }')
})

after(() => rmSync(application, { recursive: true, force: true }))

/** Runs Node in the application, and gives what it prints. */
function run(...args: string[]): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd: application, encoding: 'utf8' })
  assert.deepEqual([stderr, status], ['', 0], args.join(' '))
  return stdout
}

test('the executable runs', () => {
  const { bin, version } = JSON.parse(readFileSync(join(application, 'node_modules/headpond/package.json'), 'utf8'))
  const executable = join('node_modules', 'headpond', bin.headpond)
  assert.match(run(executable, '--version'), new RegExp(`^Headpond ${version} `))
  assert.match(run(executable, '--help'), /--maxmemory/)
  assert.match(run(executable, 'cli', '--help'), /--bigkeys/)
})

test('createServer and headpond/testing work, scripts too', () => {
  writeFileSync(
    join(application, 'run.js'),
    `import { createServer } from 'headpond'
    import { useHeadpond } from 'headpond/testing'
    const server = await createServer()
    console.log(await server.execute('EVAL', 'return {KEYS[1], redis.call("PING")}', 1, 'a'))
    await server.close()
    console.log(typeof useHeadpond)`,
  )
  assert.equal(run('run.js'), "[ 'a', 'PONG' ]\nfunction\n")
})

test('what cannot import requires it', () => {
  writeFileSync(
    join(application, 'run.cjs'),
    `const { createServer, ConfigError } = require('headpond')
    const { useHeadpond } = require('headpond/testing')
    createServer({ maxclients: 'many' }).catch((error) => console.log(error instanceof ConfigError, typeof useHeadpond))`,
  )
  // On Node 20 and early 22 it is said to be experimental, on stderr.
  assert.equal(run('--no-warnings', 'run.cjs'), 'true function\n')
})

test('no file names one that is not there', () => {
  const root = join(application, 'node_modules', 'headpond')
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  for (const file of files.filter((name) => /\.[jt]s$/.test(name))) {
    const text = readFileSync(join(root, file), 'utf8')
    assert.doesNotMatch(text, /sourceMappingURL=/, file)
  }
  const { bin, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const named = [bin.headpond, exports['.'].types, exports['.'].default, exports['./testing'].types]
  for (const name of named) assert(existsSync(join(root, name)), name)
})

test('what is not exported stays inside', () => {
  writeFileSync(
    join(application, 'inside.js'),
    "await import('headpond/src/cli/main.ts').catch(({ code }) => console.log(code))",
  )
  assert.equal(run('inside.js'), 'ERR_PACKAGE_PATH_NOT_EXPORTED\n')
})

for (const [module, moduleResolution] of [
  ['node16', 'node16'],
  ['nodenext', 'nodenext'],
  ['esnext', 'bundler'],
]) {
  test(`TypeScript finds the types (${moduleResolution})`, () => {
    writeFileSync(
      join(application, 'typed.ts'),
      `import { createServer, type HeadpondServer } from 'headpond'
      import { useHeadpond } from 'headpond/testing'
      const server: HeadpondServer = await createServer({ maxmemory: '10mb' })
      export const port: number = server.port
      export const url: string = useHeadpond().url
      // @ts-expect-error: there is no such directive
      await createServer({ maxmemroy: '10mb' })`,
    )
    const compiler = join(REPOSITORY, 'node_modules', 'typescript', 'bin', 'tsc')
    const options = [
      '--strict',
      '--noEmit',
      '--target',
      'es2022',
      '--module',
      module,
      '--moduleResolution',
      moduleResolution,
    ]
    run(compiler, ...options, '--types', 'node', 'typed.ts')
  })
}
