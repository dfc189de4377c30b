import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Argument, parseArguments } from '#src/resp/command-arguments.ts'
import { CommandTable } from '#src/resp/command-table.ts'

/** A tree in short: what is not as usual is written out. */
function short({ name, type, children, isOptional, isMultiple, repeatsToken, ...rest }: Argument): object {
  return {
    [name]: type,
    ...rest,
    ...(isOptional && { isOptional }),
    ...(isMultiple && { isMultiple }),
    ...(repeatsToken && { repeatsToken }),
    ...(children.length > 0 && { children: children.map(short) }),
  }
}

function parsed(text: string): object[] {
  return parseArguments(text).map(short)
}

test('names have types: by themselves, or given', () => {
  assert.deepEqual(parsed('key value count unix-time-seconds pattern'), [
    { key: 'key', keySpecIndex: 0 },
    { value: 'string' },
    { count: 'integer' },
    { 'unix-time-seconds': 'unix-time' },
    { pattern: 'pattern' },
  ])
  assert.deepEqual(parsed('score:double destination#1 pattern:pattern#1 ip:port start:string'), [
    { score: 'double' },
    { destination: 'key', keySpecIndex: 1 },
    { pattern: 'pattern', keySpecIndex: 1 },
    { 'ip:port': 'string' },
    { start: 'string' },
  ])
})

test('tokens stand before an argument or alone', () => {
  assert.deepEqual(parsed('EX seconds [NX] [sorting=ALPHA] [approximately=~] ID! id'), [
    { seconds: 'integer', token: 'EX' },
    { nx: 'pure-token', token: 'NX', isOptional: true },
    { sorting: 'pure-token', token: 'ALPHA', isOptional: true },
    { approximately: 'pure-token', token: '~', isOptional: true },
    { id: 'pure-token', token: 'ID' },
    { id: 'string' },
  ])
})

test('several, one of several, again and again, since when', () => {
  assert.deepEqual(
    parsed('[condition(NX | GET pattern@6.2.0+...)@2.6.12] field_value{field value}... [ip:port~2.8.12]'),
    [
      {
        condition: 'oneof',
        since: '2.6.12',
        isOptional: true,
        children: [
          { nx: 'pure-token', token: 'NX' },
          { pattern: 'pattern', token: 'GET', since: '6.2.0', isMultiple: true, repeatsToken: true },
        ],
      },
      { field_value: 'block', isMultiple: true, children: [{ field: 'string' }, { value: 'string' }] },
      { 'ip:port': 'string', deprecatedSince: '2.8.12', isOptional: true },
    ],
  )
})

test('a slip in the notation is found', () => {
  for (const text of ['[key', 'a(b', 'a{b', 'a b)', '?']) assert.throws(() => parseArguments(text), text)
})

test('every command that takes arguments tells of them, and its keys are among them', () => {
  const keyIndexes = (args: readonly Argument[]): number[] =>
    args.flatMap(({ keySpecIndex, children }) => [
      ...(keySpecIndex === undefined ? [] : [keySpecIndex]),
      ...keyIndexes(children),
    ])
  for (const { fullName, spec, subcommands } of new CommandTable().withSubcommands()) {
    const args = parseArguments(spec.args ?? '')
    const leastCount = spec.name === fullName.toUpperCase() ? 1 : 2
    const takesArguments = Math.abs(spec.arity) > leastCount && subcommands === null && !UNTOLD.has(fullName)
    if (takesArguments) assert.notEqual(args.length, 0, `${fullName} has no args`)
    for (const index of keyIndexes(args))
      assert.ok(index < (spec.keys?.length ?? 0), `${fullName}: no key spec ${index}`)
  }
})

/** Redis leaves these open: their arguments are another command's, or for the servers' own use. */
const UNTOLD = new Set(['debug', 'command|getkeys', 'command|getkeysandflags'])
