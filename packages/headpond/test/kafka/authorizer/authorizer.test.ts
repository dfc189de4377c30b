/** The rules, against the plainest way to say them; entries come and go while the same clients ask. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Acl, type AclFilter, OPERATION, PATTERN, PERMISSION, RESOURCE } from '#src/kafka/authorizer/acl.ts'
import { AclFile } from '#src/kafka/authorizer/acl-file.ts'
import { Authorizer, type Requester } from '#src/kafka/authorizer/authorizer.ts'
import { parsePrincipal, textOfPrincipal } from '#src/kafka/principal.ts'

const LOG = { info: () => {}, warn: () => {}, error: () => {} }
const NAMES = ['a', 'ab', 'abc', 'b', 'ba', '*']
const HOSTS = ['*', '10.0.0.1', '10.0.0.2']
const USERS = ['User:one', 'User:two', 'Group:one']
const OPERATIONS = Object.values(OPERATION).filter((operation) => operation !== OPERATION.any)
const TYPES = [RESOURCE.topic, RESOURCE.group]

const acls: fc.Arbitrary<Acl> = fc.record(
  {
    resourceType: fc.constantFrom(...TYPES),
    resourceName: fc.constantFrom(...NAMES),
    patternType: fc.constantFrom(PATTERN.literal, PATTERN.prefixed),
    principal: fc.constantFrom(...USERS, 'User:*'),
    host: fc.constantFrom(...HOSTS),
    operation: fc.constantFrom<number>(
      ...[OPERATION.all, OPERATION.read, OPERATION.write, OPERATION.describe],
      ...[OPERATION.alterConfigs, OPERATION.describeConfigs],
    ),
    permissionType: fc.constantFrom(PERMISSION.allow, PERMISSION.deny),
  },
  // Of two that are the same one is kept, and compared with the other.
  { noNullPrototype: true },
)

/** In words: deny over allow, what implies what, and nothing said. */
function isAllowedBy(entries: readonly Acl[], question: Question, isOpen: boolean): boolean {
  const about = entries.filter((acl) => {
    if (acl.resourceType !== question.type) return false
    if (acl.patternType === PATTERN.prefixed) return question.name.startsWith(acl.resourceName)
    return acl.resourceName === question.name || acl.resourceName === '*'
  })
  if (about.length === 0) return isOpen
  const own = about.filter(
    ({ principal, host }) =>
      (principal === question.user || principal === 'User:*') && (host === question.host || host === '*'),
  )
  const names = (acl: Acl) => acl.operation === question.operation || acl.operation === OPERATION.all
  if (own.some((acl) => acl.permissionType === PERMISSION.deny && names(acl))) return false
  const implying: Record<number, number[]> = {
    [OPERATION.describe]: [OPERATION.read, OPERATION.write, OPERATION.delete, OPERATION.alter],
    [OPERATION.describeConfigs]: [OPERATION.alterConfigs],
  }
  const allows = (acl: Acl) => names(acl) || implying[question.operation]?.includes(acl.operation)
  return own.some((acl) => acl.permissionType === PERMISSION.allow && allows(acl))
}

interface Question {
  readonly user: string
  readonly host: string
  readonly operation: number
  readonly type: number
  readonly name: string
}

const questions: fc.Arbitrary<Question> = fc.record({
  user: fc.constantFrom(...USERS),
  host: fc.constantFrom('10.0.0.1', '10.0.0.2'),
  operation: fc.constantFrom(...OPERATIONS),
  type: fc.constantFrom(...TYPES),
  name: fc.constantFrom('a', 'ab', 'abc', 'abcd', 'b', 'c'),
})

const steps = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), acls: fc.array(acls, { minLength: 1, maxLength: 4 }) }),
  fc.record({ kind: fc.constant('remove' as const), at: fc.nat(20) }),
  fc.record({ kind: fc.constant('ask' as const), questions: fc.array(questions, { minLength: 1, maxLength: 20 }) }),
)

function authorizerOf(settings: { superUsers?: readonly string[]; isOpen?: boolean } = {}): Authorizer {
  const { superUsers = [], isOpen = false } = settings
  return new Authorizer(new AclFile(null), { superUsers: new Set(superUsers), allowsWithoutAcl: isOpen }, LOG)
}

function requester(user: string, remoteHost = '10.0.0.1'): Requester {
  return { principal: parsePrincipal(user)!, remoteHost, decisions: null }
}

test('decisions are those of the rules, whatever was asked and changed before', () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 30 }), fc.boolean(), (sequence, isOpen) => {
      const authorizer = authorizerOf({ isOpen })
      const requesters = new Map<string, Requester>()
      const known = new Map<string, Acl>()
      for (const step of sequence) {
        if (step.kind === 'add') {
          authorizer.add(step.acls)
          for (const acl of step.acls) known.set(JSON.stringify(acl), acl)
        } else if (step.kind === 'remove') {
          const [key, acl] = [...known][step.at] ?? []
          if (acl === undefined) continue
          known.delete(key!)
          authorizer.remove([acl])
        } else {
          for (const question of step.questions) {
            const key = `${question.user} ${question.host}`
            const client = requesters.get(key) ?? requester(question.user, question.host)
            requesters.set(key, client)
            const expected = isAllowedBy([...known.values()], question, isOpen)
            const { operation, type, name } = question
            assert.equal(authorizer.allows(client, operation, type, name), expected, JSON.stringify(question))
          }
        }
        assert.equal(authorizer.aclCount, known.size)
      }
    }),
    { numRuns: 300 },
  )
})

test('filters find what they say', () => {
  const filters: fc.Arbitrary<AclFilter> = fc.record({
    resourceType: fc.constantFrom(RESOURCE.any, ...TYPES),
    resourceName: fc.constantFrom(null, ...NAMES, 'abcd'),
    patternType: fc.constantFrom(PATTERN.any, PATTERN.match, PATTERN.literal, PATTERN.prefixed),
    principal: fc.constantFrom(null, ...USERS),
    host: fc.constantFrom(null, ...HOSTS),
    operation: fc.constantFrom(OPERATION.any, OPERATION.all, OPERATION.read),
    permissionType: fc.constantFrom(PERMISSION.any, PERMISSION.allow, PERMISSION.deny),
  })
  fc.assert(
    fc.property(fc.array(acls, { maxLength: 20 }), filters, (entries, filter) => {
      const authorizer = authorizerOf()
      authorizer.add(entries)
      const different = [...new Map(entries.map((acl) => [JSON.stringify(acl), acl])).values()]
      const { resourceName: name, patternType } = filter
      const expected = different.filter((acl) => {
        const isSame = acl.resourceName === name
        const applies =
          acl.patternType === PATTERN.prefixed ? name?.startsWith(acl.resourceName) : isSame || acl.resourceName === '*'
        return (
          (filter.resourceType === RESOURCE.any || filter.resourceType === acl.resourceType) &&
          (filter.principal ?? acl.principal) === acl.principal &&
          (filter.host ?? acl.host) === acl.host &&
          (filter.operation === OPERATION.any || filter.operation === acl.operation) &&
          (filter.permissionType === PERMISSION.any || filter.permissionType === acl.permissionType) &&
          (patternType === PATTERN.any || patternType === PATTERN.match || patternType === acl.patternType) &&
          (name === null || (patternType === PATTERN.match ? applies : isSame))
        )
      })
      assert.deepEqual(authorizer.find(filter), expected)
    }),
  )
})

test('somewhere means: there is a name that may be written to, as far as entries for that operation tell', () => {
  const writing = acls.map((acl) => ({ ...acl, operation: OPERATION.write, resourceType: RESOURCE.topic }))
  fc.assert(
    fc.property(fc.array(writing, { maxLength: 8 }), fc.constantFrom(...USERS), (entries, user) => {
      const authorizer = authorizerOf()
      authorizer.add(entries)
      const client = requester(user)
      const question = { user, host: client.remoteHost, operation: OPERATION.write, type: RESOURCE.topic }
      // A name that begins with an allowed prefix, and with none that is longer.
      const isAllowed = (name: string) => isAllowedBy(entries, { ...question, name }, false)
      const names = [...NAMES.filter((name) => name !== '*'), 'a-', 'ab-', 'abc-', 'b-', 'ba-', '*-', 'hardcode']
      assert.equal(authorizer.allowsSomewhere(client, OPERATION.write, RESOURCE.topic), names.some(isAllowed))
    }),
    { numRuns: 500 },
  )
})

test('a super user may do what is denied to everybody', () => {
  const authorizer = authorizerOf({ superUsers: ['User:root'] })
  authorizer.add([
    {
      ...{ resourceType: RESOURCE.topic, resourceName: '*', patternType: PATTERN.literal, principal: 'User:*' },
      ...{ host: '*', operation: OPERATION.all, permissionType: PERMISSION.deny },
    },
  ])
  assert.equal(authorizer.allows(requester('User:root'), OPERATION.write, RESOURCE.topic, 'x'), true)
  assert.equal(authorizer.allowsSomewhere(requester('User:root'), OPERATION.write, RESOURCE.topic), true)
  assert.equal(authorizer.allows(requester('Group:root'), OPERATION.write, RESOURCE.topic, 'x'), false)
})

test('a host is the same in every form of its address', () => {
  const entry = (host: string): Acl => ({
    ...{ resourceType: RESOURCE.topic, resourceName: 'x', patternType: PATTERN.literal, principal: 'User:one' },
    ...{ host, operation: OPERATION.read, permissionType: PERMISSION.allow },
  })
  const allows = (written: string, host: string) => {
    const authorizer = authorizerOf()
    authorizer.add([entry(written)])
    return authorizer.allows(requester('User:one', host), OPERATION.read, RESOURCE.topic, 'x')
  }
  assert.equal(allows('0:0:0:0:0:0:0:1', '::1'), true)
  assert.equal(allows('2001:DB8::1', '2001:db8:0:0:0:0:0:1'), true)
  assert.equal(allows('::1', '::2'), false)
  assert.equal(allows('10.0.0.1', '10.0.0.1'), true)
  assert.equal(allows('10.0.0.1', '10.0.0.10'), false)
})

test('names that a client thinks up do not fill the memory, and decisions stay right', () => {
  const authorizer = authorizerOf()
  authorizer.add([
    {
      ...{ resourceType: RESOURCE.topic, resourceName: 'mine', patternType: PATTERN.prefixed, principal: 'User:one' },
      ...{ host: '*', operation: OPERATION.read, permissionType: PERMISSION.allow },
    },
  ])
  const client = requester('User:one')
  for (let number = 0; number < 25_000; number++) {
    const name = number % 3 === 0 ? `mine-${number}` : `other-${number}`
    assert.equal(authorizer.allows(client, OPERATION.read, RESOURCE.topic, name, true), number % 3 === 0)
  }
})

test('a principal is a type and a name, which may have colons', () => {
  const principal = parsePrincipal('User:CN=a:b,O=c')
  assert.deepEqual(principal, { type: 'User', name: 'CN=a:b,O=c' })
  assert.equal(textOfPrincipal(principal!), 'User:CN=a:b,O=c')
  assert.equal(parsePrincipal('alice'), null)
})
