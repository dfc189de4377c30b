import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from '#src/server/create-server.ts'
import { SeededRandom } from '../seeded-random.ts'
import { ByteClient } from './byte-client.ts'

/** So many that requests of a pipeline are looked at ahead. */
const KEYS = 20_000

test('pipelines over many keys, cut anywhere, do what their commands do one after the other', async (t) => {
  const random = new SeededRandom(Number(process.env['SEED'] ?? 7))
  const server = await createServer({ enableDebugCommand: 'yes' })
  const client = await ByteClient.connect(Number(server.urls.memcached.split(':').at(-1)))
  t.after(() => client.close())
  t.after(() => server.close())
  const values = new Map<string, string>()
  // Under every key the word "value".
  await server.execute('DEBUG', 'POPULATE', KEYS, 'k', 5)
  const key = () => `k:${random.below(KEYS)}`
  const currentValue = (name: string) => values.get(name) ?? 'value'
  const deleted = new Set<string>()
  const found = (name: string) =>
    deleted.has(name) ? '' : `VALUE ${name} 0 ${currentValue(name).length}\r\n${currentValue(name)}\r\n`

  for (let round = 0; round < 200; round++) {
    let requests = ''
    let answers = ''
    for (let index = random.below(60); index >= 0; index--) {
      const name = key()
      const value = 'v'.repeat(random.below(40))
      switch (random.below(7)) {
        case 0:
        case 1:
          requests += `get ${name}\r\n`
          answers += `${found(name)}END\r\n`
          break
        case 2: {
          const other = key()
          requests += `get ${name}  ${other}\r\n`
          answers += `${found(name)}${found(other)}END\r\n`
          break
        }
        case 3:
          requests += `delete ${name}\r\n`
          answers += deleted.has(name) ? 'NOT_FOUND\r\n' : 'DELETED\r\n'
          deleted.add(name)
          break
        case 4:
          requests += `set ${name} 0 0 nonsense\r\n`
          answers += 'CLIENT_ERROR bad command line format\r\n'
          break
        default: {
          const noreply = random.once(4)
          requests += `set ${name} 0 0 ${value.length}${noreply ? ' noreply' : ''}\r\n${value}\r\n`
          if (!noreply) answers += 'STORED\r\n'
          deleted.delete(name)
          values.set(name, value)
        }
      }
    }
    const cut = random.below(requests.length)
    client.send(requests.slice(0, cut))
    client.send(requests.slice(cut))
    const received = await client.receiveBytes(answers.length)
    assert.equal(received.toString('latin1'), answers, `seed ${random.seed}, round ${round}`)
  }
})
