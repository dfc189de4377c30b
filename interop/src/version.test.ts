import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HEADPOND_VERSION } from 'headpond'

test('the package is reachable by its own name', () => {
  assert.match(HEADPOND_VERSION, /^\d+\.\d+\.\d+/)
})
