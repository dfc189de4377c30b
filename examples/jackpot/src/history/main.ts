/** jackpot-history: stores the wins in a database. REBUILD=1 forgets them first, and makes them again from the topic. */
import {
  batches,
  brokerList,
  ensureTopic,
  listenHttp,
  offsetsBehind,
  requiredText,
  runService,
  wholeNumber,
} from 'headpond-examples-shared'
import { readFrom } from '../positions.ts'
import { WINS_TOPIC } from '../topic.ts'
import { winsOf } from '../wins-of.ts'
import { openDatabase } from './database.ts'
import { historyApp } from './http-app.ts'
import { WinStore } from './win-store.ts'

const NAME = 'jackpot-history'
/** In one transaction. */
const BATCH_WINS_MAX = 500

await runService(NAME, async (log, fail) => {
  const brokers = brokerList(process.env)
  const topicId = await ensureTopic(NAME, brokers, WINS_TOPIC)
  const store = await WinStore.open(await openDatabase(requiredText(process.env, 'DATABASE_URL')))
  if (process.env['REBUILD'] === '1') {
    await store.clear()
    log.info('rebuilding from the beginning of the topic')
  }
  const { consumer, stream } = await readFrom(await store.positions(topicId), NAME, brokers)

  const storing = (async () => {
    for await (const batch of batches(stream, BATCH_WINS_MAX)) {
      const ends = offsetsBehind(batch)
      const positions = new Map(ends.map(({ partition, offset }) => [partition, Number(offset)]))
      await store.append(topicId, winsOf(batch, log), positions)
      // For those who look at the lag of the group. It may fail, and the next one makes up for it.
      await consumer.commit({ offsets: ends }).catch((error) => log.warn({ err: error }, 'not committed'))
    }
  })()
  let isStopping = false
  storing.catch((error) => {
    if (!isStopping) fail(error)
  })

  const listener = await listenHttp(historyApp(store, log), wholeNumber(process.env, 'PORT', 3002))
  return {
    url: listener.url,
    stop: async () => {
      isStopping = true
      await listener.close()
      stream.destroy()
      await storing.catch(() => {})
      await store.close()
      await consumer.close(true)
    },
  }
})
