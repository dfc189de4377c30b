import type { RespEngine } from '../resp/engine.ts'
import { Fault, type FaultEffect, type FaultTarget } from '../resp/faults.ts'
import { durationMs } from './duration.ts'

/** A command's name, or more about which commands are meant. */
export type FaultMatch = string | FaultTarget

/** A fault that was set. */
export interface FaultHandle {
  /** Commands that it has struck, and will still strike. */
  readonly struckCount: number
  readonly remaining: number
  remove(): void
}

/**
 * What a test lets go wrong: `server.faults.error({ command: 'GET', times: 3 }, 'LOADING not yet')`. A fault strikes the
 * next command that matches, once unless `times` says otherwise; of several that match, the one set first.
 */
export class ServerFaults {
  readonly #engine: RespEngine

  constructor(engine: RespEngine) {
    this.#engine = engine
  }

  /** Lets the command wait before it runs, by the server's clock, which a test can advance. */
  delay(match: FaultMatch, duration: number | string): FaultHandle {
    return this.#add(match, { kind: 'delay', durationMs: durationMs(duration) })
  }

  /** Answers with an error in place of running the command: 'ERR ...', 'READONLY ...', 'OOM ...'. */
  error(match: FaultMatch, message: string): FaultHandle {
    return this.#add(match, { kind: 'error', message })
  }

  /** Cuts the client's connection in place of running the command. */
  drop(match: FaultMatch): FaultHandle {
    return this.#add(match, { kind: 'drop' })
  }

  /** Ends all faults; commands that are delayed run at once. */
  clear(): void {
    this.#engine.faults.clear()
  }

  /** While data is seeded. */
  set isSuspended(isSuspended: boolean) {
    this.#engine.faults.isSuspended = isSuspended
  }

  #add(match: FaultMatch, effect: FaultEffect): FaultHandle {
    const { faults } = this.#engine
    const fault = faults.add(new Fault(typeof match === 'string' ? { command: match } : match, effect))
    return {
      get struckCount() {
        return fault.struckCount
      },
      get remaining() {
        return fault.remaining
      },
      remove: () => faults.remove(fault),
    }
  }
}
