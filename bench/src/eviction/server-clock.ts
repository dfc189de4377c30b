// Time as a server under a replay sees it: written by the replay where a C compiler is there, else real.

import { execFile } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Role } from '../servers.ts'

const sourcePath = fileURLToPath(new URL('../../src/eviction/server-clock.c', import.meta.url))
/** The beginning of a minute: Redis's LFU counts whole minutes, and what it does depends on where they begin. */
const startNs = 1_767_225_600n * 1_000_000_000n

export interface ServerClock {
  /** Whether time is written, and not real. */
  readonly isMoved: boolean
  /** What comes before a server's command. */
  prefixFor(role: Role): readonly string[]
  /** Back to the start: for a server that is about to start, since to one that runs time only goes on. */
  restart(): void
  /** Since the start. */
  readonly elapsedNs: number
  /** Resolves when the server's time since the start is this. */
  reach(elapsedNs: number): Promise<void> | undefined
  close(): void
}

/** Moved by writing into a file, if the library for that can be compiled and loaded. */
export async function createServerClock(): Promise<ServerClock> {
  const directory = mkdtempSync(join(tmpdir(), 'headpond-clock-'))
  const libraryPath = join(directory, 'server-clock.so')
  try {
    await promisify(execFile)('cc', ['-O2', '-shared', '-fPIC', '-o', libraryPath, sourcePath])
    return new MovedClock(directory, libraryPath)
  } catch {
    rmSync(directory, { recursive: true, force: true })
    return new RealClock()
  }
}

class MovedClock implements ServerClock {
  readonly isMoved = true
  elapsedNs = 0
  readonly #directory: string
  readonly #libraryPath: string
  readonly #timePath: string
  readonly #file: number
  readonly #time = Buffer.alloc(8)

  constructor(directory: string, libraryPath: string) {
    this.#directory = directory
    this.#libraryPath = libraryPath
    this.#timePath = join(directory, 'now')
    writeFileSync(this.#timePath, this.#time)
    this.#file = openSync(this.#timePath, 'r+')
    process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
    this.restart()
  }

  prefixFor(role: Role): readonly string[] {
    // Node's timers stay real: its event loop does not take time standing still.
    const steady = role === 'redis' ? ['REPLAY_CLOCK_STEADY=1'] : []
    return ['env', `LD_PRELOAD=${this.#libraryPath}`, `REPLAY_CLOCK=${this.#timePath}`, ...steady]
  }

  restart(): void {
    this.reach(0)
  }

  reach(elapsedNs: number): undefined {
    this.elapsedNs = elapsedNs
    this.#time.writeBigInt64LE(startNs + BigInt(Math.round(elapsedNs)))
    writeSync(this.#file, this.#time, 0, 8, 0)
  }

  close(): void {
    closeSync(this.#file)
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

class RealClock implements ServerClock {
  readonly isMoved = false
  #startedAtMs = performance.now()

  prefixFor(): readonly string[] {
    return []
  }

  restart(): void {
    this.#startedAtMs = performance.now()
  }

  get elapsedNs(): number {
    return (performance.now() - this.#startedAtMs) * 1e6
  }

  reach(elapsedNs: number): Promise<void> | undefined {
    const leftMs = this.#startedAtMs + elapsedNs / 1e6 - performance.now()
    return leftMs >= 1 ? sleep(leftMs) : undefined
  }

  close(): void {}
}
