/** The HTTP endpoint, as a process. */
import {
  brokerList,
  connectRedis,
  ensureTopic,
  listenHttp,
  Publisher,
  requiredText,
  runService,
  wholeNumber,
} from 'headpond-examples-shared'
import { DedupWindow } from './dedup-window.ts'
import { DeliveryClaims } from './delivery-claims.ts'
import { httpApp } from './http-app.ts'
import { EMAILS_TOPIC } from './queue.ts'

const CLIENT_ID = 'email-api'

await runService(CLIENT_ID, async (log) => {
  const brokers = brokerList(process.env)
  await ensureTopic(CLIENT_ID, brokers, EMAILS_TOPIC)
  const redis = await connectRedis(requiredText(process.env, 'REDIS_URL'), log)
  const publisher = await Publisher.connect(CLIENT_ID, brokers)
  const app = httpApp({ window: new DedupWindow(redis), claims: new DeliveryClaims(redis), publisher, log })
  const listener = await listenHttp(app, wholeNumber(process.env, 'PORT', 3000))
  return {
    url: listener.url,
    stop: async () => {
      await listener.close()
      await publisher.close()
      redis.disconnect()
    },
  }
})
