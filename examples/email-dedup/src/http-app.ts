import { randomUUID } from 'node:crypto'
import type { Logger, Publisher } from 'headpond-examples-shared'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { Admission, DedupWindow } from './dedup-window.ts'
import type { DeliveryClaims } from './delivery-claims.ts'
import { fingerprintOf, parseEmail } from './email.ts'
import { enqueue } from './queue.ts'

const BODY_BYTES_MAX = 64 * 1024
const RETRY_AFTER = { 'Retry-After': '1' }

export interface HttpParts {
  readonly window: DedupWindow
  readonly claims: DeliveryClaims
  readonly publisher: Pick<Publisher, 'publish'>
  readonly log: Logger
}

/**
 *     POST /emails      202 queued, 200 duplicate, 409 the same one is being enqueued, 503 could not be enqueued
 *     GET  /emails/ID   what has become of it
 */
export function httpApp({ window, claims, publisher, log }: HttpParts): Hono {
  const app = new Hono()

  app.post('/emails', bodyLimit({ maxSize: BODY_BYTES_MAX, onError: (c) => c.json({ error: 'too large' }, 413) }))
  app.post('/emails', async (c) => {
    if (!/^application\/json\b/i.test(c.req.header('content-type') ?? '')) {
      return c.json({ error: 'the body must be application/json' }, 415)
    }
    const body = await c.req.json().catch(() => undefined)
    if (body === undefined) return c.json({ error: 'the body is not JSON' }, 400)
    const parsed = parseEmail(body)
    if ('faults' in parsed) return c.json({ error: 'not an email', faults: parsed.faults }, 422)

    const fingerprint = fingerprintOf(parsed.email)
    const { outcome, id } = await enter(window, fingerprint)
    if (outcome === 'duplicate') return c.json({ id, status: 'duplicate' }, 200)
    if (outcome === 'pending') return c.json({ id, status: 'pending' }, 409, RETRY_AFTER)
    try {
      await enqueue(publisher, { id, ...parsed.email })
    } catch (error) {
      log.error({ err: error, id }, 'not enqueued')
      await window.release(fingerprint, id)
      return c.json({ id, error: 'the email could not be enqueued' }, 503, RETRY_AFTER)
    }
    // It is in the queue, whatever happens to this: at worst the others are asked to come again for the rest of the minute.
    await window.confirm(fingerprint, id).catch((error) => log.warn({ err: error, id }, 'window not confirmed'))
    log.info({ id, to: parsed.email.to }, 'queued')
    return c.json({ id, status: 'queued' }, 202)
  })

  app.get('/emails/:id', async (c) => {
    const id = c.req.param('id')
    return c.json({ id, status: await claims.statusOf(id) })
  })

  app.notFound((c) => c.json({ error: 'not found' }, 404))
  app.onError((error, c) => {
    log.error({ err: error }, 'request failed')
    return c.json({ error: 'try again' }, 503, RETRY_AFTER)
  })
  return app
}

/** When Redis does not answer in time, the window may have been entered all the same: then it is for the next one. */
async function enter(window: DedupWindow, fingerprint: string): Promise<Admission> {
  const id = randomUUID()
  try {
    return await window.enter(fingerprint, id)
  } catch (error) {
    await window.release(fingerprint, id).catch(() => {})
    throw error
  }
}
