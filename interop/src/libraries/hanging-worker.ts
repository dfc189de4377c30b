/** A BullMQ worker in a process of its own that takes a job and never finishes it; its parent kills it meanwhile. */
import { Worker } from 'bullmq'

const [queueName, port] = process.argv.slice(2)
if (queueName === undefined) throw new Error('usage: hanging-worker QUEUE PORT')

new Worker(
  queueName,
  (job) => {
    process.send?.({ took: job.id })
    return new Promise(() => {})
  },
  // It does not look for stalled jobs: that would keep others from looking for a while.
  { connection: { host: '127.0.0.1', port: Number(port) }, lockDuration: 200, skipStalledCheck: true },
)
