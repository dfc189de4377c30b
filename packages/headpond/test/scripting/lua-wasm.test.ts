import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { sep } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Module } from '#src/bytes/web-assembly.ts'

/** Seen from the compiled file. */
const FOLDER = fileURLToPath(new URL('../../lua/', import.meta.url))

test('lua.wasm was built from the sources beside it', () => {
  const files = readdirSync(`${FOLDER}src`, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.[ch]$/.test(file))
    .map((file) => `src/${file.split(sep).join('/')}`)
    .sort()
  const digest = createHash('sha256')
  for (const file of files) digest.update(`${file}\0`).update(readFileSync(FOLDER + file))
  assert.equal(
    readFileSync(`${FOLDER}lua.wasm.sources`, 'latin1'),
    `${digest.digest('hex')}\n`,
    'run node scripts/build-lua.mjs: see packages/headpond/lua/README.md',
  )
})

test('what a script can reach outside its memory is this, and no system call', () => {
  const module = new Module(readFileSync(`${FOLDER}lua.wasm`))
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly: { Module: { imports(module: object): { module: string; name: string; kind: string }[] } }
  }
  assert.deepEqual(
    WebAssembly.Module.imports(module)
      .map((each) => `${each.kind} ${each.module}.${each.name}`)
      .sort(),
    [
      'function host.call',
      'function host.clock',
      'function host.interrupt',
      'function host.isLogged',
      'function host.log',
      'function host.mayCall',
      'function host.register',
      'function host.setProtocol',
      'function host.setReplication',
      'function host.sha1hex',
      'function host.throw',
      'function host.try',
    ],
  )
})
