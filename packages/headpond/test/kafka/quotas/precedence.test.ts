/** Which of several quotas holds for a client, and with whom it is shared. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientLimit } from '#src/kafka/quotas/client-limits.ts'
import { ClientQuotas, requestedEntity } from '#src/kafka/quotas/client-quotas.ts'

const KEY = 'producer_byte_rate'

/** `user/client`; a dash where the entity has none of that type, a star for the default. */
function quotasOf(set: Readonly<Record<string, number>>): ClientQuotas {
  const quotas = new ClientQuotas()
  const nameOf = (text: string) => (text === '*' ? null : text)
  const changes = Object.entries(set).map(([text, limit]) => {
    const [user, client] = text.split('/')
    const names: [string, string | null][] = []
    if (user !== '-') names.push(['user', nameOf(user)])
    if (client !== '-') names.push(['client-id', nameOf(client)])
    return { entity: requestedEntity(names), operations: [[KEY, limit]] as const }
  })
  for (const { refusal } of quotas.alter(changes, false)) assert.equal(refusal, null)
  return quotas
}

/** The most particular first, and who shares each with alice's client app. */
const LEVELS = [
  ['alice/app', '["alice","app"]'],
  ['alice/*', '["alice","app"]'],
  ['alice/-', '["alice",null]'],
  ['*/app', '["alice","app"]'],
  ['*/*', '["alice","app"]'],
  ['*/-', '["alice",null]'],
  ['-/app', '[null,"app"]'],
  ['-/*', '[null,"app"]'],
] as const

for (const [index, [level, sharedBy]] of LEVELS.entries()) {
  test(`${level} holds before everything that is less particular`, () => {
    const set = Object.fromEntries(LEVELS.slice(index).map(([name], at) => [name, index + at + 1]))
    assert.deepEqual(clientLimit(quotasOf(set), KEY, 'alice', 'app'), { limit: index + 1, sharedBy })
    assert.deepEqual(clientLimit(quotasOf({ [level]: 9 }), KEY, 'alice', 'app'), { limit: 9, sharedBy })
  })
}

const others: readonly (readonly [
  set: Readonly<Record<string, number>>,
  user: string,
  client: string,
  number | null,
])[] = [
  [{}, 'alice', 'app', null],
  [{ 'alice/app': 1, 'alice/-': 2, '-/app': 3 }, 'bob', 'tool', null],
  [{ 'alice/app': 1, 'alice/-': 2, '-/app': 3 }, 'bob', 'app', 3],
  [{ 'alice/app': 1, 'alice/-': 2, '-/app': 3 }, 'alice', 'tool', 2],
  [{ 'alice/*': 1, '*/app': 2 }, 'bob', 'app', 2],
  [{ '*/*': 1, '-/app': 2 }, 'bob', 'app', 1],
  // A client that gives itself no name is none of those that are named, nor of their default.
  [{ '-/*': 1 }, 'alice', '', null],
  [{ 'alice/*': 1, '*/*': 2, '*/-': 3 }, 'alice', '', 3],
  [{ 'alice/-': 4, 'alice/*': 1 }, 'alice', '', 4],
]

for (const [set, user, client, limit] of others) {
  test(`${JSON.stringify(set)}: ${user}/${client} has ${limit}`, () => {
    assert.equal(clientLimit(quotasOf(set), KEY, user, client)?.limit ?? null, limit)
  })
}

test('each kind of quota has an order of its own', () => {
  const quotas = quotasOf({ 'alice/app': 1 })
  quotas.alter([{ entity: requestedEntity([['user', 'alice']]), operations: [['consumer_byte_rate', 2]] }], false)
  assert.equal(clientLimit(quotas, 'consumer_byte_rate', 'alice', 'app')?.limit, 2)
  assert.equal(clientLimit(quotas, KEY, 'alice', 'app')?.limit, 1)
  assert.equal(clientLimit(quotas, KEY, 'alice', 'tool'), null)
})
