import { createHash, timingSafeEqual } from 'node:crypto'
import type { RuleError } from './rule-error.ts'

/**
 * The ways in which a user can prove who it is. Passwords are kept as SHA-256 hashes in hexadecimal, as in Redis, whose
 * files carry them; a password itself is never kept. What SCRAM derives from a password is a matter of `ScramCredentials`,
 * which asks here whether the password still counts.
 */
export class Credentials {
  /** In the order in which they were given. */
  #hashes: string[] = []
  /** Any password is right: `nopass`. */
  acceptsAny = false

  get hashes(): readonly string[] {
    return this.#hashes
  }

  copy(): Credentials {
    const copy = new Credentials()
    copy.#hashes = [...this.#hashes]
    copy.acceptsAny = this.acceptsAny
    return copy
  }

  /** No password is right until one is added. */
  reset(): void {
    this.#hashes = []
    this.acceptsAny = false
  }

  acceptAny(): void {
    this.#hashes = []
    this.acceptsAny = true
  }

  addPassword(password: Uint8Array): void {
    this.#add(hashOf(password).toString('hex'))
  }

  addHash(hash: string): RuleError | null {
    if (!isHash(hash)) return 'BAD_HASH'
    this.#add(hash)
    return null
  }

  removePassword(password: Uint8Array): RuleError | null {
    return this.removeHash(hashOf(password).toString('hex'))
  }

  removeHash(hash: string): RuleError | null {
    if (!isHash(hash)) return 'BAD_HASH'
    const at = this.#hashes.indexOf(hash)
    if (at < 0) return 'NO_SUCH_PASSWORD'
    this.#hashes.splice(at, 1)
    return null
  }

  /** Takes the same time for every wrong guess. */
  accepts(password: Uint8Array): boolean {
    if (this.acceptsAny) return true
    const given = hashOf(password)
    let isRight = false
    for (const hash of this.#hashes) isRight = timingSafeEqual(given, Buffer.from(hash, 'hex')) || isRight
    return isRight
  }

  #add(hash: string): void {
    if (!this.#hashes.includes(hash)) this.#hashes.push(hash)
    this.acceptsAny = false
  }
}

/** SHA-256, as it is kept of a password. */
export function hashOf(password: Uint8Array): Buffer {
  return createHash('sha256').update(password).digest()
}

function isHash(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text)
}
