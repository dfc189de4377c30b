import type { Config } from '../config/config.ts'

/** What memcached's own flags decide, beyond what is a directive of the configuration. */
export interface MemcachedOptions {
  /** -B: which of the two protocols a connection may speak. */
  protocol: 'auto' | 'ascii' | 'binary'
  /** -S: only the binary protocol, and SASL before anything else. */
  sasl: boolean
  /** Users in place of the server's own (a file that -Y names): by name, their passwords. Null without such a file. */
  users: ReadonlyMap<string, string> | null
  /** -C turns it off: no numbers are shown, and all are 0. */
  hasCas: boolean
  /** -A */
  hasShutdown: boolean
  /** -F turns it off. */
  hasFlush: boolean
  /** -X turns it off. */
  hasDump: boolean
  /** -W turns it off. */
  hasWatch: boolean
  /** -D: what ends the part of a key that `stats detail` counts by. */
  prefixDelimiter: string
  /** Counts by prefix from the start. */
  hasDetail: boolean
  /** -v, -vv: how much is said of what happens. */
  verbosity: number
  /** -o no_lru_crawler turns it off: `lru_crawler` commands must be enabled first. */
  hasCrawler: boolean
  /** -o no_lru_maintainer turns it off: `stats` is without its numbers, and it cannot be tuned. */
  hasMaintainer: boolean
  /** -o no_slab_reassign turns it off: `slabs reassign` is refused. */
  hasReassign: boolean
  /** -o track_sizes */
  tracksSizes: boolean
  /** -R: requests of one connection that are answered in a row while there are others. Without it, time alone counts. */
  requestsPerTurn: number
  /** What `stats settings` shows of flags that have no effect here, under the names it has for them. */
  shown: Readonly<Record<string, string>>
}

export const DEFAULT_OPTIONS: MemcachedOptions = {
  protocol: 'auto',
  sasl: false,
  users: null,
  hasCas: true,
  hasShutdown: false,
  hasFlush: true,
  hasDump: true,
  hasWatch: true,
  prefixDelimiter: ':',
  hasDetail: false,
  verbosity: 0,
  hasCrawler: true,
  hasMaintainer: true,
  hasReassign: true,
  tracksSizes: false,
  requestsPerTurn: Number.POSITIVE_INFINITY,
  shown: {},
}

/** The version that clients are told, who decide by it what they may send. */
export const MEMCACHED_VERSION = '1.6.18'

/** Keys are at most so long, in bytes. */
export const KEY_BYTES_MAX = 250

/** What memcached counts for an item beside key, value and flags: its header, the key's NUL, and the value's CRLF. */
const ITEM_HEADER_BYTES = 48
const ITEM_FIXED_BYTES = ITEM_HEADER_BYTES + 1 + 2
const CAS_BYTES = 8
const CLIENT_FLAGS_BYTES = 4

/** The size of an item as memcached counts it: what `-I` limits. */
export function itemBytes(keyBytes: number, clientFlags: number, valueBytes: number, hasCas: boolean): number {
  const optionalBytes = (clientFlags === 0 ? 0 : CLIENT_FLAGS_BYTES) + (hasCas ? CAS_BYTES : 0)
  return ITEM_FIXED_BYTES + optionalBytes + keyBytes + valueBytes
}

export type MemcachedSettings = MemcachedOptions & {
  readonly config: Config
}
