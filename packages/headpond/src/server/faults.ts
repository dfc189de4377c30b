import { ERROR, type ErrorName } from '../kafka/errors.ts'
import { KafkaFault, type KafkaFaultEffect, type KafkaFaults, type KafkaFaultTarget } from '../kafka/faults.ts'
import type { RespEngine } from '../resp/engine.ts'
import { CommandFault, type CommandFaultEffect, type CommandFaultTarget } from '../resp/faults.ts'
import { durationMs } from './duration.ts'

/** A command's name, or more about which commands are meant; or requests of Kafka clients: `{ api: 'Produce' }`. */
export type FaultMatch = string | CommandFaultTarget | KafkaFaultTarget

/** A fault that was set. */
export interface FaultHandle {
  /** Commands that it has struck, and will still strike. */
  readonly struckCount: number
  readonly remaining: number
  remove(): void
}

/**
 * What a test lets go wrong: `server.faults.error({ command: 'GET', times: 3 }, 'LOADING not yet')`, and with Kafka
 * `server.faults.error({ api: 'Produce', times: 3 }, 'NOT_ENOUGH_REPLICAS')`. A fault strikes the next command or request that
 * matches, once unless `times` says otherwise; of several that match, the one set first.
 */
export class ServerFaults {
  readonly #engine: RespEngine
  readonly #kafka: KafkaFaults

  constructor(engine: RespEngine, kafka: KafkaFaults) {
    this.#engine = engine
    this.#kafka = kafka
  }

  /** Lets the command wait before it runs, by the server's clock, which a test can advance. */
  delay(match: FaultMatch, duration: number | string): FaultHandle {
    return this.#add(match, { kind: 'delay', durationMs: durationMs(duration) })
  }

  /**
   * Answers with an error in place of running the command: 'ERR ...', 'READONLY ...', 'OOM ...'. With Kafka the name of one of its
   * errors, in the whole answer: every topic and partition of it.
   */
  error(match: FaultMatch, message: string): FaultHandle {
    if (!isOfKafka(match)) return this.#add(match, { kind: 'error', message })
    if (!(message in ERROR) || message === 'NONE') throw new RangeError(`${message} is no error of Kafka's`)
    return this.#addToKafka(match, { kind: 'error', error: message as ErrorName })
  }

  /** Cuts the client's connection in place of running the command. */
  drop(match: FaultMatch): FaultHandle {
    return this.#add(match, { kind: 'drop' })
  }

  /** Kafka: carries the request out, and cuts the connection in place of the answer. What a client repeats is there already. */
  loseAnswer(match: KafkaFaultTarget): FaultHandle {
    return this.#addToKafka(match, { kind: 'lose-answer' })
  }

  /** Ends all faults; commands that are delayed run at once. */
  clear(): void {
    this.#engine.faults.clear()
    this.#kafka.clear()
  }

  /** While data is seeded. */
  set isSuspended(isSuspended: boolean) {
    this.#engine.faults.isSuspended = isSuspended
  }

  #add(match: FaultMatch, effect: CommandFaultEffect & KafkaFaultEffect): FaultHandle
  #add(match: string | CommandFaultTarget, effect: CommandFaultEffect): FaultHandle
  #add(match: FaultMatch, effect: CommandFaultEffect): FaultHandle {
    if (isOfKafka(match)) return this.#addToKafka(match, effect as KafkaFaultEffect)
    const { faults } = this.#engine
    const fault = faults.add(new CommandFault(typeof match === 'string' ? { command: match } : match, effect))
    return handleOf(fault, () => faults.remove(fault))
  }

  #addToKafka(match: KafkaFaultTarget, effect: KafkaFaultEffect): FaultHandle {
    const fault = this.#kafka.add(new KafkaFault(match, effect))
    return handleOf(fault, () => this.#kafka.remove(fault))
  }
}

function isOfKafka(match: FaultMatch): match is KafkaFaultTarget {
  return typeof match === 'object' && 'api' in match
}

function handleOf(
  fault: { readonly struckCount: number; readonly remaining: number },
  remove: () => void,
): FaultHandle {
  return {
    get struckCount() {
      return fault.struckCount
    },
    get remaining() {
      return fault.remaining
    },
    remove,
  }
}
