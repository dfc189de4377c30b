import { Command, type CommandSpec } from './command.ts'
import { aclCommands } from './commands/acl.ts'
import { bitmapCommands } from './commands/bitmap.ts'
import { bloomCommands } from './commands/bloom.ts'
import { clientCommands } from './commands/client.ts'
import { clusterCommands } from './commands/cluster.ts'
import { commandCommands } from './commands/command.ts'
import { commandLogCommands } from './commands/command-log.ts'
import { configCommands } from './commands/config.ts'
import { connectionCommands } from './commands/connection.ts'
import { databaseCommands } from './commands/database.ts'
import { debugCommands } from './commands/debug.ts'
import { dumpCommands } from './commands/dump.ts'
import { expireCommands } from './commands/expire.ts'
import { functionCommands } from './commands/functions.ts'
import { geoCommands } from './commands/geo.ts'
import { hashCommands } from './commands/hash.ts'
import { hashExpiryCommands } from './commands/hash-expiry.ts'
import { hyperloglogCommands } from './commands/hyperloglog.ts'
import { infoCommands } from './commands/info.ts'
import { keyCommands } from './commands/keys.ts'
import { latencyCommands } from './commands/latency.ts'
import { listCommands } from './commands/list.ts'
import { memoryCommands } from './commands/memory.ts'
import { moduleCommands } from './commands/module.ts'
import { objectCommands } from './commands/object.ts'
import { pubsubCommands } from './commands/pubsub.ts'
import { scriptingCommands } from './commands/scripting.ts'
import { serverCommands } from './commands/server.ts'
import { setCommands } from './commands/set.ts'
import { setAlgebraCommands } from './commands/set-algebra.ts'
import { sortCommands } from './commands/sort.ts'
import { sortedSetCommands } from './commands/sorted-set.ts'
import { sortedSetAlgebraCommands } from './commands/sorted-set-algebra.ts'
import { sortedSetRangeCommands } from './commands/sorted-set-range.ts'
import { streamCommands } from './commands/stream.ts'
import { streamGroupCommands } from './commands/stream-group.ts'
import { streamInfoCommands } from './commands/stream-info.ts'
import { streamReadCommands } from './commands/stream-read.ts'
import { stringCommands } from './commands/string.ts'
import { transactionCommands } from './commands/transaction.ts'
import { waitCommands } from './commands/wait.ts'
import type { Request } from './request.ts'
import { UNSERVED_COMMANDS } from './unserved-commands.ts'

/** Every family of commands: a new file in `commands/` is entered here. */
const families: readonly (readonly CommandSpec[])[] = [
  keyCommands,
  expireCommands,
  objectCommands,
  dumpCommands,
  databaseCommands,
  waitCommands,
  connectionCommands,
  clientCommands,
  transactionCommands,
  pubsubCommands,
  scriptingCommands,
  functionCommands,
  stringCommands,
  bitmapCommands,
  hyperloglogCommands,
  bloomCommands,
  hashCommands,
  hashExpiryCommands,
  listCommands,
  setCommands,
  setAlgebraCommands,
  sortCommands,
  sortedSetCommands,
  sortedSetRangeCommands,
  sortedSetAlgebraCommands,
  geoCommands,
  streamCommands,
  streamReadCommands,
  streamGroupCommands,
  streamInfoCommands,
  infoCommands,
  configCommands,
  aclCommands,
  commandCommands,
  commandLogCommands,
  latencyCommands,
  memoryCommands,
  debugCommands,
  moduleCommands,
  clusterCommands,
  serverCommands,
]

const TABLE_SLOTS = 2048

/**
 * Finds commands by name without making a string. One table for each server, since commands carry its statistics.
 */
export class CommandTable {
  readonly all: readonly Command[]
  readonly #byName = new Map<string, Command>()
  /** Under the names by which clients call them: `rename-command` changes those. */
  readonly #byCall: Map<string, Command>
  readonly #unservedNames = new Set(UNSERVED_COMMANDS.map(({ name }) => name))
  /** Open addressing over the hash of the lower-case name; names beside the commands for the comparison. */
  readonly #slots: (Command | null)[] = new Array<Command | null>(TABLE_SLOTS).fill(null)
  readonly #names: (Uint8Array | null)[] = new Array<Uint8Array | null>(TABLE_SLOTS).fill(null)

  constructor() {
    let id = 0
    const nextId = () => id++
    this.all = families.flat().map((spec) => new Command(spec, nextId(), null, nextId))
    for (const command of this.all) this.#byName.set(command.fullName, command)
    this.#byCall = new Map(this.#byName)
    this.#fillSlots()
  }

  #fillSlots(): void {
    this.#slots.fill(null)
    this.#names.fill(null)
    for (const [text, command] of this.#byCall) {
      const name = Buffer.from(text)
      let slot = hashName(name, 0, name.length)
      while (this.#slots[slot] !== null) slot = (slot + 1) % TABLE_SLOTS
      this.#slots[slot] = command
      this.#names[slot] = name
    }
  }

  /** Clients call a command by another name from now on; by none, if that is empty. Returns what is wrong, as Redis says it. */
  rename(from: string, to: string): string | null {
    const command = this.#byCall.get(from.toLowerCase())
    const wasUnserved = this.#unservedNames.delete(from.toLowerCase())
    if (command === undefined && !wasUnserved) return 'No such command in rename-command'
    this.#byCall.delete(from.toLowerCase())
    const name = to.toLowerCase()
    if (this.#byCall.has(name) || this.#unservedNames.has(name)) return 'Target command name already exists'
    if (name !== '' && command !== undefined) this.#byCall.set(name, command)
    else if (name !== '') this.#unservedNames.add(name)
    this.#fillSlots()
    return null
  }

  /** Every command that clients can call. */
  get callable(): Command[] {
    return [...this.#byCall.values()]
  }

  /** hot: once for each command. Subcommands are not looked at: see `resolve`. */
  find(chunk: Uint8Array, start: number, end: number): Command | null {
    let slot = hashName(chunk, start, end)
    for (;;) {
      const name = this.#names[slot]
      if (name === null) return null
      if (equalsLowerCase(name, chunk, start, end)) return this.#slots[slot]
      slot = (slot + 1) % TABLE_SLOTS
    }
  }

  /** A command by its own name in any case, 'client|list' for a subcommand. */
  byName(name: string): Command | undefined {
    return this.#named(name, this.#byName)
  }

  /** The same by the name that clients call it by. */
  byCall(name: string): Command | undefined {
    return this.#named(name, this.#byCall)
  }

  #named(name: string, names: ReadonlyMap<string, Command>): Command | undefined {
    const [container, subcommand, ...more] = name.toLowerCase().split('|')
    if (more.length > 0) return undefined
    const command = names.get(container)
    return subcommand === undefined ? command : command?.subcommands?.get(subcommand)
  }

  /** The command that a request names, its subcommand if it has one; undefined when either is unknown. */
  resolve(request: Request, first = 0): Command | undefined {
    const command = this.#byCall.get(request.text(first).toLowerCase())
    if (command?.subcommands == null || request.count === first + 1) return command
    return command.subcommands.get(request.text(first + 1).toLowerCase())
  }

  /** Every command (or these), subcommands behind the command that contains them. */
  withSubcommands(commands = this.all): Command[] {
    return commands.flatMap((command) => [command, ...(command.subcommands?.values() ?? [])])
  }

  resetStatistics(): void {
    for (const command of this.withSubcommands()) command.resetStatistics()
  }
}

/** Setting bit 5 makes letters lower case, and the names' other bytes ('|', '-', '.', digits) still differ. */
function hashName(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start
  for (let at = start; at < end; at++) hash = Math.imul(hash, 31) + (bytes[at] | 0x20)
  return (hash ^ (hash >>> 11)) & (TABLE_SLOTS - 1)
}

function equalsLowerCase(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false
  for (let index = 0; index < name.length; index++) {
    const byte = bytes[start + index]
    if (name[index] !== (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte)) return false
  }
  return true
}
