/** jackpot-processor: gives wins their id and time, and publishes them. Makes some up by itself, for the demonstration. */
import { randomUUID } from 'node:crypto'
import { brokerList, ensureTopic, listenHttp, Publisher, runService, wholeNumber } from 'headpond-examples-shared'
import { WINS_TOPIC } from '../topic.ts'
import { encodeWin, type ReportedWin, type Win } from '../win.ts'
import { nextWin } from './casino.ts'
import { processorApp } from './http-app.ts'

const NAME = 'jackpot-processor'

await runService(NAME, async (log) => {
  const brokers = brokerList(process.env)
  await ensureTopic(NAME, brokers, WINS_TOPIC)
  const publisher = await Publisher.connect(NAME, brokers)

  async function publish(reported: ReportedWin): Promise<Win> {
    const win: Win = { id: randomUUID(), ...reported, wonAtMs: Date.now() }
    await publisher.publish({ topic: WINS_TOPIC.name, key: win.player, value: encodeWin(win) })
    log.debug({ win }, 'published')
    return win
  }

  const listener = await listenHttp(processorApp(publish, log), wholeNumber(process.env, 'PORT', 3001))
  const perMinute = wholeNumber(process.env, 'WINS_PER_MINUTE', 0)
  const making =
    perMinute === 0
      ? undefined
      : setInterval(() => {
          publish(nextWin()).catch((error) => log.error({ err: error }, 'win not published'))
        }, 60_000 / perMinute)
  return {
    url: listener.url,
    stop: async () => {
      clearInterval(making)
      await listener.close()
      await publisher.close()
    },
  }
})
