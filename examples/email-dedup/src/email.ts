import { createHash } from 'node:crypto'

export interface Email {
  readonly to: string
  readonly subject: string
  readonly text: string
}

/** What stands in the topic. The id is made once for each email, and is its Message-ID in every attempt to send it. */
export interface EmailEvent extends Email {
  readonly id: string
}

const ADDRESS_CHARS_MAX = 254 // RFC 5321
const SUBJECT_CHARS_MAX = 200
const TEXT_CHARS_MAX = 20_000

/** Deliberately narrow: one plain address, so that nothing in it can mean something else to a mail server. */
const ADDRESS = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$/
// A line break in a header would begin another header.
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f]/

/** An email, or what is wrong with it, by field. */
export function parseEmail(body: unknown): { email: Email } | { faults: Record<string, string> } {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return { faults: { body: 'must be an object with to, subject and text' } }
  }
  const { to, subject, text, ...others } = body as Record<string, unknown>
  const faults: Record<string, string> = {}
  if (typeof to !== 'string' || to.length > ADDRESS_CHARS_MAX || !ADDRESS.test(to)) {
    faults['to'] = 'must be an email address'
  }
  if (typeof subject !== 'string' || subject.trim() === '' || CONTROL_CHARACTER.test(subject)) {
    faults['subject'] = 'must be a line of text'
  } else if (subject.length > SUBJECT_CHARS_MAX) faults['subject'] = `must have ${SUBJECT_CHARS_MAX} characters at most`
  if (typeof text !== 'string' || text.trim() === '') faults['text'] = 'must be text'
  else if (text.length > TEXT_CHARS_MAX) faults['text'] = `must have ${TEXT_CHARS_MAX} characters at most`
  for (const name of Object.keys(others)) faults[name] = 'is not known'
  if (Object.keys(faults).length > 0) return { faults }
  return { email: { to, subject, text } as Email }
}

/** Two emails with the same fingerprint are the same email. The domain of an address knows no capitals. */
export function fingerprintOf({ to, subject, text }: Email): string {
  const [mailbox, domain] = to.split('@')
  const same = JSON.stringify([`${mailbox}@${domain?.toLowerCase()}`, subject.trim(), text.trim()])
  return createHash('sha256').update(same).digest('base64url')
}

export function encodeEvent(event: EmailEvent): string {
  return JSON.stringify(event)
}

/** Null for what is no such event: a queue outlives the programs that write to it. */
export function decodeEvent(value: string): EmailEvent | null {
  try {
    const { id, ...rest } = JSON.parse(value)
    const parsed = parseEmail(rest)
    return typeof id === 'string' && 'email' in parsed ? { id, ...parsed.email } : null
  } catch {
    return null
  }
}
