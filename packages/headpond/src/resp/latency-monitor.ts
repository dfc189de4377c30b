import type { Settings } from '../config/directives.ts'

/** So many samples of an event are kept. */
const SAMPLES_MAX = 160

export interface LatencySample {
  readonly atSeconds: number
  latencyMs: number
}

export interface LatencyEvent {
  /** The oldest first. */
  readonly samples: LatencySample[]
  maxMs: number
}

/**
 * What took longer than `latency-monitor-threshold`, by event: commands ('command', 'fast-command') and what the server
 * does by itself ('expire-cycle'). At most one sample a second for each event: the worst.
 */
export class LatencyMonitor {
  readonly #settings: Settings
  readonly events = new Map<string, LatencyEvent>()

  constructor(settings: Settings) {
    this.#settings = settings
  }

  get isOn(): boolean {
    return this.#settings.latencyMonitorThreshold > 0
  }

  addIfSlow(event: string, durationUs: number, nowMs: number): void {
    const latencyMs = Math.floor(durationUs / 1000)
    if (this.isOn && latencyMs >= this.#settings.latencyMonitorThreshold) this.#add(event, latencyMs, nowMs)
  }

  #add(name: string, latencyMs: number, nowMs: number): void {
    let event = this.events.get(name)
    if (event === undefined) {
      event = { samples: [], maxMs: 0 }
      this.events.set(name, event)
    }
    event.maxMs = Math.max(event.maxMs, latencyMs)
    const atSeconds = Math.floor(nowMs / 1000)
    const last = event.samples.at(-1)
    if (last?.atSeconds === atSeconds) {
      last.latencyMs = Math.max(last.latencyMs, latencyMs)
      return
    }
    event.samples.push({ atSeconds, latencyMs })
    if (event.samples.length > SAMPLES_MAX) event.samples.shift()
  }

  /** Forgets some events, or all when none is named. Returns how many there were. */
  reset(names: readonly string[]): number {
    const count = this.events.size
    if (names.length === 0) this.events.clear()
    for (const name of names) this.events.delete(name)
    return count - this.events.size
  }
}
