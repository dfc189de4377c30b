/**
 * What SCRAM checks users with. A credential is either set by an administrator, who gave salt and keys and no password, or
 * derived from a password that a user of the directory was given in clear: for all its passwords with one salt, since a
 * client is told one, and good for as long as the directory has the password. What was set counts before what was derived.
 *
 * A user that is disabled has no credential. One that the directory does not know may have one that was set: it is a
 * user of this mechanism alone.
 *
 * All of it lies in one small file, which only its owner may read; each change writes it anew. Names are those of people:
 * the directory's have a character for each byte.
 */

import { mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { diskFiles } from '../config/files.ts'
import { byteText } from './configured-users.ts'
import { hashOf } from './credentials.ts'
import {
  ITERATIONS_USUAL,
  keysOf,
  newSalt,
  SCRAM_MECHANISMS,
  type ScramKeys,
  type ScramMechanism,
  type ScramVerifier,
  saltPassword,
} from './scram.ts'
import type { GivenPassword, UserDirectory } from './user-directory.ts'

const FORMAT_VERSION = 1
const OWNER_ALONE = 0o600

/** As an administrator sets it. */
export interface ScramCredential extends ScramKeys {
  readonly salt: Buffer
  readonly iterations: number
}

export interface ScramChange {
  readonly name: string
  readonly mechanism: ScramMechanism
  /** Null: there is to be none. */
  readonly credential: ScramCredential | null
}

export interface ScramCredentialsParts {
  /** Null: nothing is kept on disk. */
  readonly path: string | null
  readonly users: UserDirectory
  /** Whether anybody may log in by SCRAM: without that nothing is derived. */
  readonly isWanted: () => boolean
  readonly warn: (message: string) => void
}

interface Derived {
  readonly salt: Buffer
  readonly iterations: number
  /** By the hash that the directory has of the password. */
  readonly keys: Map<string, ScramKeys>
}

type ByMechanism<T> = Map<ScramMechanism, T>

export class ScramCredentials {
  readonly #parts: ScramCredentialsParts
  readonly #set = new Map<string, ByMechanism<ScramCredential>>()
  readonly #derived = new Map<string, ByMechanism<Derived>>()
  /** Being derived, by the name of the user. */
  readonly #underWay = new Map<string, Promise<void>>()

  constructor(parts: ScramCredentialsParts) {
    this.#parts = parts
  }

  /** Reads the file, and begins to derive. Throws when there is a file that cannot be read. */
  start(): void {
    this.#load()
    this.#parts.users.claimPasswords((given) => this.#derive(given))
  }

  /** What a client that calls itself so is to be checked with; null when nothing could let it in. */
  async verifierOf(name: string, mechanism: ScramMechanism): Promise<ScramVerifier | null> {
    await this.#underWay.get(name)
    const user = this.#parts.users.get(byteText(name))
    if (user?.isEnabled === false) return null
    const set = this.#set.get(name)?.get(mechanism)
    if (set !== undefined) return { salt: set.salt, iterations: set.iterations, keys: [set] }
    const derived = this.#derived.get(name)?.get(mechanism)
    if (derived === undefined || user === undefined) return null
    const keys = user.credentials.hashes.flatMap((hash) => derived.keys.get(hash) ?? [])
    return keys.length === 0 ? null : { salt: derived.salt, iterations: derived.iterations, keys }
  }

  /** Those who have a credential. */
  names(): string[] {
    const names = new Set([...this.#set.keys(), ...this.#derived.keys()])
    return [...names].filter((name) => this.describe(name).length > 0)
  }

  describe(name: string): { mechanism: ScramMechanism; iterations: number }[] {
    return SCRAM_MECHANISMS.flatMap((mechanism) => {
      const iterations = this.#iterationsOf(name, mechanism)
      return iterations === undefined ? [] : [{ mechanism, iterations }]
    })
  }

  has(name: string, mechanism: ScramMechanism): boolean {
    return this.#iterationsOf(name, mechanism) !== undefined
  }

  #iterationsOf(name: string, mechanism: ScramMechanism): number | undefined {
    const set = this.#set.get(name)?.get(mechanism)
    if (set !== undefined) return set.iterations
    const derived = this.#derived.get(name)?.get(mechanism)
    const hashes = this.#parts.users.get(byteText(name))?.credentials.hashes ?? []
    return derived !== undefined && hashes.some((hash) => derived.keys.has(hash)) ? derived.iterations : undefined
  }

  /** Makes all of these changes; they are on disk when it returns. Throws as the file system does, and then makes none. */
  change(changes: readonly ScramChange[]): void {
    const before = changes.map(({ name, mechanism }) => ({
      name,
      mechanism,
      set: this.#set.get(name)?.get(mechanism),
      derived: this.#derived.get(name)?.get(mechanism),
    }))
    for (const { name, mechanism, credential } of changes) {
      put(this.#set, name, mechanism, credential ?? undefined)
      // Whoever takes away a credential wants nobody to come in by it, until somebody gives a password again.
      if (credential === null) put(this.#derived, name, mechanism, undefined)
    }
    try {
      this.#save()
    } catch (error) {
      for (const { name, mechanism, set, derived } of before) {
        put(this.#set, name, mechanism, set)
        put(this.#derived, name, mechanism, derived)
      }
      throw error
    }
  }

  /** The directory has deleted this user: nothing of it is left here. */
  userDeleted(name: string): void {
    const hadSome = this.#set.delete(name)
    if (this.#derived.delete(name) || hadSome) this.#saveOrWarn()
  }

  /** Resolves when nothing is being derived. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay.values())
  }

  // ---- From passwords ----

  #derive({ name: byteName, password }: GivenPassword): void {
    if (!this.#parts.isWanted() || password.length === 0) return
    const name = Buffer.from(byteName, 'latin1').toString()
    const hash = hashOf(password).toString('hex')
    const previous = this.#underWay.get(name)
    const deriving = (async () => {
      await previous
      let isNew = false
      for (const mechanism of SCRAM_MECHANISMS) {
        const known = this.#derived.get(name)?.get(mechanism)
        if (known?.keys.has(hash)) continue
        const { salt, iterations, keys } = known ?? { salt: newSalt(), iterations: ITERATIONS_USUAL, keys: new Map() }
        const salted = await saltPassword(mechanism, password, salt, iterations)
        // The rule that had this password may have come to nothing, or another may have followed it.
        const hashes = this.#parts.users.get(byteName)?.credentials.hashes ?? []
        if (!hashes.includes(hash)) break
        const kept = [...keys].filter(([each]) => hashes.includes(each))
        const next = new Map([...kept, [hash, keysOf(mechanism, salted)] as const])
        put(this.#derived, name, mechanism, { salt, iterations, keys: next })
        isNew = true
      }
      if (isNew) this.#saveOrWarn()
    })().finally(() => {
      if (this.#underWay.get(name) === deriving) this.#underWay.delete(name)
    })
    this.#underWay.set(name, deriving)
    deriving.catch((error) => this.#parts.warn(`a password cannot be made ready for SCRAM: ${error.message}`))
  }

  // ---- On disk ----

  #load(): void {
    const { path } = this.#parts
    if (path === null) return
    let text: string
    try {
      text = readFileSync(path, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      throw error
    }
    const stored = JSON.parse(text) as Stored
    if (stored.version !== FORMAT_VERSION)
      throw new Error(`${path} has format ${stored.version}, not ${FORMAT_VERSION}`)
    for (const { name, mechanism, salt, iterations, passwords, ...keys } of stored.credentials) {
      const base = { salt: Buffer.from(salt, 'base64'), iterations }
      if (passwords === undefined) {
        put(this.#set, name, mechanism, { ...base, ...readKeys(keys as StoredKeys) })
      } else {
        const byHash = Object.entries(passwords).map(([hash, each]) => [hash, readKeys(each)] as const)
        put(this.#derived, name, mechanism, { ...base, keys: new Map(byHash) })
      }
    }
  }

  #saveOrWarn(): void {
    try {
      this.#save()
    } catch (error) {
      this.#parts.warn(`credentials of SCRAM cannot be written: ${(error as Error).message}`)
    }
  }

  #save(): void {
    const { path } = this.#parts
    if (path === null) return
    const credentials: StoredCredential[] = [
      ...rows(this.#set, ({ salt, iterations, ...keys }) => ({ salt, iterations, ...writeKeys(keys) })),
      ...rows(this.#derived, ({ salt, iterations, keys }) => ({
        salt,
        iterations,
        passwords: Object.fromEntries([...keys].map(([hash, each]) => [hash, writeKeys(each)])),
      })),
    ]
    const stored: Stored = { version: FORMAT_VERSION, credentials }
    mkdirSync(dirname(path), { recursive: true })
    diskFiles.replace(path, Buffer.from(`${JSON.stringify(stored, null, 2)}\n`), OWNER_ALONE)
  }
}

interface StoredKeys {
  readonly storedKey: string
  readonly serverKey: string
}

interface StoredCredential extends Partial<StoredKeys> {
  readonly name: string
  readonly mechanism: ScramMechanism
  /** Base64, as all bytes here. */
  readonly salt: string
  readonly iterations: number
  /** Of a credential that was derived: by the SHA-256 of the password, in hexadecimal. */
  readonly passwords?: Readonly<Record<string, StoredKeys>>
}

interface Stored {
  readonly version: number
  readonly credentials: readonly StoredCredential[]
}

function readKeys({ storedKey, serverKey }: StoredKeys): ScramKeys {
  return { storedKey: Buffer.from(storedKey, 'base64'), serverKey: Buffer.from(serverKey, 'base64') }
}

function writeKeys({ storedKey, serverKey }: ScramKeys): StoredKeys {
  return { storedKey: storedKey.toString('base64'), serverKey: serverKey.toString('base64') }
}

function rows<T>(
  byName: ReadonlyMap<string, ByMechanism<T>>,
  write: (value: T) => Omit<StoredCredential, 'name' | 'mechanism' | 'salt'> & { readonly salt: Buffer },
): StoredCredential[] {
  return [...byName].flatMap(([name, byMechanism]) =>
    [...byMechanism].map(([mechanism, value]) => {
      const { salt, ...rest } = write(value)
      return { name, mechanism, salt: salt.toString('base64'), ...rest }
    }),
  )
}

function put<T>(
  byName: Map<string, ByMechanism<T>>,
  name: string,
  mechanism: ScramMechanism,
  value: T | undefined,
): void {
  const byMechanism = byName.get(name) ?? new Map<ScramMechanism, T>()
  if (value === undefined) byMechanism.delete(mechanism)
  else byMechanism.set(mechanism, value)
  if (byMechanism.size === 0) byName.delete(name)
  else byName.set(name, byMechanism)
}
