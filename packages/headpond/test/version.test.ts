import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { HEADPOND_VERSION } from '#src/server/version.ts'

test('the version that the server tells is the one of its package.json', () => {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  assert.equal(HEADPOND_VERSION, manifest.version)
})
