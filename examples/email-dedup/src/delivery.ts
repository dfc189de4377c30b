import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from 'headpond-examples-shared'
import type { DeliveryClaims, FinalStatus } from './delivery-claims.ts'
import type { EmailEvent } from './email.ts'
import { type MailServer, RefusedError } from './smtp.ts'

const RETRY_MS_MIN = 200
const RETRY_MS_MAX = 10_000
/** How long a claim of somebody else is left alone before it is looked at again. */
const LOOK_AGAIN_MS_MAX = 500

export interface DeliveryParts {
  readonly claims: DeliveryClaims
  readonly mailServer: MailServer
  readonly log: Logger
}

/**
 * Sends an email, unless it was sent: claim, send, mark as sent. However often it is called, in however many processes, there is
 * one attempt at a time, and none after one that is known to have succeeded.
 *
 * What remains: the mail server has taken the email, and we die before it is marked. Nobody can tell this from dying just before,
 * so it is sent again when the lease ends, under the same Message-ID.
 *
 * Resolves when nothing is left to do; rejects when Redis cannot be reached, or when the signal says so.
 */
export async function deliver(event: EmailEvent, parts: DeliveryParts, signal: AbortSignal): Promise<FinalStatus> {
  const { claims, mailServer, log } = parts
  const { id, to } = event
  for (let retryMs = RETRY_MS_MIN; ; ) {
    signal.throwIfAborted()
    const claim = await claims.take(id)
    if (claim.outcome === 'done') {
      log.info({ id, status: claim.status }, 'delivered again, nothing to do')
      return claim.status
    }
    if (claim.outcome === 'taken') {
      await pause(Math.min(claim.leftMs + 1, LOOK_AGAIN_MS_MAX), undefined, { signal })
      continue
    }
    try {
      await mailServer.send(event)
    } catch (error) {
      if (error instanceof RefusedError) {
        log.error({ id, to, reason: error.message }, 'refused')
        await claims.finish(id, 'refused')
        return 'refused'
      }
      log.warn({ id, err: error, retryMs }, 'not sent; trying again')
      await claims.giveBack(id, claim.token)
      await pause(retryMs, undefined, { signal })
      retryMs = Math.min(retryMs * 2, RETRY_MS_MAX)
      continue
    }
    await claims.finish(id, 'sent')
    log.info({ id, to }, 'sent')
    return 'sent'
  }
}
