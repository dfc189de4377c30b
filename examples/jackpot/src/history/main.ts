/** jackpot-history: stores the wins in a database. REBUILD=1 forgets them first, and makes them again from the topic. */
import {
  brokerList,
  ensureTopic,
  listenHttp,
  offsetsBehind,
  requiredText,
  runService,
  type StringMessage,
  wholeNumber,
} from 'headpond-examples-shared'
import { WINS_TOPIC } from '../topic.ts'
import { readWins } from '../win-reader.ts'
import { winsOf } from '../wins-of.ts'
import { openDatabase } from './database.ts'
import { historyApp } from './http-app.ts'
import { WinStore } from './win-store.ts'

const NAME = 'jackpot-history'

await runService(NAME, async (log, fail) => {
  const brokers = brokerList(process.env)
  const topicId = await ensureTopic(NAME, brokers, WINS_TOPIC)
  const store = await WinStore.open(await openDatabase(requiredText(process.env, 'DATABASE_URL')))
  if (process.env['REBUILD'] === '1') {
    await store.clear()
    log.info('rebuilding from the beginning of the topic')
  }
  const take = async (batch: readonly StringMessage[]) => {
    const positions = new Map(offsetsBehind(batch).map(({ partition, offset }) => [partition, Number(offset)]))
    await store.append(topicId, winsOf(batch, log), positions)
  }
  const reader = await readWins(NAME, brokers, await store.positions(topicId), take, { log, fail })

  const listener = await listenHttp(historyApp(store, log), wholeNumber(process.env, 'PORT', 3002))
  return {
    url: listener.url,
    stop: async () => {
      await reader.stop()
      await listener.close()
      await store.close()
    },
  }
})
