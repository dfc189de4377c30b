/** Services are killed, by the signal that nobody can catch, and what they have made is made again from the topic. */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import { byId, produceWins, Stage, standingsOf } from './stage.ts'

test('killed again and again while wins come in, history and monitor catch up and miss nothing', async (t) => {
  const stage = await Stage.set()
  t.after(() => stage.strike())
  const waveSize = 200
  for (let wave = 0; wave < 3; wave++) {
    const [history, monitor] = await Promise.all([stage.start('history'), stage.start('monitor')])
    await produceWins(stage.server, wave * waveSize, waveSize)
    // Somewhere in the wave, not at its end.
    await stage.server.kafka.waitForGroup('jackpot-history', { lag: waveSize - 1, timeoutMs: 60_000 })
    await stage.kill(history)
    await stage.kill(monitor)
    await produceWins(stage.server, (wave + 10) * waveSize, 10) // while nobody looks
  }
  await Promise.all([stage.start('history'), stage.start('monitor')])
  await Promise.all([stage.caughtUp('history'), stage.caughtUp('monitor')])
  const wins = await stage.wins()
  assert.equal(wins.length, 630)
  assert.deepEqual(byId(await stage.stored()), byId(wins))
  const { leaders, winCount } = await stage.overview()
  assert.deepEqual(leaders, standingsOf(wins))
  assert.equal(winCount, wins.length)
})

test('replay from the beginning makes the same history and the same leaderboard', async (t) => {
  const stage = await Stage.set()
  t.after(() => stage.strike())
  await produceWins(stage.server, 0, 300)
  let services = await Promise.all([stage.start('history'), stage.start('monitor')])
  await Promise.all([stage.caughtUp('history'), stage.caughtUp('monitor')])
  const [stored, overview] = [await stage.stored(), await stage.overview()]
  assert.equal(stored.length, 300)
  for (const service of services) await stage.kill(service)

  // Both are gone, and with them their positions: the topic has everything.
  rmSync(stage.databaseFile)
  await stage.server.execute('FLUSHALL')
  services = await Promise.all([stage.start('history'), stage.start('monitor')])
  await produceWins(stage.server, 300, 1) // so that there is something to be behind of
  await Promise.all([stage.caughtUp('history'), stage.caughtUp('monitor')])
  assert.deepEqual(byId(await stage.stored()).length, 301)
  for (const service of services) await stage.kill(service)

  // They are there, and are made anew because somebody says so.
  await Promise.all([stage.start('history', { REBUILD: '1' }), stage.start('monitor', { REBUILD: '1' })])
  await produceWins(stage.server, 301, 1)
  await Promise.all([stage.caughtUp('history'), stage.caughtUp('monitor')])
  const wins = await stage.wins()
  assert.deepEqual(byId(await stage.stored()), byId(wins))
  assert.deepEqual((await stage.overview()).leaders, standingsOf(wins))
  assert.equal((await stage.overview()).winCount, overview.winCount + 2)
})

test('a monitor that takes over reads again what the other one has counted, and counts it once', async (t) => {
  const stage = await Stage.set()
  t.after(() => stage.strike())
  // Both begin where nothing is counted yet, and share the partitions.
  const first = await stage.start('monitor')
  await stage.start('monitor', { PORT: '0' })
  await stage.server.kafka.waitForGroup('jackpot-monitor', { members: 2, timeoutMs: 60_000 })
  await produceWins(stage.server, 0, 90)
  await stage.caughtUp('monitor')
  await stage.kill(first)
  await produceWins(stage.server, 90, 10)
  await stage.caughtUp('monitor')
  assert.deepEqual((await stage.overview()).leaders, standingsOf(await stage.wins()))
  assert.equal((await stage.overview()).winCount, 100)
})
