/**
 * The messages of SCRAM (RFC 5802), as text: what a client and a server say to each other in two rounds.
 *
 *   client-first   n,,n=alice,r=<client nonce>
 *   server-first   r=<client nonce><server nonce>,s=<salt>,i=<iterations>
 *   client-final   c=biws,r=<both nonces>,p=<proof>
 *   server-final   v=<server signature>          e=<error>
 *
 * What is signed is the text itself, so that messages keep the pieces of it that count.
 */

/** A message that is none, or that asks for what is not offered. */
export class ScramMessageError extends Error {
  override readonly name = 'ScramMessageError'
}

const SASL_NAME = '(?:[^\\0,=]|=2C|=3D)+'
const VALUE = '[^\\0,]+'
const PRINTABLE = '[\\x21-\\x2b\\x2d-\\x7e]+'
const BASE64 = '(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)?'
const EXTENSIONS = `(?:,[A-Za-z]+=${VALUE})*`

const CLIENT_FIRST = new RegExp(
  `^(?<header>[ny],(?:a=(?<authorizationId>${SASL_NAME}))?,)` +
    `(?<bare>n=(?<user>${SASL_NAME}),r=(?<nonce>${PRINTABLE})(?<extensions>${EXTENSIONS}))$`,
  'u',
)
const SERVER_FIRST = new RegExp(
  `^r=(?<nonce>${PRINTABLE}),s=(?<salt>${BASE64}),i=(?<iterations>[1-9]\\d{0,9})${EXTENSIONS}$`,
  'u',
)
const CLIENT_FINAL = new RegExp(
  `^(?<bare>c=(?<channel>${BASE64}),r=(?<nonce>${PRINTABLE})${EXTENSIONS}),p=(?<proof>${BASE64})$`,
  'u',
)
const SERVER_FINAL = new RegExp(`^(?:e=(?<error>${VALUE})|v=(?<signature>${BASE64}))${EXTENSIONS}$`, 'u')

/** Longer than any client writes; what is longer need not be looked at. */
const MESSAGE_BYTES_MAX = 65_536

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function groupsOf(what: string, pattern: RegExp, bytes: Uint8Array): Record<string, string | undefined> {
  if (bytes.length > MESSAGE_BYTES_MAX) throw new ScramMessageError(`${what} of ${bytes.length} bytes`)
  let text: string
  try {
    text = decoder.decode(bytes)
  } catch {
    throw new ScramMessageError(`${what} that is no UTF-8`)
  }
  const groups = pattern.exec(text)?.groups
  if (groups === undefined) throw new ScramMessageError(`what is no ${what}`)
  return groups
}

export interface ClientFirst {
  /** The part before the message proper, which the last message of the client repeats. */
  readonly header: string
  readonly bare: string
  readonly user: string
  /** Who the client wants to be; empty: the user. */
  readonly authorizationId: string
  readonly nonce: string
  /** By their letters: `tokenauth` -> `true`. */
  readonly extensions: ReadonlyMap<string, string>
}

/** Throws ScramMessageError: also for channel binding, and for extensions that must be understood (`m=`). */
export function parseClientFirst(bytes: Uint8Array): ClientFirst {
  const groups = groupsOf('first message of a client', CLIENT_FIRST, bytes)
  const pairs = groups['extensions']!.split(',').slice(1)
  return {
    header: groups['header']!,
    bare: groups['bare']!,
    user: nameOf(groups['user']!),
    authorizationId: nameOf(groups['authorizationId'] ?? ''),
    nonce: groups['nonce']!,
    extensions: new Map(
      pairs.map((pair) => {
        const equals = pair.indexOf('=')
        return [pair.slice(0, equals), pair.slice(equals + 1)]
      }),
    ),
  }
}

export interface ServerFirst {
  readonly text: string
  readonly nonce: string
  readonly salt: Buffer
  readonly iterations: number
}

/** Throws ScramMessageError. */
export function parseServerFirst(bytes: Uint8Array): ServerFirst {
  const groups = groupsOf('first message of a server', SERVER_FIRST, bytes)
  return {
    text: decoder.decode(bytes),
    nonce: groups['nonce']!,
    salt: Buffer.from(groups['salt']!, 'base64'),
    iterations: Number(groups['iterations']),
  }
}

export interface ClientFinal {
  /** The message without the proof. */
  readonly bare: string
  /** What the first message had as its header. */
  readonly channelBinding: string
  readonly nonce: string
  readonly proof: Buffer
}

/** Throws ScramMessageError. */
export function parseClientFinal(bytes: Uint8Array): ClientFinal {
  const groups = groupsOf('last message of a client', CLIENT_FINAL, bytes)
  return {
    bare: groups['bare']!,
    channelBinding: Buffer.from(groups['channel']!, 'base64').toString(),
    nonce: groups['nonce']!,
    proof: Buffer.from(groups['proof']!, 'base64'),
  }
}

export type ServerFinal = { readonly signature: Buffer } | { readonly error: string }

/** Throws ScramMessageError. */
export function parseServerFinal(bytes: Uint8Array): ServerFinal {
  const { error, signature } = groupsOf('last message of a server', SERVER_FINAL, bytes)
  return error === undefined ? { signature: Buffer.from(signature!, 'base64') } : { error }
}

/** A name as it stands in a message: the two characters that mean something there are escaped. */
export function saslNameOf(name: string): string {
  return name.replaceAll('=', '=3D').replaceAll(',', '=2C')
}

function nameOf(saslName: string): string {
  return saslName.replaceAll('=2C', ',').replaceAll('=3D', '=')
}
