/** BullMQ: queues, schedulers, limits, flows, and workers that die. */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import {
  FlowProducer,
  type Processor,
  Queue,
  QueueEvents,
  UnrecoverableError,
  Worker,
  type WorkerOptions,
} from 'bullmq'
import { connect, counted, type Place, testOnBoth } from './both-servers.ts'

testOnBoth('BullMQ: jobs by priority, order and delay, with progress, logs and results', async (place) => {
  const { queue, events } = await openQueue(place, 'work')
  // One after the other: what came first among equals is first.
  await queue.add('ordinary', { n: 1 }, { priority: 10 })
  await queue.add('urgent', { n: 2 }, { priority: 1 })
  await queue.add('ordinary', { n: 3 }, { priority: 10 })
  await queue.addBulk([
    { name: 'first', data: { n: 4 } },
    { name: 'second', data: { n: 5 } },
  ])
  const delayed = await queue.add('delayed', { n: 6 }, { delay: 30 })
  assert.deepEqual(await queue.getJobCounts('waiting', 'prioritized', 'delayed'), {
    waiting: 2,
    prioritized: 3,
    delayed: 1,
  })
  assert.equal(await delayed.getState(), 'delayed')

  const order: number[] = []
  const finished = counted(events, 'completed', 6)
  startWorker(place, 'work', async (job) => {
    order.push(job.data.n)
    await job.updateProgress({ percent: 50 })
    await job.log(`worked on ${job.data.n}`)
    return { doubled: job.data.n * 2 }
  })
  await finished
  assert.deepEqual(
    order.filter((n) => n !== 6),
    [4, 5, 2, 1, 3],
  )
  assert.ok(order.includes(6))

  const done = await queue.getJob(delayed.id ?? '')
  assert.ok(done)
  assert.deepEqual(done.returnvalue, { doubled: 12 })
  assert.deepEqual(done.progress, { percent: 50 })
  assert.deepEqual(await queue.getJobLogs(delayed.id ?? ''), { logs: ['worked on 6'], count: 1 })
  assert.equal((await queue.getCompleted()).length, 6)
  assert.deepEqual((await queue.clean(0, 4, 'completed')).length, 4)
  assert.equal(await queue.getCompletedCount(), 2)
  await queue.drain()
})

testOnBoth(
  'BullMQ: a failed job is tried again, later each time, and failed for good when it says so',
  async (place) => {
    const { queue, events } = await openQueue(place, 'retries')
    startWorker(place, 'retries', async (job) => {
      if (job.name === 'hopeless') throw new UnrecoverableError('never again')
      if (job.attemptsMade < 2) throw new Error(`attempt ${job.attemptsMade + 1}`)
      return job.attemptsMade
    })
    const flaky = await queue.add('flaky', {}, { attempts: 3, backoff: { type: 'exponential', delay: 5 } })
    assert.equal(await flaky.waitUntilFinished(events), 2)

    const hopeless = await queue.add('hopeless', {}, { attempts: 5 })
    await assert.rejects(hopeless.waitUntilFinished(events), /never again/)
    const failed = (await queue.getFailed())[0]
    assert.equal(failed?.failedReason, 'never again')
    assert.equal(failed?.attemptsMade, 1)

    await failed?.retry()
    await assert.rejects(hopeless.waitUntilFinished(events), /never again/)
  },
)

testOnBoth('BullMQ: schedulers repeat a job, by interval and by cron', async (place) => {
  const { queue, events } = await openQueue(place, 'repeated')
  const iterations: number[] = []
  const finished = counted(events, 'completed', 3)
  startWorker(place, 'repeated', async (job) => {
    iterations.push(job.data.of)
  })
  await queue.upsertJobScheduler('tick', { every: 20, limit: 3 }, { name: 'tick', data: { of: 3 } })
  await queue.upsertJobScheduler('yearly', { pattern: '0 0 1 1 *', tz: 'UTC' }, { name: 'yearly' })
  await finished
  assert.deepEqual(iterations, [3, 3, 3])

  const yearly = await queue.getJobScheduler('yearly')
  assert.equal(yearly?.pattern, '0 0 1 1 *')
  const next = (await queue.getDelayed()).find((job) => job.name === 'yearly')
  assert.equal(next && new Date(next.timestamp + next.delay).toISOString().slice(4), '-01-01T00:00:00.000Z')
  assert.ok(await queue.removeJobScheduler('yearly'))
  assert.equal(await queue.getDelayedCount(), 0)
})

testOnBoth('BullMQ: a limit holds back what exceeds it', async (place) => {
  const { queue, events } = await openQueue(place, 'limited')
  await queue.addBulk([1, 2, 3, 4].map((n) => ({ name: 'call', data: { n } })))
  const firstTwo = counted(events, 'completed', 2)
  startWorker(place, 'limited', async () => {}, { limiter: { max: 2, duration: 60_000 }, maximumRateLimitDelay: 20 })
  await firstTwo
  assert.ok((await queue.getRateLimitTtl(2)) > 0)
  assert.equal(await queue.getWaitingCount(), 2)

  const lastTwo = counted(events, 'completed', 2)
  await queue.removeRateLimitKey()
  await lastTwo
  assert.equal(await queue.getWaitingCount(), 0)
})

testOnBoth('BullMQ: the same work is not queued twice; a paused queue waits', async (place) => {
  const { queue, events } = await openQueue(place, 'once')
  await queue.pause()
  const first = await queue.add('report', { day: 1 }, { deduplication: { id: 'report' } })
  const second = await queue.add('report', { day: 1 }, { deduplication: { id: 'report' } })
  assert.equal(second.id, first.id)
  await queue.add('other', {}, { jobId: 'fixed' })
  await queue.add('other', {}, { jobId: 'fixed' })
  startWorker(place, 'once', async () => {}, { removeOnComplete: { count: 1 } })
  assert.equal(await queue.isPaused(), true)
  assert.equal(await queue.count(), 2)

  const finished = counted(events, 'completed', 2)
  await queue.resume()
  await finished
  assert.equal(await queue.getCompletedCount(), 1)
  await queue.obliterate()
  assert.deepEqual(await connect(place).keys('bull:once:*'), [])
})

testOnBoth('BullMQ: a flow waits for its children and gets what they return', async (place) => {
  const { events } = await openQueue(place, 'album')
  const { queue: images } = await openQueue(place, 'images')
  const flows = new FlowProducer({ connection: { host: '127.0.0.1', port: place.port } })
  place.after(() => flows.close())
  startWorker(place, 'album', async (job) => Object.values(await job.getChildrenValues()).sort())
  startWorker(place, 'images', async (job) => {
    if (job.data.broken) throw new Error('cannot be read')
    return `small-${job.data.file}`
  })

  const whole = await flows.add({
    name: 'album',
    queueName: 'album',
    children: ['a.png', 'b.png', 'c.png'].map((file) => ({ name: 'image', queueName: 'images', data: { file } })),
  })
  assert.deepEqual(await whole.job.waitUntilFinished(events), ['small-a.png', 'small-b.png', 'small-c.png'])
  assert.deepEqual(await whole.job.getDependenciesCount(), { processed: 3, unprocessed: 0, failed: 0, ignored: 0 })

  const broken = await flows.add({
    name: 'album',
    queueName: 'album',
    children: [
      { name: 'image', queueName: 'images', data: { file: 'd.png' } },
      { name: 'image', queueName: 'images', data: { broken: true }, opts: { failParentOnFailure: true } },
    ],
  })
  await assert.rejects(broken.job.waitUntilFinished(events), /child .* failed/)
  assert.equal(await images.getFailedCount(), 1)
})

testOnBoth('BullMQ: what a killed worker held is done by another one', async (place) => {
  const { queue, events } = await openQueue(place, 'stalled')
  const job = await queue.add('import', { rows: 7 })
  const worker = fork(fileURLToPath(new URL('./hanging-worker.js', import.meta.url)), ['stalled', String(place.port)])
  place.after(() => worker.kill('SIGKILL'))
  const [message] = await once(worker, 'message')
  assert.deepEqual(message, { took: job.id })
  assert.equal(await job.getState(), 'active')
  const exited = once(worker, 'exit')
  worker.kill('SIGKILL')
  await exited

  const stalled = once(events, 'stalled')
  startWorker(place, 'stalled', async (taken) => taken.data.rows, { stalledInterval: 50 })
  assert.equal(await job.waitUntilFinished(events), 7)
  assert.equal((await stalled)[0].jobId, job.id)
})

testOnBoth('BullMQ: a job that stalls too often has failed', async (place) => {
  const { queue, events } = await openQueue(place, 'cursed')
  const job = await queue.add('crash', {})
  const taken = new Worker('cursed', null, options(place))
  place.after(() => taken.close())
  // Taken by hand and given up: nobody renews its lock.
  await taken.getNextJob('a token', { block: false })
  await connect(place).del(`bull:cursed:${job.id}:lock`)
  startWorker(place, 'cursed', async () => {}, { stalledInterval: 20, maxStalledCount: 0 })
  await assert.rejects(job.waitUntilFinished(events), /stalled more than allowable limit/)
})

function options(place: Place) {
  return { connection: { host: '127.0.0.1', port: place.port } }
}

async function openQueue(place: Place, name: string): Promise<{ queue: Queue; events: QueueEvents }> {
  const queue = new Queue(name, options(place))
  place.after(() => queue.close())
  // From the beginning: what happens before it begins to listen is not lost.
  const events = new QueueEvents(name, { ...options(place), lastEventId: '0-0' })
  place.after(() => events.close())
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady()])
  return { queue, events }
}

function startWorker(place: Place, name: string, work: Processor, more: Partial<WorkerOptions> = {}): Worker {
  const worker = new Worker(name, work, { ...options(place), ...more })
  place.after(() => worker.close())
  return worker
}
