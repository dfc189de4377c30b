import { formatBytes } from './table.ts'

/** What is over sooner has no rate worth telling. */
const SHORT_SECONDS = 0.05

/** How much a long run has done, and how fast. */
export class Rate {
  readonly #startedMs = performance.now()
  recordCount = 0
  sizeBytes = 0

  add(recordCount: number, sizeBytes: number): void {
    this.recordCount += recordCount
    this.sizeBytes += sizeBytes
  }

  get elapsedSeconds(): number {
    return (performance.now() - this.#startedMs) / 1000
  }

  /** `12,345 records, 1.2 MB` */
  get amountText(): string {
    const count = `${this.recordCount.toLocaleString('en')} record${this.recordCount === 1 ? '' : 's'}`
    return `${count}, ${formatBytes(this.sizeBytes)}`
  }

  /** `12,345 records, 1.2 MB in 0.4 s: 30,862 records/s, 3.0 MB/s` */
  get text(): string {
    const seconds = this.elapsedSeconds
    const whole = this.amountText
    if (seconds < SHORT_SECONDS) return whole
    const perSecond = Math.round(this.recordCount / seconds).toLocaleString('en')
    return `${whole} in ${seconds.toFixed(1)} s: ${perSecond} records/s, ${formatBytes(this.sizeBytes / seconds)}/s`
  }
}
