import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { LogManager, type LogManagerParts } from '#src/log/log-manager.ts'
import { DEFAULT_LOG_SETTINGS, type LogSettings } from '#src/log/log-settings.ts'
import type { LogRead, PartitionLog, ReadOptions } from '#src/log/partition-log.ts'
import { baseOffsetOf, lastOffsetOf, sizeBytesOf } from '#src/log/record-batch.ts'
import { settingsOf } from '#src/log/topic-config.ts'

/** A log manager whose time, chance and disk are the test's. */
export class LogFixture {
  readonly directory: string | null
  nowMs = 1_700_000_000_000
  readonly lines: string[] = []
  readonly defaults: LogSettings
  logs!: LogManager
  readonly #parts: Partial<LogManagerParts>

  constructor(directory: string | null, defaults: Partial<LogSettings> = {}, parts: Partial<LogManagerParts> = {}) {
    this.directory = directory
    this.defaults = { ...DEFAULT_LOG_SETTINGS, ...defaults }
    this.#parts = parts
  }

  /** A new process on the same directory. */
  async start(): Promise<LogManager> {
    // One that is gone has nothing under way.
    await this.logs?.checkpointed()
    this.logs = new LogManager({
      directory: this.directory,
      nowMs: () => this.nowMs,
      log: {
        info: (message) => void this.lines.push(message),
        warn: (message) => void this.lines.push(message),
        error: (_details, message) => void this.lines.push(message),
      },
      settingsOf: (overrides) => settingsOf(overrides, this.defaults),
      producerIdExpirationMs: () => 24 * 3600 * 1000,
      random: Math.random,
      ...this.#parts,
    })
    await this.logs.start()
    return this.logs
  }

  /** Moves time and does all that is due then. */
  advance(durationMs: number): void {
    this.nowMs += durationMs
    this.logs.catchUp()
  }
}

export function temporaryDirectory(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'headpond-log-'))
  context.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export const EVERYTHING: ReadOptions = { isolation: 'read_uncommitted', takesOneBatchAtLeast: true }
export const COMMITTED: ReadOptions = { isolation: 'read_committed', takesOneBatchAtLeast: true }

/** The batches of a read, each by itself. */
export function splitBatches(read: LogRead): Uint8Array[] {
  return read.records.flatMap((part) => {
    const batches: Uint8Array[] = []
    for (let at = 0; at < part.length; at += sizeBytesOf(part, at)) {
      batches.push(part.subarray(at, at + sizeBytesOf(part, at)))
    }
    return batches
  })
}

/** [first, last] of each batch. */
export function offsetRanges(read: LogRead): [number, number][] {
  return splitBatches(read).map((batch) => [baseOffsetOf(batch, 0), lastOffsetOf(batch, 0)])
}

/** All batches from an offset on, as a consumer reads them. */
export async function readToEnd(log: PartitionLog, from = log.logStartOffset, maxBytes = 4096): Promise<Uint8Array[]> {
  const batches: Uint8Array[] = []
  for (let offset = from; ; ) {
    const read = await log.read(offset, maxBytes, EVERYTHING)
    if (read.error !== null) throw new Error(`${read.error} at ${offset}`)
    if (read.sizeBytes === 0) return batches
    batches.push(...splitBatches(read))
    offset = lastOffsetOf(batches[batches.length - 1], 0) + 1
  }
}
