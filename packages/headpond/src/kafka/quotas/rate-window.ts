/**
 * How fast something happens: Kafka's sampled rate, to the millisecond, since clients see the pauses that follow from it.
 *
 * What is recorded is summed in samples of one window each. The rate is what the samples of the last windows hold, over the time
 * since the oldest of them began; windows in which nothing was recorded count as if they had been there. So a client that comes
 * after a rest may send a burst of what all windows but one allow.
 */

export interface WindowSettings {
  /** The windows that are remembered, with the one that is running. */
  readonly sampleCount: number
  readonly windowMs: number
}

interface Sample {
  startMs: number
  lastRecordMs: number
  sum: number
}

export class RateWindow {
  readonly #settings: WindowSettings
  readonly #samples: Sample[] = []
  #current = 0

  constructor(settings: WindowSettings) {
    this.#settings = settings
  }

  record(value: number, nowMs: number): void {
    const sample = this.#sampleFor(nowMs)
    sample.sum += value
    sample.lastRecordMs = nowMs
  }

  perSecond(nowMs: number): number {
    const spanMs = this.spanMs(nowMs)
    let sum = 0
    for (const sample of this.#samples) sum += sample.sum
    return sum / (spanMs / 1000)
  }

  /** The time over which the rate is taken. */
  spanMs(nowMs: number): number {
    this.#forgetOld(nowMs)
    const { sampleCount, windowMs } = this.#settings
    let startMs = nowMs
    for (const sample of this.#samples) startMs = Math.min(startMs, sample.startMs)
    const spanMs = nowMs - startMs
    const missingCount = Math.max(0, sampleCount - 1 - Math.trunc(spanMs / windowMs))
    return Math.max(spanMs + missingCount * windowMs, 1)
  }

  /** Nothing is remembered: a new one would tell the same. */
  isIdle(nowMs: number): boolean {
    return this.#samples.every((sample) => this.#isOld(sample, nowMs))
  }

  #sampleFor(nowMs: number): Sample {
    const samples = this.#samples
    if (samples.length === 0) {
      samples.push({ startMs: nowMs, lastRecordMs: nowMs, sum: 0 })
      return samples[0]
    }
    const current = samples[this.#current]
    if (nowMs - current.startMs < this.#settings.windowMs) return current
    // One more than are counted: the oldest may begin before the windows that count and end in them.
    this.#current = (this.#current + 1) % (this.#settings.sampleCount + 1)
    if (this.#current === samples.length) samples.push({ startMs: nowMs, lastRecordMs: nowMs, sum: 0 })
    else restart(samples[this.#current], nowMs)
    return samples[this.#current]
  }

  #forgetOld(nowMs: number): void {
    for (const sample of this.#samples) if (this.#isOld(sample, nowMs)) restart(sample, nowMs)
  }

  #isOld({ lastRecordMs }: Sample, nowMs: number): boolean {
    return nowMs - lastRecordMs >= this.#settings.sampleCount * this.#settings.windowMs
  }
}

function restart(sample: Sample, nowMs: number): void {
  sample.startMs = nowMs
  sample.lastRecordMs = nowMs
  sample.sum = 0
}

/** The pause after which the rate would be within its limit; 0 when it is. */
export function throttleMsOf(rate: RateWindow, limit: number, nowMs: number): number {
  const perSecond = rate.perSecond(nowMs)
  if (perSecond <= limit) return 0
  return Math.min(Math.round(((perSecond - limit) / limit) * rate.spanMs(nowMs)), THROTTLE_MS_MAX)
}

/** What an answer has room for. */
export const THROTTLE_MS_MAX = 2 ** 31 - 1
