/** docs/compatibility.md names each library that is used here, in the version that is installed. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

const ROOT = new URL('../../../', import.meta.url)

/** Without which others do not work, but which do not speak to a server themselves. */
const HELPERS = ['socket.io-client']

test('the table of libraries is true', () => {
  const page = readFileSync(new URL('docs/compatibility.md', ROOT), 'utf8')
  const table = new Map(
    [...page.matchAll(/^\| \[(.+?)\]\(.+?\) \| (\S+) \|/gm)].map(([, name, version]) => [name, version]),
  )
  const { packages } = readJson('package-lock.json') as { packages: Record<string, { version: string }> }
  for (const [name, version] of table) assert.equal(version, packages[`node_modules/${name}`]?.version, name)

  const { devDependencies } = readJson('interop/package.json') as { devDependencies: Record<string, string> }
  const used = Object.keys(devDependencies).filter((name) => !name.startsWith('@types/') && !HELPERS.includes(name))
  assert.deepEqual(
    used.filter((name) => !table.has(name)),
    [],
  )
})

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(new URL(path, ROOT), 'utf8'))
}
