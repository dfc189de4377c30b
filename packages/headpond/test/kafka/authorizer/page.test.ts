/** docs/kafka-acls.md says of every API what it needs. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { apis } from '#src/kafka/apis.ts'
import { transcripts } from './transcript.ts'

const PAGE = fileURLToPath(new URL('../../../../../docs/kafka-acls.md', import.meta.url))
/** Those that clients speak before they are anybody. */
const OPEN = new Set(['ApiVersions', 'SaslHandshake', 'SaslAuthenticate'])

test('the page of permissions names every API that is served, once', () => {
  const table = readFileSync(PAGE, 'utf8').split('| API |')[1]
  const named = table.split('\n').flatMap((line) => /^\| ([\w, ]+) \|/.exec(line)?.[1].split(', ') ?? [])
  assert.deepEqual(
    named.filter((name, at) => named.indexOf(name) !== at),
    [],
  )
  for (const { name } of apis) assert.ok(named.includes(name), `${name} is missing`)
})

test('the transcripts try every API without a permission', () => {
  const played = transcripts.names.map((name) => transcripts.read(name)).join('\n')
  for (const { name } of apis) {
    if (!OPEN.has(name)) assert.match(played, new RegExp(`^> alice ${name} `, 'm'), `${name} is not tried`)
  }
})
