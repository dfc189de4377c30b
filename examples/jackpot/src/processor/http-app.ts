import type { Logger } from 'headpond-examples-shared'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { parseWin, type ReportedWin, type Win } from '../win.ts'

const BODY_BYTES_MAX = 4 * 1024

/** `POST /wins` with player, game and amountCents: 201 once the win is in the log. */
export function processorApp(publish: (win: ReportedWin) => Promise<Win>, log: Logger): Hono {
  const app = new Hono()
  app.post('/wins', bodyLimit({ maxSize: BODY_BYTES_MAX, onError: (c) => c.json({ error: 'too large' }, 413) }))
  app.post('/wins', async (c) => {
    if (!/^application\/json\b/i.test(c.req.header('content-type') ?? '')) {
      return c.json({ error: 'the body must be application/json' }, 415)
    }
    const body = await c.req.json().catch(() => undefined)
    if (body === undefined) return c.json({ error: 'the body is not JSON' }, 400)
    const parsed = parseWin(body)
    if ('faults' in parsed) return c.json({ error: 'not a win', faults: parsed.faults }, 422)
    return c.json(await publish(parsed.win), 201)
  })
  app.notFound((c) => c.json({ error: 'not found' }, 404))
  app.onError((error, c) => {
    log.error({ err: error }, 'win not published')
    return c.json({ error: 'the win may or may not be published' }, 503)
  })
  return app
}
