import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Command, type CommandSpec, type KeySpec, key, keyRange, numberedKeys } from '#src/resp/command.ts'
import { legacyKeyRange, shownFlags } from '#src/resp/command-description.ts'
import { keysOf } from '#src/resp/key-extraction.ts'
import { Request } from '#src/resp/request.ts'

function commandWith(keys: readonly KeySpec[], more: Partial<CommandSpec> = {}): Command {
  const spec: CommandSpec = {
    name: 'TRY',
    arity: -1,
    flags: [],
    keys,
    acl: [],
    group: 'generic',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Stands for a command.',
    ...more,
  }
  return new Command(spec, 0, null, () => 1)
}

function found(keys: readonly KeySpec[], request: string, more: Partial<CommandSpec> = {}): string[] | null {
  const args = request.split(' ')
  return keysOf(commandWith(keys, more), Request.of(args))?.map(({ index }) => args[index]) ?? null
}

const afterKeyword = (keyword: string, startFrom: number, lastKey: number, limit = 0): KeySpec => ({
  begin: { keyword, startFrom },
  find: { lastKey, step: 1, limit },
  flags: ['RO', 'ACCESS'],
})

test('keys stand at fixed places, in ranges, and behind their number', () => {
  assert.deepEqual(found([key(1, 'RO')], 'TRY a b'), ['a'])
  assert.deepEqual(found([keyRange(1, -1, 1, 'RM')], 'TRY a b c'), ['a', 'b', 'c'])
  assert.deepEqual(found([keyRange(1, -1, 2, 'OW')], 'TRY a 1 b 2'), ['a', 'b'])
  assert.deepEqual(found([keyRange(1, -2, 1, 'RW')], 'TRY a b timeout'), ['a', 'b'])
  assert.deepEqual(found([key(1, 'OW'), numberedKeys(2, 'RO')], 'TRY to 2 a b WEIGHTS 1 2'), ['to', 'a', 'b'])
})

test('keys follow a keyword, half of the rest of them', () => {
  assert.deepEqual(found([afterKeyword('STREAMS', 1, -1, 2)], 'TRY COUNT 1 streams a b 0 0'), ['a', 'b'])
  assert.deepEqual(found([afterKeyword('KEYS', -2, -1)], 'TRY host port KEYS a b'), ['a', 'b'])
  assert.deepEqual(found([afterKeyword('KEYS', -2, -1)], 'TRY host port keys a'), ['a'])
  assert.deepEqual(found([key(1, 'RO'), afterKeyword('STORE', 2, 0)], 'TRY a b'), ['a'])
  assert.deepEqual(found([key(1, 'RO'), afterKeyword('STORE', 2, 0)], 'TRY a store b'), ['a', 'b'])
})

test('arguments that make no sense have no keys', () => {
  assert.equal(found([numberedKeys(1, 'RO')], 'TRY 3 a b'), null)
  assert.equal(found([numberedKeys(1, 'RO')], 'TRY x a b'), null)
  assert.equal(found([numberedKeys(1, 'RO')], 'TRY -1 a b'), null)
  assert.equal(found([numberedKeys(1, 'RO')], 'TRY 99999999999999999999 a b'), null)
  assert.equal(found([numberedKeys(1, 'RO')], 'TRY'), null)
  assert.equal(found([key(3, 'RO')], 'TRY a'), null)
})

test('what is no key is left out, and what specs cannot tell is asked of the command', () => {
  assert.deepEqual(found([key(1, 'not_key'), key(2, 'RO')], 'TRY channel a'), ['a'])
  const incomplete = { ...key(1, 'RO'), flags: ['RO', 'incomplete'] } as const
  assert.equal(found([incomplete], 'TRY a b'), null)
  const findKeys = () => [{ index: 2, flags: ['RO'] as const }]
  assert.deepEqual(found([incomplete], 'TRY a b', { findKeys }), ['b'])
  assert.deepEqual(found([key(1, 'RW', 'variable_flags')], 'TRY a b', { findKeys }), ['b'])
})

test('an older client gets one range, and is told when that is not all', () => {
  const rangeOf = (...keys: KeySpec[]) => {
    const command = commandWith(keys)
    const { firstKey, lastKey, step } = legacyKeyRange(command)
    return [firstKey, lastKey, step, shownFlags(command).includes('movablekeys')]
  }
  assert.deepEqual(rangeOf(), [0, 0, 0, false])
  assert.deepEqual(rangeOf(keyRange(1, -1, 2, 'OW')), [1, -1, 2, false])
  assert.deepEqual(rangeOf(key(1, 'RW'), key(2, 'OW')), [1, 2, 1, false])
  assert.deepEqual(rangeOf(key(1, 'OW'), keyRange(2, -1, 1, 'RO')), [1, -1, 1, false])
  assert.deepEqual(rangeOf(key(1, 'OW'), numberedKeys(2, 'RO')), [1, 1, 1, true])
  assert.deepEqual(rangeOf(numberedKeys(1, 'RO')), [0, 0, 0, true])
  assert.deepEqual(rangeOf(key(1, 'RO'), key(3, 'RO')), [1, 1, 1, true])
})
