/**
 * Since which offset which leader epoch: a client that knows epoch and offset of the last record that it read can find out
 * whether the log still goes on from there. In the file `leader-epoch-checkpoint`.
 */
export interface LeaderEpoch {
  readonly epoch: number
  readonly startOffset: number
}

export class LeaderEpochs {
  /** Both ascend. */
  #entries: LeaderEpoch[]

  constructor(entries: readonly LeaderEpoch[] = []) {
    this.#entries = [...entries]
  }

  get entries(): readonly LeaderEpoch[] {
    return this.#entries
  }

  /** -1 when nothing was ever appended. */
  get latest(): number {
    return this.#entries.length === 0 ? -1 : this.#entries[this.#entries.length - 1].epoch
  }

  /** A batch of this epoch begins at the offset. True when that was news. */
  assign(epoch: number, startOffset: number): boolean {
    if (epoch <= this.latest) return false
    this.#entries = [...this.#entries.filter((entry) => entry.startOffset < startOffset), { epoch, startOffset }]
    return true
  }

  /**
   * The largest known epoch that is not above `epoch`, and where it ends: where the next one begins, or at the end of the
   * log. Before the oldest: the epoch itself, up to the oldest's start. Beyond `current`: unknown.
   */
  endOffsetFor(epoch: number, current: number, logEndOffset: number): { epoch: number; endOffset: number } {
    if (epoch < 0 || epoch > Math.max(current, this.latest)) return { epoch: -1, endOffset: -1 }
    if (epoch === current || epoch === this.latest) return { epoch, endOffset: logEndOffset }
    const next = this.#entries.findIndex((entry) => entry.epoch > epoch)
    if (next === -1) return { epoch: this.latest === -1 ? epoch : this.latest, endOffset: logEndOffset }
    if (next === 0) return { epoch, endOffset: this.#entries[0].startOffset }
    return { epoch: this.#entries[next - 1].epoch, endOffset: this.#entries[next].startOffset }
  }

  /** The log ends here now. True when that changed something. */
  truncateFromEnd(endOffset: number): boolean {
    const kept = this.#entries.filter(({ startOffset }) => startOffset < endOffset)
    const isChanged = kept.length !== this.#entries.length
    this.#entries = kept
    return isChanged
  }

  /** The log begins here now: of what lies before, only the epoch in force is left. True when that changed something. */
  truncateFromStart(logStartOffset: number): boolean {
    const first = this.#entries.findIndex(
      (_, index) => index === this.#entries.length - 1 || this.#entries[index + 1].startOffset > logStartOffset,
    )
    if (first === -1) return false
    const { epoch, startOffset } = this.#entries[first]
    if (first === 0 && startOffset >= logStartOffset) return false
    this.#entries = [{ epoch, startOffset: Math.max(startOffset, logStartOffset) }, ...this.#entries.slice(first + 1)]
    return true
  }
}

const VERSION = 0

export function formatLeaderEpochs(entries: readonly LeaderEpoch[]): string {
  const lines = entries.map(({ epoch, startOffset }) => `${epoch} ${startOffset}\n`)
  return `${VERSION}\n${entries.length}\n${lines.join('')}`
}

/** Null when the text is none of ours. */
export function parseLeaderEpochs(text: string): LeaderEpoch[] | null {
  const [version, count, ...lines] = text.split('\n')
  if (version !== String(VERSION)) return null
  const entries = lines.filter((line) => line !== '').map((line) => line.split(' ').map(Number))
  if (entries.length !== Number(count)) return null
  if (!entries.every((entry) => entry.length === 2 && entry.every(Number.isSafeInteger))) return null
  return entries.map(([epoch, startOffset]) => ({ epoch, startOffset }))
}
