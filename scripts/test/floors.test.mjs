import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { checkFloors, FLOORS, findFaults } from '../floors.mjs'

const fixture = (/** @type {string} */ name) => fileURLToPath(new URL(`fixtures/floors/${name}/src`, import.meta.url))
const floors = `floors: ${FLOORS.map((folders) => folders.join(', ')).join(' < ')}`

test('files that import from their own folder and from below pass', () => {
  assert.deepEqual(findFaults(fixture('clean')), [])
  assert.equal(checkFloors(fixture('clean')), true)
})

test('imports from above and across, strays and cycles are named with their line', () => {
  assert.deepEqual(findFaults(fixture('faulty')), [
    `src/attic/old.ts:1: attic is on no floor (${floors})`,
    `src/loose.ts:1: a file outside of any folder is on no floor (${floors})`,
    `src/index.ts:1: index.ts cannot import cli (${floors})`,
    `src/memory/arena.ts:4: memory cannot import store (${floors})`,
    `src/resp/codec.ts:4: resp cannot import cli (${floors})`,
    `src/resp/session.ts:2: resp cannot import server (${floors})`,
    `src/server/server.ts:1: inside src, import '#src/bytes/hash.ts' by its relative path`,
    `src/server/server.ts:2: '../../outside.ts' is outside of src`,
    `src/store/keyspace.ts:1: store cannot import log (${floors})`,
    `src/resp/codec.ts:1: import cycle: resp/codec.ts -> resp/parser.ts -> resp/session.ts -> resp/codec.ts`,
  ])
})
