// What a line of throughput finds in the server.

import { type Collection, fillCommands } from './collections.ts'
import { load, loadCommands } from './loader.ts'
import { keyCount, type Line } from './redis-benchmark.ts'
import type { ServerProcess } from './servers.ts'

export interface Fixture {
  readonly name: string
  /** Made anew before each run: the line uses it up, or makes it grow. */
  readonly isConsumed?: boolean
  /** More commands than that would find nothing left. */
  readonly commandCountMax?: number
  load(port: number): Promise<unknown>
}

/** Any line that needs nothing and leaves nothing may meet what others left. */
export const nothing: Fixture = { name: 'nothing', load: async () => {} }

export const emptyServer: Fixture = { name: 'an empty server', isConsumed: true, load: async () => {} }

export const counters: Fixture = {
  name: 'counters',
  load: (port) => load({ port, keyCount, valueBytes: 1, prefix: 'counter:', value: '0' }),
}

/** Every key that redis-benchmark may name, with a value of the size that it writes. */
export function strings(valueBytes: number): Fixture {
  return { name: `strings of ${valueBytes} bytes`, load: (port) => load({ port, keyCount, valueBytes }) }
}

export function collection(name: string, collection: Collection): Fixture {
  return { name, load: (port) => loadCommands(port, fillCommands(collection)) }
}

/** The same for a line that takes an element out with each command. */
export function consumed(fixture: Fixture, elementCount: number): Fixture {
  return { ...fixture, name: `${fixture.name}, to be taken out`, isConsumed: true, commandCountMax: elementCount }
}

/** Keeps each server filled as the next run needs it, and refills it only when it must. */
export class Fill {
  readonly #held = new Map<ServerProcess, string>()

  async prepare(server: ServerProcess, { fixture }: Line): Promise<void> {
    if (fixture === nothing) return
    if (this.#held.get(server) === fixture.name && !fixture.isConsumed) return
    this.#held.delete(server)
    await server.client.run('FLUSHALL')
    await fixture.load(server.port)
    this.#held.set(server, fixture.name)
  }
}
