import { NONE } from '../memory/heap.ts'
import { OutputBuffer } from '../net/output-buffer.ts'
import type { Replay } from '../persistence/aof/replay.ts'
import { readClientFlagsAnnotation } from '../persistence/client-flags.ts'
import { giveClientFlags } from '../store/item.ts'
import { type as types } from '../store/record.ts'
import type { Client } from './client.ts'
import type { Command } from './command.ts'
import type { CommandTable } from './command-table.ts'
import type { RespEngine } from './engine.ts'
import { Reply } from './reply.ts'
import { Request } from './request.ts'
import { Transaction } from './transaction.ts'

const WARNINGS_MAX = 10

/**
 * Runs the commands of an append-only file: straight by their handlers, so that nothing is counted, questioned or
 * propagated. A transaction is run when its EXEC is there.
 */
export class EngineReplay implements Replay {
  readonly command = new Request()
  readonly #engine: RespEngine
  readonly #client: Client
  readonly #reply = new Reply(new OutputBuffer(4096))
  readonly #queued = new Request()
  #warningCount = 0
  /** What an annotation says of the next command's string. */
  #clientFlags = 0

  constructor(engine: RespEngine) {
    this.#engine = engine
    this.#client = engine.openLocal(NOWHERE)
    this.#client.isReplaying = true
    this.#client.deniesBlocking = true
    this.#reply.out.attach(NOWHERE)
  }

  get isInTransaction(): boolean {
    return this.#client.transaction !== null
  }

  discard(): void {
    this.#client.transaction = null
  }

  annotated(text: string): void {
    this.#clientFlags = readClientFlagsAnnotation(text)
  }

  run(): string | null {
    const flags = this.#clientFlags
    this.#clientFlags = 0
    const problem = this.#runNext()
    if (flags !== 0 && problem === null) this.#giveClientFlags(flags)
    return problem
  }

  #giveClientFlags(flags: number): void {
    const { command } = this
    const { database } = this.#client
    const handle = command.count > 2 ? database.peek(command.chunk, command.start(1), command.end(1)) : NONE
    if (handle !== NONE && database.records.type(handle) === types.STRING) giveClientFlags(database, handle, flags)
  }

  #runNext(): string | null {
    const request = this.command
    const command = findRepeatable(this.#engine.table, request)
    if (typeof command === 'string') return command
    const client = this.#client
    if (command.fullName === 'multi') {
      client.transaction = new Transaction()
    } else if (command.fullName === 'exec') {
      const { transaction } = client
      client.transaction = null
      for (let next = transaction?.next(this.#queued); next !== undefined; next = transaction?.next(this.#queued)) {
        this.#run(next, this.#queued)
      }
    } else if (client.transaction !== null) {
      client.transaction.queue(command, command, request)
    } else {
      this.#run(command, request)
    }
    return null
  }

  #run(command: Command, request: Request): void {
    const reply = this.#reply
    const { errorCount } = reply
    this.#client.lastCommand = command
    command.handler!(this.#client, request, reply)
    if (reply.errorCount === errorCount || this.#warningCount++ >= WARNINGS_MAX) return
    this.#engine.log.warn(`an error while repeating ${command.fullName} from the append-only file: it is passed over`)
  }
}

/** The command that a file has, or why it cannot be repeated. */
export function findRepeatable(table: CommandTable, request: Request): Command | string {
  const name = () => JSON.stringify(request.text(0).slice(0, 64))
  // What the server itself writes down is called by its own name, whatever clients call it.
  const command = table.find(request.chunk, request.start(0), request.end(0)) ?? table.byName(request.text(0)) ?? null
  if (command === null) return `Unknown command '${request.text(0).slice(0, 64)}'`
  const subcommand = request.count > 1 ? command.subcommands?.get(request.text(1).toLowerCase()) : undefined
  const found = subcommand ?? command
  const { arity } = found
  const isComplete = arity > 0 ? request.count === arity : request.count >= -arity
  return found.handler !== null && isComplete ? found : `the command ${name()} has ${request.count - 1} arguments`
}

const NOWHERE = { write: () => true }
