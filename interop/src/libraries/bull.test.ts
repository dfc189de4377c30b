/** Bull, the elder sibling of BullMQ: other scripts, and events by pub/sub. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import Bull from 'bull'
import { connect, counted, type Place, testOnBoth } from './both-servers.ts'

testOnBoth('Bull: jobs by priority and delay, with progress and results', async (place) => {
  const queue = await openQueue(place, 'work')
  await queue.add({ n: 1 }, { priority: 3 })
  await queue.add({ n: 2 }, { priority: 1 })
  await queue.add({ n: 3 }, { priority: 2 })
  await queue.add({ n: 4 }, { delay: 30 })
  const { waiting, delayed } = await queue.getJobCounts()
  assert.deepEqual({ waiting, delayed }, { waiting: 3, delayed: 1 })

  const order: number[] = []
  const progress: unknown[] = []
  queue.on('global:progress', (_, value) => progress.push(value))
  const finished = counted(queue, 'global:completed', 4)
  queue.process(async (job) => {
    order.push(job.data.n)
    await job.progress(job.data.n * 10)
    return { doubled: job.data.n * 2 }
  })
  await finished
  assert.deepEqual(
    order.filter((n) => n !== 4),
    [2, 3, 1],
  )
  assert.deepEqual(order.length, 4)
  assert.deepEqual(progress.map(Number).sort(), [10, 20, 30, 40])
  const results = (await queue.getCompleted()).map((job) => job.returnvalue.doubled)
  assert.deepEqual(results.sort(), [2, 4, 6, 8])
  assert.equal((await queue.clean(0, 'completed')).length, 4)
})

testOnBoth('Bull: failed jobs are tried again; a limit and a pause hold jobs back', async (place) => {
  const queue = await openQueue(place, 'calls', { limiter: { max: 2, duration: 50 } })
  queue.process(async (job) => {
    if (job.attemptsMade < job.data.failures) throw new Error(`attempt ${job.attemptsMade + 1}`)
    return job.attemptsMade
  })
  const flaky = await queue.add({ failures: 2 }, { attempts: 3, backoff: { type: 'fixed', delay: 5 } })
  assert.equal(await flaky.finished(), 2)
  const hopeless = await queue.add({ failures: 9 }, { attempts: 2 })
  await assert.rejects(hopeless.finished(), /attempt 2/)
  assert.equal(await queue.getFailedCount(), 1)

  await queue.pause()
  const four = await Promise.all([1, 2, 3, 4].map((n) => queue.add({ n, failures: 0 })))
  assert.equal(await queue.getPausedCount(), 4)
  await queue.resume()
  assert.deepEqual(await Promise.all(four.map((job) => job.finished())), [0, 0, 0, 0])
  await queue.obliterate({ force: true })
  // Bull leaves the limit's own key to its expiry.
  assert.deepEqual(await connect(place).keys('bull:calls:[^l]*'), [])
})

testOnBoth('Bull: repeated jobs, by interval and by cron', async (place) => {
  const queue = await openQueue(place, 'repeated')
  const iterations: number[] = []
  const finished = counted(queue, 'global:completed', 3)
  queue.process('tick', async (job) => {
    iterations.push(job.data.of)
  })
  await queue.add('tick', { of: 3 }, { repeat: { every: 20, limit: 3 } })
  await queue.add('yearly', {}, { repeat: { cron: '0 0 1 1 *', tz: 'UTC' } })
  await finished
  assert.deepEqual(iterations, [3, 3, 3])
  const yearly = (await queue.getRepeatableJobs()).find(({ name }) => name === 'yearly')
  assert.equal(yearly && new Date(yearly.next).toISOString().slice(4), '-01-01T00:00:00.000Z')
  await queue.removeRepeatableByKey(yearly?.key ?? '')
  assert.equal((await queue.getRepeatableJobs()).filter(({ name }) => name === 'yearly').length, 0)
})

testOnBoth('Bull: what a worker dropped is done by another one', async (place) => {
  const settings = { stalledInterval: 50, lockDuration: 100 }
  const first = await openQueue(place, 'stalled', { settings: { ...settings, lockRenewTime: 1_000_000 } })
  const job = await first.add({ rows: 7 })
  const taken = await first.getNextJob()
  assert.equal(taken?.id, job.id)
  // Its process is gone: the lock is not renewed.
  const second = await openQueue(place, 'stalled', { settings })
  const stalled = once(second, 'global:stalled')
  second.process(async (again) => again.data.rows)
  assert.equal(await job.finished(), 7)
  assert.equal((await stalled)[0], job.id)
})

async function openQueue(place: Place, name: string, options: Bull.QueueOptions = {}): Promise<Bull.Queue> {
  const queue = new Bull(name, { ...options, redis: { host: '127.0.0.1', port: place.port } })
  place.after(() => queue.close())
  await queue.isReady()
  return queue
}
