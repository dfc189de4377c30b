/** jackpot-monitor: counts the wins in Redis, and shows them on a page that is always up to date. */
import {
  brokerList,
  connectRedis,
  ensureTopic,
  listenHttp,
  requiredText,
  runService,
  type StringMessage,
  wholeNumber,
} from 'headpond-examples-shared'
import { WINS_TOPIC } from '../topic.ts'
import { decodeWin } from '../win.ts'
import { readWins } from '../win-reader.ts'
import { monitorApp } from './http-app.ts'
import { Leaderboard } from './leaderboard.ts'
import { LiveFeed } from './live-feed.ts'

const NAME = 'jackpot-monitor'

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
  const take = async (batch: readonly StringMessage[]) => {
    // Sent together, carried out in order.
    await Promise.all(
      batch.map(({ value, partition, offset }) => {
        const win = decodeWin(value)
        if (win === null) log.error({ partition, offset: Number(offset) }, 'skipped: not a win')
        return leaderboard.count(win, partition, Number(offset))
      }),
    )
  }
  const reader = await readWins(NAME, brokers, await leaderboard.positions(), take, { log, fail })

  const listener = await listenHttp(monitorApp(leaderboard, feed, log), wholeNumber(process.env, 'PORT', 3003))
  return {
    url: listener.url,
    stop: async () => {
      await reader.stop()
      await feed.close()
      await listener.close()
      redis.disconnect()
      subscriber.disconnect()
    },
  }
})
