import { OutputBuffer, type OutputSink } from '../net/output-buffer.ts'
import type { Client } from './client.ts'
import type { RespEngine } from './engine.ts'
import { Reply } from './reply.ts'

/**
 * What clients are sent, and in which order: the replies of the command that runs, the answers of waits that end, and
 * messages that stand in no reply (of PUBLISH, MONITOR, keyspace events, CLIENT TRACKING).
 */
export class Outgoing {
  /** What the running command writes into. */
  readonly reply = new Reply(new OutputBuffer())
  readonly #engine: RespEngine
  /** Messages to the current client that wait for the end of its command. */
  #deferredPushes: Buffer[] = []
  /** The client whose wait ends now, and messages to it that wait until it is answered. */
  #answered: { readonly client: Client; readonly pushes: Buffer[] } | null = null

  constructor(engine: RespEngine) {
    this.#engine = engine
  }

  /** Replies are written batch by batch: how many there were. */
  get writeCount(): number {
    return this.reply.out.flushCount
  }

  resetStatistics(): void {
    this.reply.out.flushCount = 0
  }

  /** From here on `reply` is the client's. hot: once for each read of a socket. */
  begin(client: Client): void {
    this.reply.protocol = client.protocol
    this.reply.out.attach(client.isSilenced ? NOWHERE : client.sink)
  }

  /** The commands of the current client that have arrived are over. hot: as `begin`. */
  finish(client: Client): void {
    this.sendDeferredPushes(client)
    this.reply.out.flush()
  }

  /**
   * Writes to a client outside of its own requests: when a wait ends.
   * Replies of the client whose command is running go on where they are.
   */
  replyTo(client: Client, write: (reply: Reply) => void): void {
    const engine = this.#engine
    const sink = new GatheringSink()
    const reply = new Reply(new OutputBuffer(4096))
    reply.protocol = client.protocol
    reply.errors = engine.statistics.errors
    reply.out.attach(sink)
    const pushes: Buffer[] = []
    const answered = this.#answered
    this.#answered = { client, pushes }
    write(reply)
    this.#answered = answered
    reply.out.flush()
    if (reply.errorCount > 0 && client.lastCommand !== null) client.lastCommand.failedCount++
    const bytes = sink.take()
    if (bytes.length > 0 && !client.isSilenced) this.#send(client, bytes)
    for (const push of pushes) this.#send(client, push)
    if (bytes.length === 0 || client.replyMode !== 'skipping') return
    if (client === engine.current) this.setReplyMode(client, 'on')
    else client.replyMode = 'on'
  }

  /**
   * Sends a message to a client, in order with its replies, which may be silenced.
   *
   * A client can be the cause of its own message, by PUBLISH or a keyspace event. Within an array it would be taken for
   * an element, so it has to wait until the command is over. PUBLISH has written nothing yet, and Redis 7.0 sends the
   * message before the reply.
   */
  pushTo(client: Client, bytes: Buffer): void {
    if (client === this.#answered?.client) {
      this.#answered.pushes.push(bytes)
      return
    }
    const mayBeWithinReply =
      client === this.#engine.current &&
      !client.isMonitor &&
      (client.deniesBlocking || !client.lastCommand?.spec.flags.includes('pubsub'))
    if (mayBeWithinReply) this.#deferredPushes.push(bytes)
    else this.#send(client, bytes)
  }

  /** Sends the messages that waited for the current client's command to be over. */
  sendDeferredPushes(client: Client): void {
    if (this.#deferredPushes.length === 0) return
    const pushes = this.#deferredPushes
    this.#deferredPushes = []
    for (const bytes of pushes) this.#send(client, bytes)
  }

  #send(client: Client, bytes: Buffer): void {
    if (client !== this.#engine.current) {
      if (client.connection !== null) client.connection.push(bytes)
      else client.sink.write(bytes)
    } else if (client.isSilenced) {
      client.sink.write(bytes)
    } else {
      this.reply.raw(bytes)
    }
  }

  // ---- CLIENT REPLY ----

  /** Silences the current client's replies, or lets it hear them again, from here on. */
  setReplyMode(client: Client, mode: Client['replyMode']): void {
    client.replyMode = mode
    this.#direct(client.isSilenced ? NOWHERE : client.sink)
  }

  /** A command is over: CLIENT REPLY SKIP silences the next one, and that one only. A wait ends when it is answered. */
  advanceReplyMode(client: Client): void {
    if (client.replyMode === 'skip') this.setReplyMode(client, 'skipping')
    else if (client.replyMode === 'skipping' && client.blocked === null) this.setReplyMode(client, 'on')
  }

  /** Lets the current client hear what `write` writes even when its replies are silenced: confirmations of SUBSCRIBE. */
  writePush(client: Client, write: () => void): void {
    if (!client.isSilenced) return write()
    this.#direct(client.sink)
    write()
    this.#direct(NOWHERE)
  }

  #direct(sink: OutputSink): void {
    this.reply.out.flush()
    this.reply.out.attach(sink)
  }
}

const NOWHERE: OutputSink = { write: () => true }

/** Gathers what is written, for replies that are not sent at once. */
class GatheringSink implements OutputSink {
  #parts: Buffer[] = []

  write(bytes: Uint8Array): boolean {
    this.#parts.push(Buffer.from(bytes))
    return true
  }

  take(): Buffer {
    const bytes = this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts)
    this.#parts = []
    return bytes
  }
}
