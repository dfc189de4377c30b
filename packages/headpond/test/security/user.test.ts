import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { access } from '#src/security/pattern-set.ts'
import { ruleErrors } from '#src/security/rule-error.ts'
import { mergeSelectors, User } from '#src/security/user.ts'
import { CATEGORIES, catalog, context, NAMES } from './catalog.ts'

const { READ, WRITE } = access

/** One set of permissions as plainly as it can be said: names and patterns, changed rule by rule. */
class ModelPermissions {
  commands = new Set<string>()
  firstArguments = new Set<string>()
  keys: { glob: RegExp; allowed: number }[] = []
  channels: RegExp[] = []

  apply(rule: string): void {
    if (rule === 'allkeys') this.keys = [{ glob: /^/, allowed: READ | WRITE }]
    else if (rule === 'resetkeys') this.keys = []
    else if (rule === 'allchannels') this.channels = [/^/]
    else if (rule === 'resetchannels') this.channels = []
    else if (rule.startsWith('&')) this.channels.push(globOf(rule.slice(1)))
    else if (rule.startsWith('~')) this.keys.push({ glob: globOf(rule.slice(1)), allowed: READ | WRITE })
    else if (rule.startsWith('%R~')) this.keys.push({ glob: globOf(rule.slice(3)), allowed: READ })
    else if (rule.startsWith('%W~')) this.keys.push({ glob: globOf(rule.slice(3)), allowed: WRITE })
    else this.#applyToCommands(rule[0] === '+', rule.slice(1))
  }

  #applyToCommands(isAllowed: boolean, what: string): void {
    if (what === '@all') {
      this.commands = new Set(isAllowed ? NAMES : [])
      this.firstArguments.clear()
    } else if (what === 'select|0') {
      this.firstArguments.add(what)
    } else {
      const meant = what.startsWith('@') ? catalog.inCategory(what.slice(1))! : [catalog.find(what)!]
      for (const { name, subcommands } of meant) {
        if (name === 'select') this.firstArguments.clear()
        for (const each of [name, ...subcommands.map((subcommand) => subcommand.name)]) {
          if (isAllowed) this.commands.add(each)
          else this.commands.delete(each)
        }
      }
    }
  }

  allows(command: string, firstArgument: string): boolean {
    return this.commands.has(command) || this.firstArguments.has(`${command}|${firstArgument}`)
  }

  allowsKey(key: string, needed: number): boolean {
    // The same pattern given twice, for reading and for writing, is one pattern that allows both.
    const joined = new Map<string, number>()
    for (const { glob, allowed } of this.keys) joined.set(glob.source, (joined.get(glob.source) ?? 0) | allowed)
    return [...joined].some(([source, allowed]) => (allowed & needed) === needed && new RegExp(source).test(key))
  }
}

/** The patterns of this test have no wildcard but the star. */
function globOf(pattern: string): RegExp {
  return new RegExp(`^${pattern.replaceAll('*', '.*')}$`)
}

const rule = fc.oneof(
  fc.constantFrom('allkeys', 'resetkeys', 'allchannels', 'resetchannels', '+@all', '-@all', '+select|0'),
  fc.tuple(fc.constantFrom('+', '-'), fc.constantFrom(...NAMES)).map((parts) => parts.join('')),
  fc.tuple(fc.constantFrom('+@', '-@'), fc.constantFrom(...CATEGORIES)).map((parts) => parts.join('')),
  fc
    .tuple(fc.constantFrom('~', '%R~', '%W~', '&'), fc.constantFrom('a', 'a*', 'b', 'ab*', '*b', 'a*b'))
    .map((parts) => parts.join('')),
)

test('rules make the permissions that a plain model has, and descriptions make them again', () => {
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 25 }), (rules) => {
      const user = new User('somebody', context)
      const model = new ModelPermissions()
      for (const each of rules) {
        if (user.apply(each) === null) model.apply(each)
        // After `*`, a pattern more is refused, and changes nothing.
        else assert.match(each, /^[~%&]/)
      }
      const again = new User('somebody', context)
      for (const each of user.describe().split(' ')) assert.equal(again.apply(each), null, user.describe())
      assert.equal(again.describe(), user.describe())

      for (const [selector] of [user.selectors, again.selectors, user.copy().selectors]) {
        for (const name of NAMES) {
          const { id } = catalog.find(name)!
          const isAllowed = (argument: string) =>
            selector.allowsCommand(id) || (selector.firstArgumentsOf(id)?.includes(argument) ?? false)
          for (const argument of ['0', '1']) assert.equal(isAllowed(argument), model.allows(name, argument), name)
        }
        for (const name of ['a', 'b', 'ab', 'abc', 'acb', 'c']) {
          const bytes = Buffer.from(name)
          for (const needed of [0, READ, WRITE, READ | WRITE]) {
            const expected = model.allowsKey(name, needed)
            assert.equal(selector.allowsKey(bytes, 0, bytes.length, needed), expected, `${name}, ${needed}`)
          }
          const expected = model.channels.some((glob) => glob.test(name))
          assert.equal(selector.allowsChannel(bytes, 0, bytes.length), expected, name)
        }
      }
      const [own] = user.selectors
      assert.equal(user.isUnrestricted, own.allowsAllCommands && own.allowsAllKeys && own.allowsAllChannels)
    }),
    { numRuns: 2000 },
  )
})

test('what a description says survives a file, whatever is in the patterns', () => {
  const text = fc.string({ unit: fc.constantFrom('a', '*', '"', "'", '\\', '(', ')', '|', '\xe9', '#'), maxLength: 6 })
  const selector = fc
    .tuple(fc.constantFrom('~', '%R~', '&'), text)
    .map(([sign, pattern]) => [sign + pattern, '+get'] as const)
  fc.assert(
    fc.property(text, fc.array(selector, { maxLength: 3 }), (pattern, selectors) => {
      const user = new User('somebody', context)
      user.apply(`~${pattern}`)
      for (const rules of selectors) {
        const quoted = rules.map((each) => `"${each.replace(/["\\]/g, '\\$&')}"`)
        assert.equal(user.apply(`(${quoted.join(' ')})`), null)
      }
      const again = new User('somebody', context)
      const words = mergeSelectors(user.describe().split(' '))
      assert.ok(!('unmatchedIndex' in words), user.describe())
      for (const each of words) assert.equal(again.apply(each), null, user.describe())
      assert.equal(again.describe(), user.describe())
      assert.deepEqual(
        again.selectors.map((each) => each.describe()),
        user.selectors.map((each) => each.describe()),
      )
    }),
  )
})

test('a user with all permissions in one selector is unrestricted, with all in several is not', () => {
  const user = new User('somebody', context)
  for (const each of ['+@all', '~*', '(&* +@all)']) user.apply(each)
  assert.equal(user.isUnrestricted, false)
  user.apply('(allkeys allchannels allcommands)')
  assert.equal(user.isUnrestricted, true)
  assert.equal(user.copy('other').isUnrestricted, true)
  user.apply('clearselectors')
  assert.equal(user.isUnrestricted, false)
  user.apply('&*')
  assert.equal(user.isUnrestricted, true)
  user.apply('-get')
  assert.equal(user.isUnrestricted, false)
  // As in Redis, from now on each command is looked at.
  user.apply('+get')
  assert.equal(user.isUnrestricted, false)
  user.apply('+@all')
  user.apply('reset')
  assert.equal(user.isUnrestricted, false)
})

test('passwords are kept as hashes alone', () => {
  const user = new User('somebody', context)
  assert.equal(user.credentials.accepts(Buffer.from('')), false)
  user.apply('>pass\xff')
  const hash = createHash('sha256').update(Buffer.from('pass\xff', 'latin1')).digest('hex')
  assert.deepEqual(user.credentials.hashes, [hash])
  assert.ok(!JSON.stringify(user).includes('pass'))
  assert.equal(user.credentials.accepts(Buffer.from('pass\xff', 'latin1')), true)
  assert.equal(user.credentials.accepts(Buffer.from('pass\xff')), false)
  user.apply('>second')
  assert.equal(user.credentials.accepts(Buffer.from('second')), true)
  user.apply(`!${hash}`)
  assert.equal(user.credentials.accepts(Buffer.from('pass\xff', 'latin1')), false)
  user.apply('nopass')
  assert.equal(user.credentials.accepts(Buffer.from('anything')), true)
  assert.deepEqual(user.credentials.hashes, [])
  user.apply('resetpass')
  assert.equal(user.credentials.accepts(Buffer.from('second')), false)
})

test('a rule that is refused changes nothing', () => {
  const user = new User('somebody', context)
  for (const each of ['on', '>secret', '~a', '&b', '+get']) user.apply(each)
  const before = user.describe()
  for (const wrong of [
    'nosuch',
    '+nosuch',
    '-@nosuch',
    '%X~a',
    '~a b',
    '&a\tb',
    '#abc',
    '<other',
    '(+get ~x +nosuch)',
    ')',
  ]) {
    const error = user.apply(wrong)
    assert.ok(error !== null && ruleErrors[error] !== undefined, wrong)
    assert.equal(user.describe(), before, wrong)
  }
})
