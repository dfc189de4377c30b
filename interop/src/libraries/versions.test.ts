/** docs/compatibility.md names each library that is used here, in the version that is installed. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

const ROOT = new URL('../../../', import.meta.url)

/** Without which others do not work, but which do not speak to a server themselves. */
const HELPERS = ['socket.io-client']
/** docs/kafka.md has their table, with the clients of other languages. */
const KAFKA_CLIENTS = ['@platformatic/kafka', 'kafkajs']

test('the table of libraries is true', () => {
  const page = readFileSync(new URL('docs/compatibility.md', ROOT), 'utf8')
  const table = new Map(
    [...page.matchAll(/^\| \[(.+?)\]\(.+?\) \| (\S+) \|/gm)].map(([, name, version]) => [name, version]),
  )
  const { packages } = readJson('package-lock.json') as { packages: Record<string, { version: string }> }
  for (const [name, version] of table) assert.equal(version, packages[`node_modules/${name}`]?.version, name)

  const { devDependencies } = readJson('interop/package.json') as { devDependencies: Record<string, string> }
  const used = Object.keys(devDependencies).filter(
    (name) => !name.startsWith('@types/') && ![...HELPERS, ...KAFKA_CLIENTS].includes(name),
  )
  assert.deepEqual(
    used.filter((name) => !table.has(name)),
    [],
  )
})

test('the table of Kafka clients is true', () => {
  const page = readFileSync(new URL('docs/kafka.md', ROOT), 'utf8')
  const { packages } = readJson('package-lock.json') as { packages: Record<string, { version: string }> }
  for (const name of KAFKA_CLIENTS) {
    const version = packages[`node_modules/${name}`]?.version.split('.').slice(0, 2).join('.')
    assert.ok(page.includes(`| ${name} | ${version} |`), `${name} ${version}`)
  }
})

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(new URL(path, ROOT), 'utf8'))
}
