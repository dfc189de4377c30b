import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'

/**
 * A mail server that counts. Like mailboxes that people use, it shows an email once, however often it was taken: what has the same
 * Message-ID is the same email.
 */
export class SmtpSink {
  /** How often each Message-ID was taken. */
  readonly taken = new Map<string, number>()
  /** Called when an email is taken and before its sender hears of it. */
  beforeAnswer: (messageId: string) => Promise<void> = async () => {}
  /** What to say instead of taking an email: `{ code: 451, text: 'later' }`. */
  refusal: { readonly code: number; readonly text: string } | null = null
  refusedCount = 0
  readonly #server: SMTPServer

  constructor() {
    this.#server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS', 'AUTH'],
      logger: false,
      onData: (stream, _session, answer) => {
        const chunks: Buffer[] = []
        stream.on('data', (chunk: Buffer) => chunks.push(chunk))
        stream.on('end', () => {
          if (this.refusal !== null) {
            this.refusedCount++
            answer(Object.assign(new Error(this.refusal.text), { responseCode: this.refusal.code }))
            return
          }
          const messageId = messageIdIn(Buffer.concat(chunks).toString())
          this.taken.set(messageId, (this.taken.get(messageId) ?? 0) + 1)
          this.beforeAnswer(messageId).then(() => answer(), answer)
        })
      },
    })
    this.#server.on('error', () => {}) // a sender that dies is not our fault
  }

  /** Emails that somebody sees. */
  get deliveredCount(): number {
    return this.taken.size
  }

  /** Emails that were taken, repetitions too. */
  get takenCount(): number {
    return [...this.taken.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Resolves to its URL. */
  async listen(port = 0): Promise<string> {
    const listening = once(this.#server.server, 'listening')
    this.#server.listen(port, '127.0.0.1')
    await listening
    return `smtp://127.0.0.1:${(this.#server.server.address() as AddressInfo).port}`
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#server.close(resolve))
  }
}

function messageIdIn(text: string): string {
  const headers = text.slice(0, text.indexOf('\r\n\r\n'))
  return /^Message-ID:\s*<([^>@]*)/im.exec(headers)?.[1] ?? 'none'
}
