import type { Logger } from 'headpond-examples-shared'
import { Hono } from 'hono'
import type { WinStore } from './win-store.ts'

const COUNT_MAX = 1_000
const COUNT_BY_DEFAULT = 20

/**
 *     GET /wins?limit=20&player=Ada   the latest first
 *     GET /totals                     how many, how much
 */
export function historyApp(store: WinStore, log: Logger): Hono {
  const app = new Hono()
  app.get('/wins', async (c) => {
    const limit = c.req.query('limit') ?? String(COUNT_BY_DEFAULT)
    if (!/^\d{1,4}$/.test(limit) || Number(limit) < 1 || Number(limit) > COUNT_MAX) {
      return c.json({ error: `limit must be a whole number from 1 to ${COUNT_MAX}` }, 400)
    }
    return c.json(await store.latest(Number(limit), c.req.query('player')))
  })
  app.get('/totals', async (c) => c.json(await store.totals()))
  app.notFound((c) => c.json({ error: 'not found' }, 404))
  app.onError((error, c) => {
    log.error({ err: error }, 'request failed')
    return c.json({ error: 'try again' }, 503)
  })
  return app
}
