import { createHash } from 'node:crypto'
import type { Handle } from '../memory/heap.ts'
import type { Database } from './database.ts'
import { NEVER } from './record.ts'
import type { Store } from './store.ts'
import { typeOperations } from './types.ts'

/**
 * A digest of what databases hold, computed as Redis's DEBUG DIGEST does (debug.c): servers with equal data have equal
 * digests, whatever the order of keys and the encoding of values.
 */
const DIGEST_BYTES = 20

export class Digest {
  readonly bytes: Buffer = Buffer.alloc(DIGEST_BYTES)

  /** Adds an element whose order among others does not count. */
  add(element: Uint8Array): void {
    const hash = sha1(element)
    for (let index = 0; index < DIGEST_BYTES; index++) this.bytes[index] ^= hash[index]
  }

  /** Adds an element that comes after those before it. */
  append(element: Uint8Array): void {
    this.add(element)
    sha1(this.bytes).copy(this.bytes)
  }

  /** An empty one, for an element of parts in order: `add` its bytes afterwards. */
  nested(): Digest {
    return new Digest()
  }

  toString(): string {
    return this.bytes.toString('hex')
  }
}

function sha1(bytes: Uint8Array): Buffer {
  return createHash('sha1').update(bytes).digest()
}

/** Of every key of every database. O(all data). */
export function storeDigest(store: Store): Digest {
  const whole = new Digest()
  for (const database of store.databases) {
    if (database.count === 0) continue
    whole.append(bigEndian(database.index))
    database.dict.forEach((handle) => {
      const digest = new Digest()
      digest.append(store.records.keyCopy(handle))
      addValue(digest, database, handle)
      whole.add(digest.bytes)
    })
  }
  return whole
}

/** Of one value with its type and whether it expires. O(value size). */
export function valueDigest(database: Database, handle: Handle): Digest {
  const digest = new Digest()
  addValue(digest, database, handle)
  return digest
}

function addValue(digest: Digest, database: Database, handle: Handle): void {
  const { records, store } = database
  digest.append(bigEndian(records.type(handle)))
  typeOperations[records.type(handle)].digest(store, handle, digest)
  if (records.expireAtMs(handle) !== NEVER) digest.add(Buffer.from('!!expire!!'))
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
