/** The history's database: one contract, for SQLite and, where it is installed, PostgreSQL. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type Database, openDatabase } from '../history/database.ts'
import { WinStore } from '../history/win-store.ts'
import { postgresProblem, startPostgres } from './postgres-server.ts'
import { winOf } from './stage.ts'

const directory = mkdtempSync(join(tmpdir(), 'jackpot-store-'))
after(() => rmSync(directory, { recursive: true, force: true }))

testWinStore('SQLite', async () => ({ url: join(directory, 'contract.sqlite'), stop: async () => {} }))
testWinStore('PostgreSQL', startPostgres, postgresProblem())

function testWinStore(
  name: string,
  start: () => Promise<{ url: string; stop: () => Promise<void> }>,
  skip: string | false = false,
): void {
  if (skip !== false) console.log(`${name}: not tested: ${skip}`)
  test(`${name}: wins and positions change together`, { skip }, async (t) => {
    const { url, stop } = await start()
    let database: Database = await openDatabase(url)
    t.after(async () => {
      await database.close()
      await stop()
    })
    let store = await WinStore.open(database)
    assert.deepEqual(await store.positions('topic'), new Map())
    assert.deepEqual(await store.totals(), { winCount: 0, amountCents: 0 })
    const wins = Array.from({ length: 20 }, (_, index) => winOf(index))
    await store.append(
      'topic',
      wins,
      new Map([
        [0, 12],
        [2, 8],
      ]),
    )
    // Again, and a position that is behind: nothing changes.
    await store.append('topic', [{ ...wins[0]!, amountCents: 7 }], new Map([[0, 5]]))
    await store.append('another topic', [], new Map([[0, 1]]))
    assert.deepEqual(
      await store.positions('topic'),
      new Map([
        [0, 12],
        [2, 8],
      ]),
    )
    assert.deepEqual(await store.latest(3), wins.slice(-3).toReversed())
    assert.deepEqual(await store.latest(2, 'player-1'), [winOf(15), winOf(8)])
    const sum = wins.reduce((cents, { amountCents }) => cents + amountCents, 0)
    assert.deepEqual(await store.totals(), { winCount: 20, amountCents: sum })

    // A transaction that fails leaves nothing, and the next one works.
    const broken = { ...winOf(21), player: null as unknown as string }
    await assert.rejects(store.append('topic', [winOf(20), broken], new Map([[0, 99]])))
    assert.deepEqual(
      await store.positions('topic'),
      new Map([
        [0, 12],
        [2, 8],
      ]),
    )
    assert.equal((await store.totals()).winCount, 20)
    await Promise.all([20, 21, 22].map((number) => store.append('topic', [winOf(number)], new Map([[1, number]]))))
    assert.equal((await store.totals()).winCount, 23)

    // Text is text.
    const odd = { ...winOf(30), player: `Robert'); DROP TABLE wins;--`, amountCents: 99_999_999_999_999 }
    await store.append('topic', [odd], new Map())
    assert.deepEqual(await store.latest(1), [odd])

    await database.close()
    database = await openDatabase(url)
    store = await WinStore.open(database)
    assert.equal((await store.totals()).winCount, 24)
    assert.equal((await store.positions('topic')).get(1), 22)
    await store.clear()
    assert.deepEqual(
      [await store.totals(), await store.positions('topic')],
      [{ winCount: 0, amountCents: 0 }, new Map()],
    )
  })
}

test('SQLite: one owner at a time; what a killed one has left behind is removed', async () => {
  const path = join(directory, 'owner.sqlite')
  const first = await openDatabase(path)
  writeFileSync(`${path}.owner`, String(process.ppid)) // of somebody who lives
  await assert.rejects(openDatabase(path, 0), new RegExp(`process ${process.ppid} has it open`))
  await first.close()

  mkdirSync(`${path}.lock`)
  writeFileSync(`${path}.owner`, '2147483647') // of nobody
  const second = await openDatabase(path)
  assert.deepEqual(await second.run('SELECT 1 AS one'), [{ one: 1 }])
  await second.close()
})
