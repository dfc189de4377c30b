import type { Session } from './session.ts'
import { hasData, INCOMPLETE, type TextContext } from './text-command.ts'

/**
 * Who a client of the text protocol is: its first command is `set <any key> 0 0 <bytes>`, its data `<user> <password>`.
 */
const CREDENTIALS_BYTES_MAX = 4096

export function authenticateText(session: Session, context: TextContext, end: number): number {
  const { line, reply, engine } = context
  const size = line.count >= 5 && line.is(0, 'set') ? line.uint32(4) : Number.NaN
  if (!(size <= CREDENTIALS_BYTES_MAX)) {
    reply.text('CLIENT_ERROR unauthenticated')
    return line.next
  }
  if (!hasData(context, size, end)) return INCOMPLETE
  const next = line.next + size + 2
  const data = Buffer.from(line.chunk.subarray(line.next, next)).toString('latin1')
  if (!data.endsWith('\r\n')) {
    reply.text('CLIENT_ERROR bad command line termination')
    return next
  }
  const [user, password] = data
    .slice(0, -2)
    .split(' ')
    .filter((word) => word !== '')
  if (user === undefined || password === undefined) {
    reply.text('CLIENT_ERROR bad authentication token format')
  } else if (engine.authenticate(utf8(user), utf8(password))) {
    session.isAuthenticated = true
    session.user = utf8(user)
    reply.text('STORED')
  } else {
    reply.text('CLIENT_ERROR authentication failure')
  }
  return next
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8')
}

/** The users of memcached's own file: a line for each, `name:password`. Throws when a line is none. */
export function parseUsers(text: string): ReadonlyMap<string, string> {
  const users = new Map<string, string>()
  for (const [index, line] of text.split('\n').entries()) {
    const content = line.replace(/\r$/, '')
    if (content === '') continue
    const colon = content.indexOf(':')
    if (colon < 1) throw new Error(`line ${index + 1} is not "user:password"`)
    users.set(content.slice(0, colon), content.slice(colon + 1))
  }
  return users
}
