/** From a reported win to the history, the leaderboard and the open pages. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WINS_TOPIC } from '../topic.ts'
import { byId, produceWins, Stage } from './stage.ts'

test('a win that is reported is in the history and on the leaderboard', async (t) => {
  const stage = await Stage.set()
  t.after(() => stage.strike())
  await Promise.all([stage.start('processor'), stage.start('history'), stage.start('monitor')])
  const answers = await Promise.all(
    ['Ada', 'Bob', 'Ada'].map((player, index) =>
      stage.report({ player, game: 'Roulette', amountCents: 1000 * (index + 1) }),
    ),
  )
  assert.deepEqual(
    answers.map(({ status }) => status),
    [201, 201, 201],
  )
  await Promise.all([stage.caughtUp('history'), stage.caughtUp('monitor')])
  const wins = await stage.wins()
  assert.deepEqual(byId(answers.map(({ body }) => body as never)), byId(wins))
  assert.deepEqual(byId(await stage.stored()), byId(wins))
  assert.deepEqual(await stage.get('history', '/totals'), { winCount: 3, amountCents: 6000 })
  assert.equal((await stage.get<unknown[]>('history', '/wins?player=Ada')).length, 2)
  const { leaders, winCount, amountCents, recent } = await stage.overview()
  assert.deepEqual(leaders, [
    { player: 'Ada', amountCents: 4000 },
    { player: 'Bob', amountCents: 2000 },
  ])
  assert.deepEqual([winCount, amountCents, recent.length], [3, 6000, 3])
})

test('what is no win is refused, and passed over when it is in the topic', async (t) => {
  const stage = await Stage.set()
  t.after(() => stage.strike())
  await Promise.all([stage.start('processor'), stage.start('history'), stage.start('monitor')])
  const good = { player: 'Ada', game: 'Slots', amountCents: 1 }
  for (const [field, bad] of [
    ['body', null],
    ['body', []],
    ['player', { ...good, player: ' ' }],
    ['player', { ...good, player: 'x'.repeat(41) }],
    ['game', { ...good, game: 7 }],
    ['amountCents', { ...good, amountCents: 0.5 }],
    ['amountCents', { ...good, amountCents: -1 }],
    ['amountCents', { ...good, amountCents: 1e300 }],
    ['id', { ...good, id: 'mine' }],
  ] as const) {
    const { status, body } = await stage.report(bad)
    assert.equal(status, 422, JSON.stringify(bad))
    assert.ok(field in (body as { faults: object }).faults, JSON.stringify(body))
  }
  const raw = (body: string, type = 'application/json') =>
    fetch(stage.url('processor', '/wins'), { method: 'POST', body, headers: { 'content-type': type } })
  assert.equal((await raw('{')).status, 400)
  assert.equal((await raw(JSON.stringify(good), 'text/plain')).status, 415)
  assert.equal((await raw(JSON.stringify({ ...good, game: 'x'.repeat(5000) }))).status, 413)
  assert.equal((await fetch(stage.url('history', '/wins?limit=0'))).status, 400)
  assert.equal((await fetch(stage.url('history', '/wins?limit=many'))).status, 400)
  assert.equal((await fetch(stage.url('monitor', '/nothing'))).status, 404)

  await stage.server.kafka.produce(WINS_TOPIC.name, ['not JSON', '{}', 'null', JSON.stringify({ ...good, id: 'x' })])
  assert.equal((await stage.report(good)).status, 201)
  await Promise.all([stage.caughtUp('history'), stage.caughtUp('monitor')])
  assert.deepEqual(await stage.get('history', '/totals'), { winCount: 1, amountCents: 1 })
  assert.equal((await stage.overview()).winCount, 1)
})

test('SIGTERM: everything that was taken is stored, and each service ends with 0', async (t) => {
  const stage = await Stage.set()
  t.after(() => stage.strike())
  const services = await Promise.all([stage.start('processor'), stage.start('history'), stage.start('monitor')])
  const page = await fetch(stage.url('monitor', '/events')) // an open page does not keep it
  await stage.report({ player: 'Ada', game: 'Slots', amountCents: 5 })
  await stage.caughtUp('history')
  assert.deepEqual(await Promise.all(services.map((service) => service.end('SIGTERM'))), [0, 0, 0])
  await page.body!.cancel().catch(() => {})
  assert.equal((await stage.server.kafka.group('jackpot-history'))!.memberCount, 0)
  await stage.start('history')
  assert.deepEqual(await stage.get('history', '/totals'), { winCount: 1, amountCents: 5 })
})

test('every open page is told of every win', async (t) => {
  const stage = await Stage.set()
  t.after(() => stage.strike())
  await produceWins(stage.server, 0, 1)
  await stage.start('monitor')
  await stage.caughtUp('monitor')
  const page = await fetch(stage.url('monitor', '/events'))
  assert.match(page.headers.get('content-type')!, /^text\/event-stream/)
  let seen = ''
  const reading = (async () => {
    for await (const chunk of page.body!) {
      seen += Buffer.from(chunk).toString()
      if (seen.includes('"id":"win-2"') && /event: overview\ndata: .*"winCount":3/.test(seen)) return
    }
  })()
  await produceWins(stage.server, 1, 2)
  await reading
  const [first, ...others] = seen.split('\n\n')
  assert.match(first!, /^event: overview\ndata: .*"winCount":1/)
  assert.equal(others.filter((event) => event.startsWith('event: win\n')).length, 2)
})
