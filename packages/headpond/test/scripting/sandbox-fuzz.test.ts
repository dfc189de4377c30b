/**
 * Random scripts by a user with few rights against the sandbox: `SEED=<n> SCRIPTS=<n> npm test -- sandbox-fuzz`.
 */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { createServer } from '#src/server/create-server.ts'
import { chooseSeed, SeededRandom } from '../seeded-random.ts'
import { ScriptGenerator } from './script-generator.ts'

const SCRIPT_COUNT = Number(process.env['SCRIPTS'] ?? 2000)
const SECRET = 'what-nobody-else-may-see'

/** Everything that can be reached from the globals and the metatables of the basic types: names and types. */
const FINGERPRINT = `
local seen, lines = {}, {}
local function walk(value, path)
  lines[#lines + 1] = path .. ' ' .. type(value)
  if type(value) ~= 'table' or seen[value] then return end
  seen[value] = true
  for key, item in pairs(value) do
    if path ~= '_G' or (key ~= 'KEYS' and key ~= 'ARGV') then walk(item, path .. '.' .. tostring(key)) end
  end
  local metatable = getmetatable(value)
  if metatable ~= nil then walk(metatable, path .. ':') end
end
walk(_G, '_G')
walk(getmetatable(''), 'string:')
for _, value in ipairs({1, true, pcall}) do walk(getmetatable(value), type(value) .. ':') end
table.sort(lines)
return table.concat(lines, '\\n') .. string.format('%s %s %s', cjson.encode({1, 'x'}), ('abc'):upper(), type(redis.call))`

const worldOf = () => [Object.getOwnPropertyNames(globalThis), readdirSync('.'), process.cwd(), process.exitCode]

test('no script leaves anything behind, sees what is not its own, or gets out', async () => {
  const seed = chooseSeed()
  const random = new SeededRandom(seed)
  const server = await createServer({ busyReplyThreshold: 200 })
  try {
    await server.execute(
      'ACL',
      'SETUSER',
      'guest',
      'on',
      'nopass',
      '~own:*',
      '&own:*',
      '+@all',
      '-@dangerous',
      '-@admin',
    )
    await server.execute('MSET', 'secret:1', SECRET, 'secret:2', SECRET)
    await server.execute(
      'FUNCTION',
      'LOAD',
      "#!lua name=lib\nlocal hidden = 1\nredis.register_function('f', function() hidden = hidden + 1 return hidden end)",
    )
    const guest = server.client()
    await guest.execute('AUTH', 'guest', '')
    const before = await server.execute('EVAL', FINGERPRINT, 0)
    const worldBefore = worldOf()
    const generator = new ScriptGenerator(random, { isHostile: true })
    for (let number = 0; number < SCRIPT_COUNT; number++) {
      const script = generator.script()
      const reply = await guest.execute('EVAL', script, 1, 'own:1').catch(String)
      const told = `SEED=${seed}, script ${number}:\n${script}`
      assert.ok(!JSON.stringify(reply).includes(SECRET), told)
      if (number % 20 !== 0) continue
      assert.equal(await server.execute('EVAL', FINGERPRINT, 0), before, told)
      assert.equal(await server.execute('FCALL', 'f', 0), 2 + number / 20, told)
      assert.deepEqual(await server.execute('MGET', 'secret:1', 'secret:2'), [SECRET, SECRET], told)
    }
    assert.equal(await guest.execute('ACL', 'WHOAMI').catch(() => 'guest'), 'guest')
    assert.deepEqual(worldOf(), worldBefore)
    guest.close()
  } finally {
    await server.close()
  }
})

test('a library of functions cannot be reached from scripts, nor change what others see while it is loaded', async () => {
  const seed = chooseSeed()
  const random = new SeededRandom(seed)
  const server = await createServer()
  try {
    const generator = new ScriptGenerator(random, { isHostile: true })
    const fingerprint = `#!lua name=look\nredis.register_function('look', function() ${FINGERPRINT} end)`
    await server.execute('FUNCTION', 'LOAD', fingerprint)
    const before = await server.execute('FCALL', 'look', 0)
    for (let number = 0; number < SCRIPT_COUNT / 10; number++) {
      const script = generator.script()
      const code = `#!lua name=fuzz\n${script.replace(/return results$/, '')}redis.register_function('fuzz', function(KEYS) ${script} end)`
      const told = `SEED=${seed}, library ${number}:\n${code}`
      await server.execute('FUNCTION', 'LOAD', 'REPLACE', code).catch(String)
      await server.execute('FCALL', 'fuzz', 1, 'own:1').catch(String)
      assert.equal(await server.execute('FCALL', 'look', 0), before, told)
    }
  } finally {
    await server.close()
  }
})
