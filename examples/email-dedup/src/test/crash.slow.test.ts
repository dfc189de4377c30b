/** A mailer that is killed at the worst moments, by the signal that nobody can catch. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMAILS_TOPIC } from '../queue.ts'
import { EMAIL, Stage, until } from './stage.ts'

test('killed between sending and committing: nothing is sent twice', async (t) => {
  const stage = await Stage.set()
  t.after(() => stage.strike())
  const mailer = await stage.startMailer()
  await stage.server.kafka.waitForGroup('email-mailer', { members: 1 })
  // The commit arrives and is not carried out: at this moment the email is sent, and the queue does not know.
  stage.server.faults.delay({ api: 'OffsetCommit', group: 'email-mailer' }, '1h')
  await stage.server.kafka.produce(EMAILS_TOPIC.name, JSON.stringify({ id: 'one', ...EMAIL }))
  await until(() => stage.server.kafka.calls('OffsetCommit').length > 0)
  await mailer.end('SIGKILL')
  stage.server.faults.clear()
  assert.equal((await stage.server.kafka.group('email-mailer'))!.lag, 1)

  stage.forgetTheDead()
  await stage.startMailer()
  await stage.drained()
  assert.deepEqual([...stage.sink.taken], [['one', 1]])
})

test('killed after the mail server took it, before it is marked: once more, under the same Message-ID', async (t) => {
  const stage = await Stage.set()
  t.after(() => stage.strike())
  const mailer = await stage.startMailer()
  // Nobody who dies here can tell afterwards whether the email was taken.
  stage.sink.beforeAnswer = async () => {
    stage.sink.beforeAnswer = async () => {}
    await mailer.end('SIGKILL')
  }
  await stage.server.kafka.produce(EMAILS_TOPIC.name, JSON.stringify({ id: 'one', ...EMAIL }))
  await mailer.ended()

  stage.forgetTheDead()
  await stage.startMailer()
  await stage.drained()
  assert.deepEqual([...stage.sink.taken], [['one', 2]], 'the bound: one more for each such death')
  assert.equal(stage.sink.deliveredCount, 1)
})

test('killed before the mail server took it: it is sent by the next one', async (t) => {
  const stage = await Stage.set()
  t.after(() => stage.strike())
  stage.sink.refusal = { code: 451, text: 'later' }
  const mailer = await stage.startMailer()
  await stage.server.kafka.produce(EMAILS_TOPIC.name, JSON.stringify({ id: 'one', ...EMAIL }))
  await until(() => stage.sink.refusedCount > 0)
  await mailer.end('SIGKILL')
  stage.sink.refusal = null
  stage.forgetTheDead()
  await stage.startMailer()
  await stage.drained()
  assert.deepEqual([...stage.sink.taken], [['one', 1]])
})

test('killed again and again at any moment: every email is there once, sent once more for each death at most', async (t) => {
  const stage = await Stage.set()
  t.after(() => stage.strike())
  const ids = Array.from({ length: 60 }, (_, index) => `email-${index}`)
  const deaths = 6
  await stage.server.kafka.produce(
    EMAILS_TOPIC.name,
    ids.map((id) => ({ key: id, value: JSON.stringify({ id, ...EMAIL }) })),
  )
  for (let death = 0; death < deaths; death++) {
    const mailer = await stage.startMailer()
    // Somewhere after the next few: the time between the signal and the end is as good as random.
    const enough = Math.min(ids.length - 1, stage.sink.takenCount + 1 + ((death * 5) % 9))
    await until(() => stage.sink.takenCount >= enough)
    await mailer.end('SIGKILL')
    stage.forgetTheDead()
  }
  await stage.startMailer()
  await stage.drained()
  assert.deepEqual([...stage.sink.taken.keys()].sort(), [...ids].sort())
  assert.ok(stage.sink.takenCount <= ids.length + deaths, `${stage.sink.takenCount} taken`)
})

test('SIGTERM finishes the email in hand', async (t) => {
  const stage = await Stage.set()
  t.after(() => stage.strike())
  const mailer = await stage.startMailer()
  let answer = () => {}
  const taken = new Promise<void>((resolve) => {
    stage.sink.beforeAnswer = () => {
      resolve()
      return new Promise((release) => {
        answer = release
      })
    }
  })
  await stage.server.kafka.produce(EMAILS_TOPIC.name, JSON.stringify({ id: 'one', ...EMAIL }))
  await taken
  const ended = mailer.end('SIGTERM')
  answer()
  assert.equal(await ended, 0)
  const group = await stage.server.kafka.group('email-mailer')
  assert.deepEqual([group!.lag, group!.memberCount], [0, 0], 'committed, and left')
  assert.deepEqual([...stage.sink.taken], [['one', 1]])
})
