// Memory that a virtual machine has ready. Pages that nobody uses go back to the host within seconds where it takes them
// (free page reporting), and each that is used again is a fault there: a gigabyte written to a file then takes 3.5 s of
// processor time instead of 0.2, and what is measured is the host. A machine that has been at work has no such pages: its
// page cache takes what is free. So some are held, and let go when the measured time begins: what was freed last is what
// is used next.

import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Files there are nothing but memory; elsewhere they are on their way to a disk. */
const MEMORY_FILE_SYSTEM = '/dev/shm'
const PIECE_BYTES = 64 * 2 ** 20

export class ReadyMemory {
  readonly #bytes: number
  readonly #directory: string
  #isHeld = false

  constructor(bytes: number) {
    this.#bytes = bytes
    this.#directory = mkdtempSync(join(placeFor(bytes), 'headpond-bench-'))
    process.once('exit', this.#remove)
  }

  readonly #remove = () => rmSync(this.#directory, { recursive: true, force: true })

  /** Cheap for what was in use until just now, slow for the rest. */
  hold(): void {
    if (this.#isHeld) return
    this.#isHeld = true
    const piece = Buffer.alloc(PIECE_BYTES, 1)
    for (let bytes = 0; bytes < this.#bytes; bytes += PIECE_BYTES) {
      writeFileSync(join(this.#directory, String(bytes)), piece)
    }
  }

  release(): void {
    this.#isHeld = false
    this.#remove()
    mkdirSync(this.#directory)
  }

  close(): void {
    this.#remove()
    process.off('exit', this.#remove)
  }
}

function placeFor(bytes: number): string {
  try {
    const { bavail, bsize } = statfsSync(MEMORY_FILE_SYSTEM)
    if (bavail * bsize > bytes) return MEMORY_FILE_SYSTEM
  } catch {
    // There is none.
  }
  return tmpdir()
}
