import type { Handle } from '../../memory/heap.ts'
import { RemoteError } from '../../net/remote-socket.ts'
import { RdbLoader } from '../../persistence/rdb/loader.ts'
import { dumpObject } from '../../persistence/rdb/objects.ts'
import { RemoteClient } from '../../resp/remote-client.ts'
import { encodeRequest, type WireReply } from '../../resp/wire-reply.ts'
import { NEVER } from '../../store/record.ts'
import { Store } from '../../store/store.ts'
import { ImportError } from './import-error.ts'
import type { ServerUrl } from './options.ts'
import { Answers, type ImportTarget } from './target.ts'

/** As many databases as any snapshot may speak of: an empty one costs next to nothing. */
const DATABASES = 1024
const FIRST_ARENA_BYTES = 2 ** 24
/** Requests on their way leave together. */
const BATCH_BYTES = 2 ** 16

/**
 * A running server. A snapshot is read into a store of our own, from which each key leaves at once as RESTORE, so that there
 * are never many; so this can be any server that knows the layouts: Headpond, Redis from 7.0 on, Valkey.
 */
export class RemoteTarget implements ImportTarget {
  readonly name: string
  readonly answers = new Answers()
  readonly #client: RemoteClient
  readonly #staging = new Store({ databaseCount: DATABASES, firstArenaBytes: FIRST_ARENA_BYTES, random: Math.random })
  #selected = 0
  /** Libraries of functions that the loader has met. */
  readonly #functions: Buffer[] = []
  /** Requests of the load that are not answered yet. */
  #loadingCount = 0
  #loadError: string | null = null
  #isLoading = false
  #lost: ImportError | null = null
  #onChange: () => void = () => {}
  readonly #warn: (message: string) => void

  static async connect(url: ServerUrl, warn: (message: string) => void): Promise<RemoteTarget> {
    try {
      const client = await RemoteClient.connect(url.address)
      const target = new RemoteTarget(url, client, warn)
      if (url.credentials !== null) {
        const { user, password } = url.credentials
        await target.#call('AUTH', ...(user === undefined ? [password] : [user, password]))
      }
      await target.#call('PING')
      return target
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error
      throw new ImportError(`${url.text}: ${error.message}`)
    }
  }

  private constructor(url: ServerUrl, client: RemoteClient, warn: (message: string) => void) {
    this.name = url.text
    this.#client = client
    this.#warn = warn
    client.onUnasked = (reply) => this.#answered(reply)
    client.onLost = (error) => {
      this.#lost = new ImportError(`the target ${url.text} was lost: ${error.message}`)
      this.#onChange()
    }
  }

  async #call(...args: string[]): Promise<WireReply> {
    const reply = await this.#client.call(...args)
    if (reply.kind === 'error') throw new ImportError(`${this.name}: ${args[0]} was refused: ${reply.bytes}`)
    return reply
  }

  async keyCount(): Promise<number> {
    const reply = await this.#call('INFO', 'keyspace')
    const text = 'bytes' in reply ? reply.bytes.toString() : ''
    return [...text.matchAll(/^db\d+:keys=(\d+)/gm)].reduce((sum, [, keys]) => sum + Number(keys), 0)
  }

  async clear(): Promise<void> {
    await this.#call('FLUSHALL')
    await this.#call('FUNCTION', 'FLUSH')
  }

  // ---- A snapshot ----

  openLoader(totalBytes: number | undefined): RdbLoader {
    this.#isLoading = true
    this.#staging.flushAll()
    this.#staging.setNow(Date.now())
    return new RdbLoader(this.#staging, {
      ...(totalBytes === undefined ? {} : { totalBytes }),
      verifiesChecksum: true,
      allowsNewerVersion: false,
      duplicates: 'refuse',
      keepsExpired: false,
      onFunction: (code) => this.#functions.push(Buffer.from(code)),
      warn: this.#warn,
    })
  }

  async takeLoaded(loader: RdbLoader): Promise<void> {
    for (const code of this.#functions.splice(0))
      await this.#restore([encodeRequest(['FUNCTION', 'LOAD', 'REPLACE', code])])
    // Of a value larger than the window, a part is there: it goes when it is whole.
    if (loader.isWithinValue || this.#staging.keyCount === 0) return
    for (const { index, dict, count } of this.#staging.databases) {
      if (count === 0) continue
      let batch: Buffer[] = []
      let batchBytes = 0
      if (index !== this.#selected) batch.push(encodeRequest(['SELECT', String(index)]))
      this.#selected = index
      const handles: Handle[] = []
      dict.forEach((handle) => void handles.push(handle))
      for (const handle of handles) {
        const request = this.#restoreRequest(handle)
        batch.push(request)
        batchBytes += request.length
        if (batchBytes < BATCH_BYTES) continue
        await this.#restore(batch)
        batch = []
        batchBytes = 0
      }
      await this.#restore(batch)
    }
    this.#staging.flushAll()
    this.#staging.setNow(Date.now())
  }

  #restoreRequest(handle: Handle): Buffer {
    const { records } = this.#staging
    const expireAtMs = records.expireAtMs(handle)
    const idleSeconds = this.#staging.idleSeconds(handle) ?? 0
    return encodeRequest([
      'RESTORE',
      records.keyCopy(handle),
      expireAtMs === NEVER ? '0' : String(expireAtMs),
      dumpObject(this.#staging, handle, true),
      'REPLACE',
      'ABSTTL',
      ...(idleSeconds > 0 ? ['IDLETIME', String(idleSeconds)] : []),
    ])
  }

  async #restore(requests: readonly Buffer[]): Promise<void> {
    this.#loadingCount += requests.length
    this.#check()
    await this.#client.send(Buffer.concat(requests))
    this.#check()
  }

  async finishLoad(): Promise<void> {
    // The stream that may follow begins in no database: it says which.
    this.#loadingCount++
    this.#selected = 0
    await this.#client.send(encodeRequest(['SELECT', '0']))
    await this.#until(() => this.#loadingCount === 0 || this.#loadError !== null)
    this.#isLoading = false
  }

  #check(): void {
    if (this.#lost !== null) throw this.#lost
    if (this.#loadError !== null) throw new ImportError(`${this.name} refused a key: ${this.#loadError}`)
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (!isTrue() && this.#lost === null) {
      await new Promise<void>((resolve) => {
        this.#onChange = resolve
      })
    }
    this.#check()
  }

  #answered(reply: WireReply): void {
    if (!this.#isLoading) this.answers.take(reply)
    else {
      this.#loadingCount--
      if (reply.kind === 'error') this.#loadError ??= reply.bytes.toString()
    }
    this.#onChange()
  }

  // ---- A stream ----

  async send(bytes: Uint8Array, commandCount: number, endOffset: number): Promise<void> {
    this.answers.expect(commandCount, endOffset)
    if (commandCount > 0) await this.#client.send(bytes)
    this.#check()
  }

  settle(): Promise<void> {
    return this.#until(() => this.answers.isSettled)
  }

  async close(): Promise<void> {
    this.#client.onLost = () => {}
    this.#client.close()
  }
}
