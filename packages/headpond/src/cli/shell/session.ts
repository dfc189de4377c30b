import { setTimeout as sleep } from 'node:timers/promises'
import { type RemoteAddress, RemoteError } from '../../net/remote-socket.ts'
import { RemoteClient } from '../../resp/remote-client.ts'
import { encodeRequest, type WireReply } from '../../resp/wire-reply.ts'
import type { Console } from './console.ts'
import { errorText, type FormatOptions, formatReply, isPage, rawText } from './format.ts'
import type { OutputForm, ShellOptions } from './options.ts'
import { ShellError } from './shell-error.ts'

/** How a command ended: `failed` with an error reply, `lost` without any. */
export type Outcome = 'done' | 'failed' | 'lost' | 'interrupted'

/** Told of what changes what a session knows of its server. */
export interface SessionObserver {
  /** There is a connection, or another user on it. */
  readonly entered: () => void
  /** Messages are coming in, until the user wants to type a command beside them, or leaves; or the signal. */
  readonly streaming: (canTypeCommands: boolean, signal: AbortSignal) => Promise<'type' | 'leave'>
}

type SubscriptionKind = 'channel' | 'pattern' | 'shard'

const SUBSCRIBE_KINDS: Readonly<Record<string, SubscriptionKind>> = {
  subscribe: 'channel',
  psubscribe: 'pattern',
  ssubscribe: 'shard',
}
const UNSUBSCRIBE_KINDS: Readonly<Record<string, SubscriptionKind>> = {
  unsubscribe: 'channel',
  punsubscribe: 'pattern',
  sunsubscribe: 'shard',
}
const REDIRECTIONS_MAX = 16
const RECONNECT_PAUSE_SECONDS = 1

/**
 * One user's conversation with a server: a connection that is made again when it is lost, with user, database and
 * protocol as they were; what commands change of that; and how their replies are shown.
 */
export class Session {
  readonly options: ShellOptions
  readonly console: Console
  readonly form: OutputForm
  readonly #format: FormatOptions
  readonly #showsPushes: boolean
  #client: RemoteClient | null = null
  #host: string
  #port: number
  #database: number
  #protocol: 2 | 3
  #isInTransaction = false
  readonly #subscriptions: Readonly<Record<SubscriptionKind, Set<string>>> = {
    channel: new Set(),
    pattern: new Set(),
    shard: new Set(),
  }
  /** A command is under way: its reply has not been shown. */
  #isAnswering = false
  /** Pushed behind a reply that has not been shown. */
  #laterPushes: string[] = []
  #confirmationCount = 0
  #onMessage: () => void = () => {}
  #interruption = new AbortController()
  observer: SessionObserver | null = null

  constructor(options: ShellOptions, console: Console) {
    this.options = options
    this.console = console
    this.form = options.form ?? (console.isTerminal ? 'terminal' : 'raw')
    this.#format = { ...options, form: this.form }
    this.#showsPushes = options.showsPushes ?? console.isTerminal
    this.#host = options.host
    this.#port = options.port
    this.#database = options.database
    const isJson = this.form === 'json' || this.form === 'quoted-json'
    this.#protocol = options.protocol ?? (isJson ? 3 : 2)
  }

  /** `127.0.0.1:6379[1](TX)> ` */
  get prompt(): string {
    if (this.#client === null || this.#client.loss !== null) return 'not connected> '
    const database = this.#database === 0 ? '' : `[${this.#database}]`
    const transaction = this.#isInTransaction ? '(TX)' : ''
    const subscribed = this.#subscriptionCount > 0 ? '(subscribed mode)' : ''
    return `${this.#place('redis ')}${database}${transaction}${subscribed}> `
  }

  get #subscriptionCount(): number {
    const { channel, pattern, shard } = this.#subscriptions
    return channel.size + pattern.size + shard.size
  }

  get isConnected(): boolean {
    return this.#client !== null && this.#client.loss === null
  }

  /** The connection, made when there is none. Rejects with ShellError. */
  async client(): Promise<RemoteClient> {
    if (this.#client !== null && this.#client.loss === null) return this.#client
    this.#client = null
    this.#forgetState()
    const address: RemoteAddress = {
      host: this.#host,
      port: this.#port,
      path: this.options.socketPath,
      tls: this.options.tls,
    }
    let client: RemoteClient
    try {
      client = await RemoteClient.connect(address)
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error
      throw new ShellError(`Could not connect to Redis at ${this.#place('')}: ${error.message}`)
    }
    client.onPush = (reply) => this.#pushed(client, reply)
    this.#client = client
    await this.#introduce(client)
    this.observer?.entered()
    return client
  }

  /** Other host and port for this and all later connections. */
  async connectTo(host: string, port: number): Promise<void> {
    this.#client?.close()
    this.#client = null
    this.#host = host
    this.#port = port
    await this.client()
  }

  close(): void {
    this.#client?.close()
  }

  /** One request of the shell itself. Rejects with ShellError when it gets no reply. */
  async call(...args: readonly (string | Uint8Array)[]): Promise<WireReply> {
    const client = await this.client()
    try {
      return await client.call(...args)
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error
      throw new ShellError(`Error: ${error.message}`)
    }
  }

  /** As `call`, for what shall go on for ever: a connection that is lost is made again. */
  async callAgain(...args: readonly (string | Uint8Array)[]): Promise<WireReply> {
    const wasConnected = this.#client !== null
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.call(...args)
      } catch (error) {
        if (!wasConnected || !(error instanceof ShellError)) throw error
        if (this.console.isTerminal) this.console.print(`\r\x1b[0KReconnecting... ${attempt + 1}\r`)
        await this.pause(RECONNECT_PAUSE_SECONDS)
      }
    }
  }

  /** Waits between two runs of something; false when it was interrupted. */
  async pause(seconds: number): Promise<boolean> {
    try {
      await sleep(seconds * 1000, undefined, { signal: this.#interruption.signal })
      return true
    } catch {
      return false
    }
  }

  /** Leaves what is under way. The connection goes with it, since nothing else ends a command that waits. */
  interrupt(): void {
    this.#interruption.abort()
    this.#client?.close()
  }

  /** Runs a command as often as asked and shows its replies. */
  async run(args: readonly Uint8Array[], repeatCount = 1): Promise<Outcome> {
    this.#interruption = new AbortController()
    let outcome: Outcome = 'done'
    for (let count = 0; repeatCount < 0 || count < repeatCount; count++) {
      outcome = await this.#runOnce(args)
      if (outcome === 'lost' || outcome === 'interrupted') return outcome
      if (outcome === 'failed' && this.options.failsOnError) return outcome
      const isLast = count + 1 === repeatCount
      if (!isLast && this.options.intervalSeconds > 0 && !(await this.pause(this.options.intervalSeconds))) {
        return 'interrupted'
      }
    }
    return outcome
  }

  async #runOnce(args: readonly Uint8Array[]): Promise<Outcome> {
    const name = wordOf(args[0])
    try {
      const client = await this.client()
      if (name === 'sync' || name === 'psync') {
        this.console.print('Entering replica output mode...  (press Ctrl-C to quit)\n')
        const { followWrites } = await import('./replication.ts')
        await followWrites(this)
        return 'lost'
      }
      if (!this.#isInTransaction) {
        if (name === 'monitor') return await this.#monitor(client, args)
        if (name in SUBSCRIBE_KINDS) return await this.#subscribe(client, args)
        if (name in UNSUBSCRIBE_KINDS) return await this.#unsubscribe(client, args)
      }
      this.#isAnswering = true
      const reply = await this.#callFollowing(client, args)
      this.#learn(name, args, reply)
      return this.#show(reply, isPage(args))
    } catch (error) {
      if (this.#interruption.signal.aborted) return 'interrupted'
      if (error instanceof ShellError) this.console.printError(error.message)
      else if (error instanceof RemoteError) {
        if (name === 'shutdown') return 'done'
        this.console.printError(`Error: ${error.message}`)
      } else throw error
      return 'lost'
    } finally {
      this.#isAnswering = false
      for (const text of this.#laterPushes.splice(0)) this.console.write(text)
    }
  }

  /** A call whose redirections are followed, where the options say so. */
  async #callFollowing(client: RemoteClient, args: readonly Uint8Array[]): Promise<WireReply> {
    const request = encodeRequest(args)
    let reply = await client.callBytes(request)
    if (!this.options.followsRedirections) return reply
    for (let count = 0; count < REDIRECTIONS_MAX; count++) {
      const redirection = /^(MOVED|ASK) (\d+) (.*):(\d+)$/.exec(errorText(reply))
      if (redirection === null) return reply
      const [, kind, slot, host, port] = redirection
      // Without a host the node is meant that answered.
      const nextHost = host === '' ? this.#host : host
      if (this.form === 'terminal') {
        this.console.print(`-> Redirected to slot [${slot}] located at ${nextHost}:${port}\n`)
      }
      await this.connectTo(nextHost, Number(port))
      const next = await this.client()
      if (kind === 'ASK') await next.call('ASKING')
      reply = await next.callBytes(request)
    }
    return reply
  }

  /** What a reply says of user, database, protocol and transaction. */
  #learn(name: string, args: readonly Uint8Array[], reply: WireReply): void {
    if (reply.kind === 'error') {
      // A transaction that was refused as a whole is over.
      if (name === 'exec' && /^EXECABORT/.test(rawText(reply))) this.#isInTransaction = false
      return
    }
    if (this.#isInTransaction) {
      if (name === 'exec' || name === 'discard' || name === 'reset') this.#isInTransaction = false
      if (name !== 'reset') return
    }
    switch (name) {
      case 'multi':
        this.#isInTransaction = true
        break
      case 'select':
        this.#database = Number(wordOf(args[1]))
        break
      case 'auth':
        this.observer?.entered()
        break
      case 'hello': {
        const version = wordOf(args[1])
        if (version === '2' || version === '3') this.#protocol = version === '2' ? 2 : 3
        this.observer?.entered()
        break
      }
      case 'reset':
        this.#forgetState()
        this.#database = 0
        this.#protocol = 2
        break
    }
  }

  #forgetState(): void {
    this.#isInTransaction = false
    for (const names of Object.values(this.#subscriptions)) names.clear()
  }

  #show(reply: WireReply, asPage: boolean): Outcome {
    if (reply.kind === 'error' && this.options.failsOnError) {
      this.console.printError(errorText(reply))
      return 'failed'
    }
    this.console.write(asPage ? rawText(reply) : formatReply(reply, this.#format))
    return reply.kind === 'error' ? 'failed' : 'done'
  }

  /** User, database and protocol of a new connection. What fails is told, and the rest goes on, as in redis-cli. */
  async #introduce(client: RemoteClient): Promise<void> {
    const { user, password } = this.options
    try {
      if (password !== undefined) {
        const credentials = user === undefined ? [password] : [user, password]
        this.#tellFailure('AUTH failed', await client.call('AUTH', ...credentials))
      }
      if (this.#database !== 0) {
        const reply = await client.call('SELECT', String(this.#database))
        if (this.#tellFailure(`SELECT ${this.#database} failed`, reply)) this.#database = 0
      }
      if (this.#protocol === 3) {
        const reply = await client.call('HELLO', '3')
        // JSON is better by RESP3, and does without.
        if (this.options.protocol === 3) this.#tellFailure('HELLO 3 failed', reply)
        if (reply.kind === 'error') this.#protocol = 2
      }
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error
      throw new ShellError(`Error: ${error.message}`)
    }
  }

  #tellFailure(what: string, reply: WireReply): boolean {
    if (reply.kind !== 'error') return false
    this.console.printError(`${what}: ${errorText(reply)}`)
    return true
  }

  #place(socketPrefix: string): string {
    if (this.options.socketPath !== undefined) return socketPrefix + this.options.socketPath
    return `${this.#host.includes(':') ? `[${this.#host}]` : this.#host}:${this.#port}`
  }

  async #monitor(client: RemoteClient, args: readonly Uint8Array[]): Promise<Outcome> {
    const first = await client.callBytes(encodeRequest(args))
    if (first.kind === 'error') return this.#show(first, false)
    client.onUnasked = (reply) => this.#showNext(client, reply)
    this.#showNext(client, first)
    await this.#whileStreaming(client, false)
    client.close() // nothing else ends it
    return 'interrupted'
  }

  async #subscribe(client: RemoteClient, args: readonly Uint8Array[]): Promise<Outcome> {
    if (this.form !== 'raw') {
      const others = this.observer === null ? '' : ' or any key to type command'
      this.console.print(`Reading messages... (press Ctrl-C to quit${others})\n`)
    }
    if ((await this.#changeSubscriptions(client, args, args.length - 1)) === 'refused') return 'failed'
    const end = await this.#whileStreaming(client, true)
    if (end === 'leave') client.close()
    return 'interrupted'
  }

  async #unsubscribe(client: RemoteClient, args: readonly Uint8Array[]): Promise<Outcome> {
    const names = this.#subscriptions[UNSUBSCRIBE_KINDS[wordOf(args[0])]]
    const confirmationCount = args.length > 1 ? args.length - 1 : Math.max(1, names.size)
    const end = await this.#changeSubscriptions(client, args, confirmationCount)
    return end === 'refused' ? 'failed' : 'done'
  }

  /** Resolves when every channel was confirmed, or the command was refused. Rejects when the connection ends. */
  async #changeSubscriptions(
    client: RemoteClient,
    args: readonly Uint8Array[],
    confirmationCount: number,
  ): Promise<'changed' | 'refused'> {
    this.#confirmationCount = 0
    client.takesMessagesAsPushes = true
    try {
      return await new Promise<'changed' | 'refused'>((resolve, reject) => {
        this.#onMessage = () => this.#confirmationCount >= confirmationCount && resolve('changed')
        client.onUnasked = (reply) => {
          this.#showNext(client, reply)
          resolve('refused')
        }
        client.onLost = reject
        void client.send(encodeRequest(args))
      })
    } finally {
      this.#onMessage = () => {}
      client.onUnasked = () => {}
      client.onLost = () => {}
      client.takesMessagesAsPushes = this.#subscriptionCount > 0
    }
  }

  /** Until the user has enough. Rejects when the connection ends. */
  async #whileStreaming(client: RemoteClient, canTypeCommands: boolean): Promise<'type' | 'leave'> {
    const over = new AbortController()
    try {
      return await new Promise((resolve, reject) => {
        if (client.loss !== null) return reject(client.loss)
        client.onLost = reject
        void this.observer?.streaming(canTypeCommands, over.signal).then(resolve)
      })
    } finally {
      client.onLost = () => {}
      over.abort()
    }
  }

  #pushed(client: RemoteClient, reply: WireReply): void {
    const [first, name, count] = reply.kind === 'push' || reply.kind === 'array' ? reply.items : []
    const word = first === undefined ? '' : rawText(first)
    const isConfirmation = (word in SUBSCRIBE_KINDS || word in UNSUBSCRIBE_KINDS) && count !== undefined
    if (isConfirmation) {
      const text = rawText(name)
      if (word in SUBSCRIBE_KINDS) this.#subscriptions[SUBSCRIBE_KINDS[word]].add(text)
      else this.#subscriptions[UNSUBSCRIBE_KINDS[word]].delete(text)
      this.#confirmationCount++
    }
    if (isConfirmation || /^[ps]?message$/.test(word)) {
      this.#showNext(client, reply)
      this.#onMessage()
    } else if (this.#showsPushes) {
      const text = pushText(reply, this.#format)
      if (this.#isAnswering && client.waitingCount === 0) this.#laterPushes.push(text)
      else this.console.write(text)
    }
  }

  /** Shows one of many. Reads no more while they cannot be written. */
  #showNext(client: RemoteClient, reply: WireReply): void {
    if (this.console.write(formatReply(reply, this.#format))) return
    client.pause()
    void this.console.drained().then(() => client.resume())
  }
}

function pushText(reply: WireReply, format: FormatOptions): string {
  const [kind, keys] = reply.kind === 'push' ? reply.items : []
  const isInvalidation = kind !== undefined && rawText(kind) === 'invalidate' && keys?.kind === 'array'
  if (!isInvalidation) return formatReply(reply, format)
  return `-> invalidate: ${keys.items.map((key) => `'${rawText(key)}'`).join(', ')}\n`
}

function wordOf(arg: Uint8Array | undefined): string {
  return arg === undefined ? '' : Buffer.from(arg).toString('latin1').toLowerCase()
}
