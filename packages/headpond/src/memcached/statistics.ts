/** What `stats` tells of commands. `stats reset` sets all of it back. */
export class Statistics {
  getCount = 0
  getHitCount = 0
  getExpiredCount = 0
  setCount = 0
  touchCount = 0
  touchHitCount = 0
  metaCount = 0
  flushCount = 0
  deleteHitCount = 0
  deleteMissCount = 0
  incrHitCount = 0
  incrMissCount = 0
  decrHitCount = 0
  decrMissCount = 0
  casHitCount = 0
  casMissCount = 0
  casBadCount = 0
  tooLargeCount = 0
  noMemoryCount = 0
  authCount = 0
  authErrorCount = 0
  /** Of connections that are closed, less what others had read and written at the last reset. */
  readBytes = 0
  writtenBytes = 0
  itemCount = 0

  reset(): void {
    Object.assign(this, new Statistics())
  }
}

interface PrefixCounts {
  getCount: number
  hitCount: number
  setCount: number
  deleteCount: number
}

/**
 * `stats detail`: what happened to keys, by what stands before the delimiter in them. As in memcached, meta commands and the
 * `touch` of the text protocol do not count.
 */
export class PrefixStatistics {
  isOn = false
  readonly #delimiter: string
  readonly #counts = new Map<string, PrefixCounts>()

  constructor(delimiter: string) {
    this.#delimiter = delimiter
  }

  countGet(chunk: Uint8Array, start: number, end: number, isHit: boolean): void {
    const counts = this.#countsOf(chunk, start, end)
    if (counts === undefined) return
    counts.getCount++
    if (isHit) counts.hitCount++
  }

  countSet(chunk: Uint8Array, start: number, end: number): void {
    const counts = this.#countsOf(chunk, start, end)
    if (counts !== undefined) counts.setCount++
  }

  countDelete(chunk: Uint8Array, start: number, end: number): void {
    const counts = this.#countsOf(chunk, start, end)
    if (counts !== undefined) counts.deleteCount++
  }

  clear(): void {
    this.#counts.clear()
  }

  /** A line for each prefix, in latin1. */
  lines(): string[] {
    return [...this.#counts].map(
      ([prefix, { getCount, hitCount, setCount, deleteCount }]) =>
        `PREFIX ${prefix} get ${getCount} hit ${hitCount} set ${setCount} del ${deleteCount}`,
    )
  }

  #countsOf(chunk: Uint8Array, start: number, end: number): PrefixCounts | undefined {
    if (!this.isOn) return undefined
    const key = Buffer.from(chunk.buffer, chunk.byteOffset + start, end - start).toString('latin1')
    const prefixEnd = key.indexOf(this.#delimiter)
    if (prefixEnd < 0) return undefined
    const prefix = key.slice(0, prefixEnd)
    let counts = this.#counts.get(prefix)
    if (counts === undefined) {
      counts = { getCount: 0, hitCount: 0, setCount: 0, deleteCount: 0 }
      this.#counts.set(prefix, counts)
    }
    return counts
  }
}
