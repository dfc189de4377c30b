import { createTransport } from 'nodemailer'
import { LEASE_MS } from './delivery-claims.ts'
import type { EmailEvent } from './email.ts'

/** The mail server will not take it, however often it is asked. */
export class RefusedError extends Error {}

export interface MailServer {
  /** Resolves when the server has taken the email. Rejects with RefusedError, or with another error for now. */
  send(event: EmailEvent): Promise<void>
  close(): void
}

/** Well within the lease of a claim. */
const ATTEMPT_MS_MAX = LEASE_MS - 10_000
const STEP_MS_MAX = 10_000

export function connectMailServer(url: string, from: string): MailServer {
  const transport = createTransport({
    url,
    // A connection for each email: one that has gone bad meanwhile would leave us in doubt about what it was given.
    connectionTimeout: STEP_MS_MAX,
    greetingTimeout: STEP_MS_MAX,
    socketTimeout: STEP_MS_MAX,
  })
  return {
    async send({ id, to, subject, text }) {
      const attempt = transport.sendMail({ from, to, subject, text, messageId: messageIdOf(id) })
      const tooLate = new AbortController()
      const limit = new Promise<never>((_, reject) => {
        const timer = setTimeout(() => reject(new Error(`no answer in ${ATTEMPT_MS_MAX} ms`)), ATTEMPT_MS_MAX)
        tooLate.signal.addEventListener('abort', () => clearTimeout(timer))
      })
      try {
        await Promise.race([attempt, limit])
      } catch (error) {
        const code = (error as { responseCode?: number }).responseCode ?? 0
        if (code >= 500) throw new RefusedError((error as Error).message)
        throw error
      } finally {
        tooLate.abort()
      }
    },
    close: () => transport.close(),
  }
}

/** The same in every attempt, so that a mail server can see that it has this email already. */
function messageIdOf(id: string): string {
  return `<${id}@email-dedup.example>`
}
