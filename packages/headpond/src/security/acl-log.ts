/** Refusals of the last minute that are alike count as one. */
const GROUPING_MS_MAX = 60_000
/** How many entries are compared with a new one. */
const COMPARED_MAX = 10

export type DenialReason = 'command' | 'key' | 'channel' | 'auth'
export type DenialContext = 'toplevel' | 'multi' | 'lua'

export interface Denial {
  readonly reason: DenialReason
  readonly context: DenialContext
  /** The command, key or channel that was refused: one character for each byte. */
  readonly object: string
  readonly userName: string
  /** Of the client that it last happened to. */
  readonly clientInfo: string
}

export interface DenialEntry extends Denial {
  readonly count: number
  readonly lastAtMs: number
}

/** What was refused lately, the newest first (ACL LOG), and how often since the statistics began. */
export class AclLog {
  #entries: DenialEntry[] = []
  readonly #sizeMax: () => number
  readonly counts: Record<DenialReason, number> = { auth: 0, command: 0, key: 0, channel: 0 }

  constructor(sizeMax: () => number) {
    this.#sizeMax = sizeMax
  }

  add(denial: Denial, nowMs: number): void {
    this.counts[denial.reason]++
    const at = this.#entries.slice(0, COMPARED_MAX).findIndex((entry) => isAlike(entry, denial, nowMs))
    const [alike] = at < 0 ? [] : this.#entries.splice(at, 1)
    this.#entries.unshift({ ...denial, count: (alike?.count ?? 0) + 1, lastAtMs: nowMs })
    if (alike === undefined) this.#entries.length = Math.min(this.#entries.length, this.#sizeMax())
  }

  newest(count: number): readonly DenialEntry[] {
    return this.#entries.slice(0, Math.max(0, count))
  }

  clear(): void {
    this.#entries = []
  }

  resetCounts(): void {
    Object.assign(this.counts, { auth: 0, command: 0, key: 0, channel: 0 })
  }
}

function isAlike(entry: DenialEntry, denial: Denial, nowMs: number): boolean {
  return (
    entry.reason === denial.reason &&
    entry.context === denial.context &&
    Math.abs(nowMs - entry.lastAtMs) <= GROUPING_MS_MAX &&
    entry.object === denial.object &&
    entry.userName === denial.userName
  )
}
