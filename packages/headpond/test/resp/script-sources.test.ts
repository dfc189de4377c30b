/** Sources of scripts of all sizes: what a Lua state has room for grows while they are passed to it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from '#src/index.ts'

test('scripts that grow from call to call, and one that is large from the start', async () => {
  for (const firstBytes of [10, 3_000_000]) {
    await using server = await createServer()
    for (let sizeBytes = firstBytes; sizeBytes < 8_000_000; sizeBytes = sizeBytes * 2 + 1) {
      const source = `return #ARGV[1] + ${sizeBytes} -- ${'x'.repeat(sizeBytes)}`
      assert.equal(await server.execute('EVAL', source, '0', 'four'), 4 + sizeBytes)
    }
  }
})

test('libraries of functions of all sizes', async () => {
  await using server = await createServer()
  for (let sizeBytes = 10; sizeBytes < 8_000_000; sizeBytes = sizeBytes * 4) {
    const comment = `-- ${'x'.repeat(sizeBytes)}`
    const source = `#!lua name=l\nredis.register_function('f', function() return ${sizeBytes} end) ${comment}`
    assert.equal(await server.execute('FUNCTION', 'LOAD', 'REPLACE', source), 'l')
    assert.equal(await server.execute('FCALL', 'f', '0'), sizeBytes)
  }
})
