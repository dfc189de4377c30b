import { setTimeout as sleep } from 'node:timers/promises'
import { RemoteError } from '../../net/remote-socket.ts'
import { RdbError } from '../../persistence/rdb/rdb-error.ts'
import { ReplicationLink, type ReplicationPoint, ReplicationRefused } from '../../resp/replication-link.ts'
import { ReplicationStream, ReplicationStreamError } from '../../resp/replication-stream.ts'
import { ImportError } from './import-error.ts'
import { STOPPED } from './messages.ts'
import type { ServerUrl } from './options.ts'
import type { Progress } from './progress.ts'
import { loadSnapshot } from './snapshot-load.ts'
import type { ImportTarget } from './target.ts'

const ACKNOWLEDGE_EVERY_MS = 1000
const RETRY_MS_MIN = 100
const RETRY_MS_MAX = 5000
/** Refused commands are told, as long as there are not more. */
const TOLD_REFUSALS_MAX = 10

export interface FollowOptions {
  readonly stop: AbortSignal
  /** Goes on with what changes, until it is stopped. */
  readonly follows: boolean
  /** Deletes what the target holds, when the source's data is about to come. */
  readonly replaces: boolean
}

/** Brings a server's data into the target, and keeps it the same from then on when asked to. */
export class Follower {
  readonly #source: ServerUrl
  readonly #target: ImportTarget
  readonly #progress: Progress
  readonly #stop: AbortSignal
  readonly #follows: boolean
  readonly #replaces: boolean
  #link: ReplicationLink | null = null
  /** Up to here everything has been passed on. */
  #point: ReplicationPoint | null = null
  /** Something of the source is in the target. */
  #hasBegun = false
  /** Everything is. */
  #isComplete = false

  constructor(source: ServerUrl, target: ImportTarget, progress: Progress, options: FollowOptions) {
    this.#source = source
    this.#target = target
    this.#progress = progress
    this.#stop = options.stop
    this.#follows = options.follows
    this.#replaces = options.replaces
    const { answers } = target
    answers.onRefused = (error) => {
      if (answers.refusedCount <= TOLD_REFUSALS_MAX)
        progress.tell(`warning: ${target.name} refused a command: ${error}`)
    }
  }

  /** Resolves when everything is there, or when it is stopped: whether everything is there. Rejects with ImportError. */
  async run(): Promise<boolean> {
    const stop = this.#stop
    const close = () => this.#link?.close()
    stop.addEventListener('abort', close)
    let retryMs = RETRY_MS_MIN
    try {
      while (!stop.aborted) {
        try {
          await this.#connect()
          retryMs = RETRY_MS_MIN
          if (!this.#follows) return true
          await this.#follow()
        } catch (error) {
          if (stop.aborted) break
          this.#mayRetry(error)
          await sleep(retryMs, undefined, { signal: stop }).catch(() => {})
          retryMs = Math.min(RETRY_MS_MAX, retryMs * 2)
        } finally {
          this.#link?.close()
          this.#link = null
        }
      }
      if (this.#isComplete) await this.#target.settle()
      this.#progress.tell(this.#isComplete ? this.#summary() : STOPPED)
      return this.#isComplete
    } finally {
      stop.removeEventListener('abort', close)
    }
  }

  #summary(): string {
    const { commandCount, refusedCount } = this.#target.answers
    const refused = refusedCount === 0 ? '' : `, of which ${refusedCount} were refused`
    return `stopped; ${commandCount.toLocaleString('en')} commands were passed on${refused}`
  }

  /** Tells of a lost connection, if another may be better; throws what cannot be. */
  #mayRetry(error: unknown): void {
    const { text } = this.#source
    if (error instanceof RdbError) throw new ImportError(`the snapshot of ${text} cannot be read: ${error.message}`)
    if (error instanceof ReplicationStreamError)
      throw new ImportError(`${text} sent what is no command: ${error.message}`)
    if (!(error instanceof RemoteError)) throw error
    const isHopeless = error instanceof ReplicationRefused && !error.isTransient
    // Before anything is there, an error is most likely one in the address.
    if (isHopeless || !this.#follows || (!this.#hasBegun && !(error instanceof ReplicationRefused))) {
      throw new ImportError(`${text}: ${error.message}`)
    }
    this.#progress.tell(`the connection to ${text} was lost (${error.message}); trying again`)
  }

  /** Connects, and brings the target to where the stream begins. */
  async #connect(): Promise<void> {
    const { address, credentials } = this.#source
    const link = await ReplicationLink.open({ address, credentials, resumesFrom: this.#point })
    this.#link = link
    if (this.#stop.aborted) throw new RemoteError('stopped')
    if (!link.isFull) {
      this.#point = link.start
      this.#progress.tell(`in sync with ${this.#source.text} again, from where it was`)
      return
    }
    await this.#target.settle()
    this.#point = null
    this.#isComplete = false
    this.#progress.tell(
      this.#hasBegun
        ? `${this.#source.text} does not go on where it was: everything is imported anew`
        : `connected to ${this.#source.text}, which prepares a snapshot`,
    )
    const snapshot = await link.openSnapshot()
    // Not before: as long as nothing comes, nothing is to be lost.
    if (this.#hasBegun || this.#replaces) await this.#target.clear()
    this.#hasBegun = true
    if (!(await loadSnapshot(snapshot, this.#target, this.#progress, this.#stop))) throw new RemoteError('stopped')
    this.#target.answers.begin(link.start.offset)
    this.#point = link.start
    this.#isComplete = true
    if (this.#follows) this.#progress.tell(`in sync with ${this.#source.text}; following until stopped`)
  }

  /** Passes on what changes. Rejects when the connection ends. */
  async #follow(): Promise<never> {
    const link = this.#link!
    const { answers } = this.#target
    const { replicationId, offset } = this.#point!
    const stream = new ReplicationStream(offset)
    const acknowledge = () => {
      link.acknowledge(answers.offset)
      const commands = answers.commandCount.toLocaleString('en')
      this.#progress.showStream(`in sync with ${this.#source.text}: ${commands} commands, offset ${answers.offset}`)
    }
    acknowledge()
    const timer = setInterval(acknowledge, ACKNOWLEDGE_EVERY_MS)
    try {
      for (;;) {
        const commands = stream.push(await link.read())
        if (commands.endOffset === this.#point!.offset) continue
        await this.#target.send(commands.bytes, commands.commandCount, commands.endOffset)
        this.#point = { replicationId, offset: commands.endOffset }
        if (!commands.asksForAcknowledgement) continue
        await this.#target.settle()
        acknowledge()
      }
    } finally {
      clearInterval(timer)
    }
  }
}
