/** An email is sent once in 60 seconds, however often and by whomever it is asked for. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMAILS_TOPIC } from '../queue.ts'
import { EMAIL, Stage } from './stage.ts'

test('of 1,000 at once one is sent, and after 60 seconds one more', async (t) => {
  const stage = await Stage.set()
  t.after(() => stage.strike())
  await Promise.all([stage.startApi(), stage.startMailer()])

  const answers = await Promise.all(Array.from({ length: 1_000 }, () => stage.postUntilTaken(EMAIL)))
  const queued = answers.filter(({ status }) => status === 202)
  assert.equal(queued.length, 1)
  assert.equal(answers.filter(({ status }) => status === 200).length, 999)
  assert.deepEqual(new Set(answers.map(({ id }) => id)), new Set([queued[0]!.id]), 'all are told the same id')
  await stage.drained()
  assert.equal(stage.sink.takenCount, 1)
  assert.equal(await stage.statusOf(queued[0]!.id), 'sent')

  // Real time goes on too: what is left of the minute is asked for, and nearly all of it passes.
  const [key] = (await stage.server.execute('KEYS', 'email:window:*')) as string[]
  const leftMs = async () => Number(await stage.server.execute('PTTL', key!))
  stage.server.clock.advance(Math.max(0, (await leftMs()) - 20_000))
  assert.deepEqual((await stage.post(EMAIL)).body, { id: queued[0]!.id, status: 'duplicate' })
  stage.server.clock.advance(Math.max(0, await leftMs()))
  const again = await stage.post(EMAIL)
  assert.equal(again.status, 202)
  assert.notEqual(again.id, queued[0]!.id)
  await stage.drained()
  assert.equal(stage.sink.takenCount, 2)
})

test('other emails are not duplicates, spellings of the same one are', async (t) => {
  const stage = await Stage.set()
  t.after(() => stage.strike())
  await Promise.all([stage.startApi(), stage.startMailer()])
  const first = await stage.post(EMAIL)
  for (const same of [{ to: 'ada@EXAMPLE.com' }, { subject: ' Your order ' }, { text: 'It is on its way.\n' }]) {
    assert.deepEqual((await stage.post({ ...EMAIL, ...same })).body, { id: first.id, status: 'duplicate' })
  }
  for (const other of [{ to: 'bob@example.com' }, { subject: 'Your orders' }, { text: 'It is late.' }]) {
    assert.equal((await stage.post({ ...EMAIL, ...other })).status, 202)
  }
  await stage.drained()
  assert.equal(stage.sink.takenCount, 4)
})

test('delivered again, an email is not sent again', async (t) => {
  const stage = await Stage.set()
  t.after(() => stage.strike())
  await Promise.all([stage.startMailer(), stage.startMailer()])
  const value = JSON.stringify({ id: 'one', ...EMAIL })
  // In all partitions, so that both mailers are given it at the same time, and more than once.
  const partitions = Array.from({ length: 30 }, (_, index) => index % EMAILS_TOPIC.partitionCount)
  await stage.server.kafka.waitForGroup('email-mailer', { members: 2 })
  await stage.server.kafka.produce(
    EMAILS_TOPIC.name,
    partitions.map((partition) => ({ value, partition })),
  )
  await stage.drained()
  assert.deepEqual([...stage.sink.taken], [['one', 1]])
})

test('what is no email is skipped', async (t) => {
  const stage = await Stage.set()
  t.after(() => stage.strike())
  await stage.startMailer()
  const noEmails = ['not JSON', '{"id":"x"}', JSON.stringify({ ...EMAIL, id: 7 }), 'null', '']
  await stage.server.kafka.produce(EMAILS_TOPIC.name, [...noEmails, JSON.stringify({ id: 'good', ...EMAIL })])
  await stage.drained()
  assert.deepEqual([...stage.sink.taken.keys()], ['good'])
})
