import { nearestName, refuseUnknownNames } from '../config/config-error.ts'
import { API_NAMES } from '../kafka/api-names.ts'
import { ERROR, type ErrorName } from '../kafka/errors.ts'
import { KafkaFault, type KafkaFaultEffect, type KafkaFaults, type KafkaFaultTarget } from '../kafka/faults.ts'
import { fullNameOf } from '../resp/command.ts'
import type { CommandTable } from '../resp/command-table.ts'
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
    if (typeof message !== 'string') throw new TypeError(`an error is text, not ${typeof message}`)
    if (!isOfKafka(match)) return this.#add(match, { kind: 'error', message })
    if (!Object.hasOwn(ERROR, message) || message === 'NONE')
      throw unknownName('error of Kafka', message, Object.keys(ERROR))
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
    const { faults, table } = this.#engine
    const target = typeof match === 'string' ? { command: match } : match
    refuseUnfitTarget(target, ['command', 'key', 'clientName'])
    if (target.command !== undefined) refuseUnknownCommand(table, target.command)
    const fault = faults.add(new CommandFault(target, effect))
    return handleOf(fault, () => faults.remove(fault))
  }

  #addToKafka(match: KafkaFaultTarget, effect: KafkaFaultEffect): FaultHandle {
    refuseUnfitTarget(match, ['api', 'topic', 'group', 'clientId'])
    if (match.api !== '*') refuseUnknownApi(match.api)
    const fault = this.#kafka.add(new KafkaFault(match, effect))
    return handleOf(fault, () => this.#kafka.remove(fault))
  }
}

/** Throws RangeError, with the name that may have been meant: a command that nobody can send is never struck, or called. */
export function refuseUnknownCommand(table: CommandTable, name: string): void {
  if (table.byName(fullNameOf(name)) !== undefined) return
  const names = table.withSubcommands().map(({ fullName }) => fullName.toUpperCase())
  throw unknownName('command', name, names)
}

/** As `refuseUnknownCommand`, for the APIs of Kafka. */
export function refuseUnknownApi(name: string): void {
  if (!API_NAMES.some((known) => known.toLowerCase() === name.toLowerCase())) throw unknownName('API', name, API_NAMES)
}

function unknownName(kind: string, name: string, names: readonly string[]): RangeError {
  const nearest = nearestName(name, names)
  return new RangeError(`there is no ${kind} '${name}'${nearest === undefined ? '' : `: did you mean '${nearest}'?`}`)
}

/** Throws what tells who is not warned by types. */
function refuseUnfitTarget(target: CommandFaultTarget | KafkaFaultTarget, names: readonly string[]): void {
  if (typeof target !== 'object' || target === null)
    throw new TypeError('a fault wants the name of a command, or an object')
  refuseUnknownNames('fault', target, [...names, 'times'])
  for (const [name, value] of Object.entries(target)) {
    if (name !== 'times' && value !== undefined && typeof value !== 'string') {
      throw new TypeError(`fault ${name}: text, not ${typeof value}`)
    }
  }
  const { times = 1 } = target
  if (times !== Number.POSITIVE_INFINITY && !(Number.isInteger(times) && times > 0)) {
    throw new RangeError(`fault times: a whole number from 1, or Infinity, not ${String(times)}`)
  }
}

function isOfKafka(match: FaultMatch): match is KafkaFaultTarget {
  return typeof match === 'object' && match !== null && 'api' in match
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
