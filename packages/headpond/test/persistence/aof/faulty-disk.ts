import { type LogFile, openLogFile } from '#src/persistence/aof/log-file.ts'

const SLOW_SYNC_MS = 50

/** Files on a disk that a test can fill up, break, and make slow. */
export class FaultyDisk {
  /** Bytes that still fit. */
  freeBytes = Number.POSITIVE_INFINITY
  writeError: string | null = null
  syncError: string | null = null
  truncateError: string | null = null
  /**
   * Syncs wait until `finishSync`; those that the server waits for take so long that it does not wait for the next one.
   */
  isSlow = false
  writeCount = 0
  syncCount = 0
  #waiting: (() => void)[] = []

  readonly open = (path: string): LogFile => {
    const file = openLogFile(path)
    return {
      get sizeBytes() {
        return file.sizeBytes
      },
      write: (bytes, start, end) => {
        this.writeCount++
        if (this.writeError !== null) throw systemError(this.writeError)
        const count = Math.min(end - start, this.freeBytes)
        if (count === 0 && end > start) throw systemError('ENOSPC')
        this.freeBytes -= count
        return file.write(bytes, start, start + count)
      },
      truncate: (sizeBytes) => {
        if (this.truncateError !== null) throw systemError(this.truncateError)
        file.truncate(sizeBytes)
      },
      sync: (callback) => {
        this.syncCount++
        const finish = () => callback(this.syncError === null ? null : systemError(this.syncError))
        if (this.isSlow) this.#waiting.push(finish)
        else setImmediate(finish)
      },
      syncNow: () => {
        this.syncCount++
        if (this.syncError !== null) throw systemError(this.syncError)
        if (this.isSlow) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SLOW_SYNC_MS)
      },
      close: () => file.close(),
    }
  }

  get waitingSyncCount(): number {
    return this.#waiting.length
  }

  finishSync(): void {
    this.#waiting.shift()?.()
  }
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code })
}
