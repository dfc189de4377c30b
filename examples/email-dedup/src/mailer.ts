/** The consumer that sends what is in the queue, as a process. Several of them share the work. */
import {
  brokerList,
  connectRedis,
  ensureTopic,
  groupMember,
  offsetsBehind,
  requiredText,
  runService,
} from 'headpond-examples-shared'
import { deliver } from './delivery.ts'
import { DeliveryClaims } from './delivery-claims.ts'
import { decodeEvent } from './email.ts'
import { EMAILS_TOPIC, GROUP } from './queue.ts'
import { connectMailServer } from './smtp.ts'

await runService(GROUP, async (log, fail) => {
  const brokers = brokerList(process.env)
  await ensureTopic(GROUP, brokers, EMAILS_TOPIC)
  const redis = await connectRedis(requiredText(process.env, 'REDIS_URL'), log)
  const mailServer = connectMailServer(requiredText(process.env, 'SMTP_URL'), 'shop@email-dedup.example')
  const claims = new DeliveryClaims(redis)
  const consumer = groupMember(GROUP, brokers)
  const stream = await consumer.consume({
    topics: [EMAILS_TOPIC.name],
    mode: 'committed',
    fallbackMode: 'earliest',
    autocommit: false,
  })
  const stopping = new AbortController()

  const consuming = (async () => {
    for await (const message of stream) {
      if (stopping.signal.aborted) return
      const { value, partition, offset } = message
      const event = decodeEvent(value)
      if (event === null) log.error({ partition, offset: Number(offset) }, 'skipped: not an email')
      else await deliver(event, { claims, mailServer, log }, stopping.signal)
      // Fails when the group has gone on without us: then somebody else is given this email, and finds it done.
      await consumer
        .commit({ offsets: offsetsBehind([message]) })
        .catch((error) => log.warn({ err: error }, 'not committed'))
    }
  })()
  consuming.catch((error) => {
    if (!stopping.signal.aborted) fail(error)
  })

  return {
    stop: async () => {
      stopping.abort()
      stream.destroy()
      await consuming.catch(() => {})
      await consumer.close(true)
      mailServer.close()
      redis.disconnect()
    },
  }
})
