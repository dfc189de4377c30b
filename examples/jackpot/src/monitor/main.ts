/** jackpot-monitor: counts the wins in Redis, and shows them on a page that is always up to date. */
import {
  batches,
  brokerList,
  connectRedis,
  ensureTopic,
  listenHttp,
  offsetsBehind,
  requiredText,
  runService,
  wholeNumber,
} from 'headpond-examples-shared'
import { readFrom } from '../positions.ts'
import { WINS_TOPIC } from '../topic.ts'
import { decodeWin } from '../win.ts'
import { monitorApp } from './http-app.ts'
import { Leaderboard } from './leaderboard.ts'
import { LiveFeed } from './live-feed.ts'

const NAME = 'jackpot-monitor'
const BATCH_WINS_MAX = 500

await runService(NAME, async (log, fail) => {
  const brokers = brokerList(process.env)
  const redisUrl = requiredText(process.env, 'REDIS_URL')
  const topicId = await ensureTopic(NAME, brokers, WINS_TOPIC)
  const [redis, subscriber] = await Promise.all([connectRedis(redisUrl, log), connectRedis(redisUrl, log)])
  const leaderboard = new Leaderboard(redis, topicId)
  if (process.env['REBUILD'] === '1') {
    await leaderboard.clear()
    log.info('counting from the beginning of the topic')
  }
  const feed = await LiveFeed.start(subscriber, leaderboard, log)
  const { consumer, stream } = await readFrom(await leaderboard.positions(), NAME, brokers)

  const counting = (async () => {
    for await (const batch of batches(stream, BATCH_WINS_MAX)) {
      // Sent together, carried out in order.
      await Promise.all(
        batch.map(({ value, partition, offset }) => {
          const win = decodeWin(value)
          if (win === null) log.error({ partition, offset: Number(offset) }, 'skipped: not a win')
          return leaderboard.count(win, partition, Number(offset))
        }),
      )
      await consumer
        .commit({ offsets: offsetsBehind(batch) })
        .catch((error) => log.warn({ err: error }, 'not committed'))
    }
  })()
  let isStopping = false
  counting.catch((error) => {
    if (!isStopping) fail(error)
  })

  const listener = await listenHttp(monitorApp(leaderboard, feed, log), wholeNumber(process.env, 'PORT', 3003))
  return {
    url: listener.url,
    stop: async () => {
      isStopping = true
      await feed.close()
      await listener.close()
      stream.destroy()
      await counting.catch(() => {})
      await consumer.close(true)
      redis.disconnect()
      subscriber.disconnect()
    },
  }
})
