/**
 * SCRAM (RFC 5802) with SHA-256 and SHA-512: a client proves that it knows a password without telling it, and the server
 * that it knows the verifier. What a server keeps (salt, iterations, two keys) does not let anybody in.
 *
 * Passwords are taken as they are, in UTF-8: clients of Kafka do not prepare them (RFC 4013), so neither does this.
 */

import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import {
  type ClientFirst,
  parseClientFinal,
  parseClientFirst,
  parseServerFinal,
  parseServerFirst,
  ScramMessageError,
  saslNameOf,
} from './scram-messages.ts'

export const SCRAM_MECHANISMS = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const
export type ScramMechanism = (typeof SCRAM_MECHANISMS)[number]

/** Fewer make guessing too cheap, whoever chose them. */
export const ITERATIONS_MIN = 4096
/** More would let whoever sets a credential keep its clients busy. */
export const ITERATIONS_MAX = 16_384
/** Of what is derived here from a password: as Kafka's tools have it. */
export const ITERATIONS_USUAL = 4096
const SALT_BYTES = 20
const NONCE_BYTES = 24

const ALGORITHMS = { 'SCRAM-SHA-256': 'sha256', 'SCRAM-SHA-512': 'sha512' } as const
const DIGEST_BYTES = { 'SCRAM-SHA-256': 32, 'SCRAM-SHA-512': 64 } as const

/** What one password leaves behind. */
export interface ScramKeys {
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

/** What a server knows of a user. */
export interface ScramVerifier {
  readonly salt: Buffer
  readonly iterations: number
  /** One for each password that is right: all with the same salt, since the client is told one. */
  readonly keys: readonly ScramKeys[]
}

export function isScramMechanism(name: string): name is ScramMechanism {
  return (SCRAM_MECHANISMS as readonly string[]).includes(name)
}

export function newSalt(): Buffer {
  return randomBytes(SALT_BYTES)
}

const deriveKey = promisify(pbkdf2)

/** The expensive step, which runs beside the main thread. */
export function saltPassword(
  mechanism: ScramMechanism,
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
): Promise<Buffer> {
  return deriveKey(password, salt, iterations, DIGEST_BYTES[mechanism], ALGORITHMS[mechanism])
}

export function keysOf(mechanism: ScramMechanism, saltedPassword: Uint8Array): ScramKeys {
  return {
    storedKey: hash(mechanism, hmac(mechanism, saltedPassword, 'Client Key')),
    serverKey: hmac(mechanism, saltedPassword, 'Server Key'),
  }
}

/** What proves nothing. The text is for the log, never for the client. */
export class ScramFailure extends Error {
  override readonly name = 'ScramFailure'
}

/** A new nonce: printable, without a comma. */
function newNonce(): string {
  return randomBytes(NONCE_BYTES).toString('base64url')
}

/** The side of a server: first message in, answer out, last message in, answer out. */
export class ScramServer {
  readonly mechanism: ScramMechanism
  readonly #serverNonce: string
  #first: ClientFirst | null = null
  #verifier: ScramVerifier | null = null
  #serverFirst = ''

  constructor(mechanism: ScramMechanism, serverNonce = newNonce()) {
    this.mechanism = mechanism
    this.#serverNonce = serverNonce
  }

  /** Who wants to come in. Throws ScramFailure. */
  receiveFirst(bytes: Uint8Array): string {
    this.#first = asFailure(() => parseClientFirst(bytes))
    return this.#first.user
  }

  /** What the client gives as its name is that of a delegation token. */
  get isForToken(): boolean {
    return this.#first!.extensions.get('tokenauth')?.toLowerCase() === 'true'
  }

  /** The client wants to be somebody else than who it proves to be. */
  get asksForAnother(): boolean {
    const { authorizationId, user } = this.#first!
    return authorizationId !== '' && authorizationId !== user
  }

  /** The answer to the first message. */
  challenge(verifier: ScramVerifier): Buffer {
    this.#verifier = verifier
    const salt = verifier.salt.toString('base64')
    this.#serverFirst = `r=${this.#nonce},s=${salt},i=${verifier.iterations}`
    return Buffer.from(this.#serverFirst)
  }

  get #nonce(): string {
    return this.#first!.nonce + this.#serverNonce
  }

  /** Looks at the proof, and gives the answer to it. Throws ScramFailure. */
  receiveFinal(bytes: Uint8Array): Buffer {
    const { mechanism } = this
    const first = this.#first!
    const final = asFailure(() => parseClientFinal(bytes))
    // librdkafka before 2.8 writes its own nonce twice, and what it signs is what it writes.
    if (final.nonce !== this.#nonce && final.nonce !== first.nonce + this.#nonce) {
      throw new ScramFailure('another nonce than was agreed')
    }
    if (final.channelBinding !== first.header) throw new ScramFailure('another header than at first')
    if (final.proof.length !== DIGEST_BYTES[mechanism]) throw new ScramFailure('a proof of another length')
    const signed = `${first.bare},${this.#serverFirst},${final.bare}`
    let right: ScramKeys | null = null
    for (const keys of this.#verifier!.keys) {
      const clientKey = xor(final.proof, hmac(mechanism, keys.storedKey, signed))
      if (timingSafeEqual(hash(mechanism, clientKey), keys.storedKey)) right = keys
    }
    if (right === null) throw new ScramFailure('a wrong password')
    return Buffer.from(`v=${hmac(mechanism, right.serverKey, signed).toString('base64')}`)
  }
}

/** Behind a client's name: the name is that of a delegation token (an extension of Kafka's). */
const FOR_TOKEN = ',tokenauth=true'

/** The side of a client. */
export class ScramClient {
  readonly #mechanism: ScramMechanism
  readonly #user: string
  readonly #password: string
  readonly #nonce: string
  readonly #extensions: string
  #signature: Buffer = Buffer.alloc(0)

  /** @param isForToken user and password are the name and the secret of a delegation token */
  constructor(mechanism: ScramMechanism, user: string, password: string, isForToken = false, nonce = newNonce()) {
    this.#mechanism = mechanism
    this.#user = user
    this.#password = password
    this.#nonce = nonce
    this.#extensions = isForToken ? FOR_TOKEN : ''
  }

  first(): Buffer {
    return Buffer.from(`n,,${this.#firstBare}`)
  }

  get #firstBare(): string {
    return `n=${saslNameOf(this.#user)},r=${this.#nonce}${this.#extensions}`
  }

  /** The last message, which proves the password. Rejects with ScramFailure when the server's is none to answer. */
  async final(bytes: Uint8Array): Promise<Buffer> {
    const mechanism = this.#mechanism
    const { nonce, salt, iterations, text } = asFailure(() => parseServerFirst(bytes))
    if (!nonce.startsWith(this.#nonce) || nonce === this.#nonce) throw new ScramFailure('the nonce is not ours')
    if (iterations < ITERATIONS_MIN) throw new ScramFailure(`${iterations} iterations are too few`)
    const salted = await saltPassword(mechanism, Buffer.from(this.#password), salt, iterations)
    const bare = `c=biws,r=${nonce}`
    const signed = `${this.#firstBare},${text},${bare}`
    const { storedKey, serverKey } = keysOf(mechanism, salted)
    const proof = xor(hmac(mechanism, salted, 'Client Key'), hmac(mechanism, storedKey, signed))
    this.#signature = hmac(mechanism, serverKey, signed)
    return Buffer.from(`${bare},p=${proof.toString('base64')}`)
  }

  /** Throws ScramFailure unless the server has proved that it knows the password too. */
  verify(bytes: Uint8Array): void {
    const final = asFailure(() => parseServerFinal(bytes))
    if ('error' in final) throw new ScramFailure(final.error)
    const { signature } = final
    if (signature.length !== this.#signature.length || !timingSafeEqual(signature, this.#signature)) {
      throw new ScramFailure('the server does not know the password')
    }
  }
}

function asFailure<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (error instanceof ScramMessageError) throw new ScramFailure(error.message)
    throw error
  }
}

function hash(mechanism: ScramMechanism, bytes: Uint8Array): Buffer {
  return createHash(ALGORITHMS[mechanism]).update(bytes).digest()
}

function hmac(mechanism: ScramMechanism, key: Uint8Array, text: string): Buffer {
  return createHmac(ALGORITHMS[mechanism], key).update(text).digest()
}

function xor(a: Uint8Array, b: Uint8Array): Buffer {
  const result = Buffer.from(a)
  for (let at = 0; at < result.length; at++) result[at] ^= b[at]
  return result
}
