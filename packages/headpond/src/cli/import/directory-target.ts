import { resolve } from 'node:path'
import { Config } from '../../config/config.ts'
import { ConfigError } from '../../config/config-error.ts'
import { firstArenaBytes } from '../../memory/arena.ts'
import { DataDirectoryError } from '../../persistence/data-directory-error.ts'
import type { RdbLoader } from '../../persistence/rdb/loader.ts'
import { RdbError } from '../../persistence/rdb/rdb-error.ts'
import type { Client } from '../../resp/client.ts'
import { WireDecoder } from '../../resp/wire-reply.ts'
import { LocalClient } from '../../server/local-client.ts'
import { Server } from '../../server/server.ts'
import { processUsing } from './directory-users.ts'
import { ImportError } from './import-error.ts'
import { Answers, type ImportTarget } from './target.ts'

/**
 * A data directory: a server of this process opens it, without listening anywhere. A snapshot goes straight into its store,
 * which then becomes the base of its append-only file; commands run as those of a client.
 */
export class DirectoryTarget implements ImportTarget {
  readonly name: string
  readonly answers = new Answers()
  readonly #server: Server
  readonly #caller: LocalClient
  readonly #client: Client

  static async open(
    directory: string,
    databaseCount: number,
    warn: (message: string) => void,
  ): Promise<DirectoryTarget> {
    const user = processUsing(directory)
    if (user !== undefined) {
      throw new ImportError(`${directory} is in use by process ${user}: import into that server with --to redis://...`)
    }
    const log = {
      info() {},
      warn,
      error: (details: object, message: string) => {
        const { err } = details as { err?: Error }
        warn(err === undefined ? message : `${message}: ${err.message}`)
      },
    }
    try {
      const config = Config.load({
        options: {
          dir: resolve(directory),
          port: 0,
          memcachedPort: 0,
          appendonly: true,
          save: '',
          databases: databaseCount,
        },
      })
      const server = new Server({ config, log, firstArenaBytes: firstArenaBytes() })
      await server.start()
      return new DirectoryTarget(directory, server)
    } catch (error) {
      const isExpected =
        error instanceof ConfigError || error instanceof DataDirectoryError || error instanceof RdbError
      throw isExpected ? new ImportError(error.message) : error
    }
  }

  private constructor(directory: string, server: Server) {
    this.name = directory
    this.#server = server
    this.#caller = new LocalClient(server.resp)
    const decoder = new WireDecoder()
    this.#client = server.resp.openLocal({
      write: (bytes) => {
        decoder.push(Buffer.from(bytes), (reply) => this.answers.take(reply))
        return true
      },
    })
  }

  async keyCount(): Promise<number> {
    return this.#server.store.keyCount
  }

  async clear(): Promise<void> {
    await this.#caller.execute('FLUSHALL')
    await this.#caller.execute('FUNCTION', 'FLUSH')
  }

  openLoader(totalBytes: number | undefined): RdbLoader {
    const { store, clock, persistence } = this.#server
    store.setNow(clock.nowMs())
    return persistence.rdb.loader({
      ...(totalBytes === undefined ? {} : { totalBytes }),
      verifiesChecksum: true,
      duplicates: store.keyCount === 0 ? 'refuse' : 'replace',
      onFunction: (code) => persistence.functions.load(code, true),
    })
  }

  async takeLoaded(): Promise<void> {}

  async finishLoad(loader: RdbLoader): Promise<void> {
    const { persistence } = this.#server
    persistence.rdb.loaded(loader)
    const { snapshots, aof } = persistence
    await snapshots.active?.snapshot.done.catch(() => {}) // there may be one, by growth
    aof.rewrite()
    await snapshots.active?.snapshot.done.catch(() => {}) // `lastRewriteStatus` tells, and the log why
    await new Promise((done) => setImmediate(done))
    await aof.tidying
    if (aof.lastRewriteStatus === 'err') throw new ImportError(`${this.name}: the data could not be written`)
  }

  async send(bytes: Uint8Array, commandCount: number, endOffset: number): Promise<void> {
    this.answers.expect(commandCount, endOffset)
    for (let at = 0; at < bytes.length; ) {
      at = this.#server.resp.consume(this.#client, bytes, at, bytes.length)
      // Others have their turn: the append-only file is written in theirs.
      await new Promise((done) => setImmediate(done))
      const problem = this.#server.failure ?? this.#server.persistence.aof.writer.problem
      if (problem !== null) throw new ImportError(`${this.name}: ${problem}`)
    }
  }

  settle(): Promise<void> {
    return this.answers.settled()
  }

  async close(): Promise<void> {
    this.#caller.close()
    this.#server.resp.closed(this.#client)
    this.#server.shutdown('default', true)
    await this.#server.close()
  }
}
