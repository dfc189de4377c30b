/** What is around fails: the broker, Redis, the mail server. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from 'headpond'
import { connectRedis, type OutgoingEvent, serviceLog } from 'headpond-examples-shared'
import { DedupWindow } from '../dedup-window.ts'
import { DeliveryClaims } from '../delivery-claims.ts'
import { httpApp } from '../http-app.ts'
import { EMAILS_TOPIC } from '../queue.ts'
import { EMAIL, Stage, until } from './stage.ts'

test('the broker refuses: the email may be posted again at once', async (t) => {
  const stage = await Stage.set()
  t.after(() => stage.strike())
  await Promise.all([stage.startApi(), stage.startMailer()])
  stage.server.faults.error({ api: 'Produce', times: 1_000 }, 'NOT_ENOUGH_REPLICAS')
  const refused = await stage.post(EMAIL)
  assert.equal(refused.status, 503)
  stage.server.faults.clear()
  const queued = await stage.post(EMAIL)
  assert.deepEqual([queued.status, queued.id], [202, refused.id])
  await stage.drained()
  assert.deepEqual([...stage.sink.taken], [[queued.id, 1]])
})

test('the answer of the broker is lost: it is asked again, and has one record', async (t) => {
  const stage = await Stage.set()
  t.after(() => stage.strike())
  await stage.startApi()
  stage.server.faults.loseAnswer({ api: 'Produce' })
  const emails = Array.from({ length: 20 }, (_, index) => ({ ...EMAIL, text: `number ${index}` }))
  const answers = await Promise.all(emails.map((email) => stage.post(email)))
  assert.ok(answers.every(({ status }) => status === 202))
  const records = await stage.server.kafka.records(EMAILS_TOPIC.name)
  assert.deepEqual(records.map(({ key }) => key).sort(), answers.map(({ id }) => id).sort())
})

test('an enqueue that failed and yet succeeded: two records, one email', async (t) => {
  const stage = await Stage.set()
  const redis = await connectRedis(stage.server.urls.redis, serviceLog('test'))
  t.after(async () => {
    redis.disconnect()
    await stage.strike()
  })
  await stage.startMailer()
  let failuresLeft = 1
  const publisher = {
    async publish({ topic, key, value }: OutgoingEvent) {
      await stage.server.kafka.produce(topic, { key, value })
      if (failuresLeft-- > 0) throw new Error('the answer was lost')
    },
  }
  const app = httpApp({
    window: new DedupWindow(redis),
    claims: new DeliveryClaims(redis),
    publisher,
    log: serviceLog('test'),
  })
  const post = () =>
    app.request('/emails', {
      method: 'POST',
      body: JSON.stringify(EMAIL),
      headers: { 'content-type': 'application/json' },
    })
  assert.deepEqual([(await post()).status, (await post()).status, (await post()).status], [503, 202, 200])
  assert.equal((await stage.server.kafka.records(EMAILS_TOPIC.name)).length, 2)
  await stage.drained()
  assert.equal(stage.sink.takenCount, 1)
})

test('the connection to Redis is lost in the middle: the command is repeated, and knows its own key', async (t) => {
  const server = await createServer()
  const redis = await connectRedis(server.urls.redis, serviceLog('test'))
  t.after(async () => {
    redis.disconnect()
    await server.close()
  })
  const window = new DedupWindow(redis)
  server.faults.drop({ command: 'SET' })
  assert.deepEqual(await window.enter('print', 'one'), { outcome: 'entered', id: 'one' })
  assert.deepEqual(await window.enter('print', 'one'), { outcome: 'entered', id: 'one' }, 'as after a lost answer')
  assert.deepEqual(await window.enter('print', 'two'), { outcome: 'pending', id: 'one' })
  await window.confirm('print', 'one')
  assert.deepEqual(await window.enter('print', 'two'), { outcome: 'duplicate', id: 'one' })
  await window.release('print', 'one') // too late: it is in the queue
  assert.deepEqual(await window.enter('print', 'two'), { outcome: 'duplicate', id: 'one' })
  assert.equal(await server.execute('TTL', 'email:window:print'), 60)
})

test('a window that was released is entered by one, for 60 seconds, under the same id', async (t) => {
  const server = await createServer()
  const redis = await connectRedis(server.urls.redis, serviceLog('test'))
  t.after(async () => {
    redis.disconnect()
    await server.close()
  })
  const window = new DedupWindow(redis)
  await window.enter('print', 'one')
  server.clock.advance('50s')
  await window.release('print', 'one')
  assert.equal(await server.execute('TTL', 'email:window:print'), 10)
  const admissions = await Promise.all(['a', 'b', 'c'].map((id) => window.enter('print', id)))
  assert.deepEqual(admissions.map(({ outcome }) => outcome).sort(), ['entered', 'pending', 'pending'])
  assert.ok(admissions.every(({ id }) => id === 'one'))
  assert.equal(await server.execute('TTL', 'email:window:print'), 60)
})

test('the mail server says later: sent later, once; it says never: given up', async (t) => {
  const stage = await Stage.set()
  t.after(() => stage.strike())
  await Promise.all([stage.startApi(), stage.startMailer()])
  stage.sink.refusal = { code: 550, text: 'no such user' }
  const never = await stage.post(EMAIL)
  await stage.drained()
  assert.equal(await stage.statusOf(never.id), 'refused')
  stage.sink.refusal = { code: 451, text: 'try later' }
  const later = await stage.post({ ...EMAIL, to: 'bob@example.com' })
  await until(() => stage.sink.refusedCount >= 3)
  stage.sink.refusal = null
  await stage.drained()
  assert.equal(await stage.statusOf(later.id), 'sent')
  assert.deepEqual([...stage.sink.taken], [[later.id, 1]])
})
