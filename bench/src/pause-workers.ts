// The two processes beside a server whose pauses are measured, driven by messages from `pauses.ts`.
//
// "probe": a GET every millisecond over its own connection, whether or not earlier ones were answered, so that a stall
// is seen by every request that falls into it. Its process does nothing else.
// "load": the loader, in a process of its own so that it cannot hold up the probe.
// "toil": work that has nothing to do with the server.

import { spawnSync } from 'node:child_process'
import { createConnection } from 'node:net'
import { setPriority } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { encodeCommand } from './client.ts'
import { type LoadPlan, load } from './loader.ts'
import { type ToilPlan, toil } from './toil.ts'

export type WorkerRequest =
  | { kind: 'load'; plan: LoadPlan }
  | { kind: 'toil'; plan: ToilPlan }
  | { kind: 'probe-begin'; port: number }
  | { kind: 'probe-end' }

export type WorkerReply =
  | { kind: 'loaded'; elapsedMs: number }
  | { kind: 'toiled' }
  | { kind: 'probing' }
  | { kind: 'probed'; result: ProbeResult }
  | { kind: 'failed'; message: string }

export interface ProbeResult {
  count: number
  maxMs: number
  p999Ms: number
  /** How late the probe's own timer came at worst: pauses below this are the machine's, not the server's. */
  ownDelayMsMax: number
}

const intervalMs = 1
const sampleCountMax = 1 << 20
/** The first answers are those of code that was never run before, on both sides. */
const warmUpMs = 500
const request = Buffer.from(encodeCommand(['GET', 'probe:absent']))
const replyBytes = '$-1\r\n'.length
const minus = '-'.charCodeAt(0)

class Probe {
  readonly #socket
  readonly #latenciesMs = new Float64Array(sampleCountMax)
  readonly #sentAtMs = new Float64Array(sampleCountMax)
  #sentCount = 0
  #repliedBytes = 0
  #repliedCount = 0
  #ownDelayMsMax = 0
  #running = true
  #failure: Error | undefined

  static connect(port: number): Promise<Probe> {
    return new Promise((resolve, reject) => {
      const socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
      socket.once('error', reject)
      socket.once('connect', () => resolve(new Probe(socket)))
    })
  }

  private constructor(socket: ReturnType<typeof createConnection>) {
    this.#socket = socket
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('error', (error) => {
      this.#failure = error
    })
    socket.on('close', () => {
      this.#failure ??= new Error('the server closed the probing connection')
    })
    this.#tick(performance.now())
  }

  /** Forgets what was measured so far; to be called while nothing disturbs the server. */
  async restart(): Promise<void> {
    this.#running = false
    while (this.#repliedCount < this.#sentCount && !this.#failure) await sleep(intervalMs)
    this.#sentCount = 0
    this.#repliedCount = 0
    this.#repliedBytes = 0
    this.#ownDelayMsMax = 0
    this.#running = true
    this.#tick(performance.now())
  }

  /** Waits for what is still under way: a stall that has begun counts in full. */
  async end(): Promise<ProbeResult> {
    this.#running = false
    while (this.#repliedCount < this.#sentCount && !this.#failure) await sleep(intervalMs)
    if (this.#failure) throw this.#failure
    this.#socket.destroy()
    const sorted = this.#latenciesMs.subarray(0, this.#repliedCount).sort()
    return {
      count: sorted.length,
      maxMs: sorted[sorted.length - 1],
      p999Ms: sorted[Math.floor((sorted.length - 1) * 0.999)],
      ownDelayMsMax: this.#ownDelayMsMax,
    }
  }

  #tick(dueAtMs: number): void {
    if (!this.#running || this.#sentCount === sampleCountMax || this.#failure) return
    const nowMs = performance.now()
    this.#ownDelayMsMax = Math.max(this.#ownDelayMsMax, nowMs - dueAtMs)
    this.#sentAtMs[this.#sentCount++] = nowMs
    this.#socket.write(request)
    setTimeout(() => this.#tick(nowMs + intervalMs), intervalMs)
  }

  #take(chunk: Buffer): void {
    const nowMs = performance.now()
    if (this.#repliedBytes % replyBytes === 0 && chunk[0] === minus) {
      this.#failure = new Error(`the probe was refused: ${chunk.toString('latin1')}`)
      return
    }
    this.#repliedBytes += chunk.length
    while ((this.#repliedCount + 1) * replyBytes <= this.#repliedBytes) {
      this.#latenciesMs[this.#repliedCount] = nowMs - this.#sentAtMs[this.#repliedCount]
      this.#repliedCount++
    }
  }
}

let probe: Probe | undefined

async function answer(message: WorkerRequest): Promise<WorkerReply> {
  switch (message.kind) {
    case 'load':
      return { kind: 'loaded', ...(await load(message.plan)) }
    case 'toil':
      await toil(message.plan)
      return { kind: 'toiled' }
    case 'probe-begin':
      preferThisProcess()
      probe = await Probe.connect(message.port)
      await sleep(warmUpMs)
      await probe.restart()
      return { kind: 'probing' }
    case 'probe-end': {
      if (!probe) throw new Error('no probe is running')
      return { kind: 'probed', result: await probe.end() }
    }
  }
}

/** With fewer cores than processes the probe would measure the scheduler; it sleeps nearly always, so it harms nobody. */
function preferThisProcess(): void {
  // Real time: whoever runs gives way at once. A low nice value alone waits until the other's turn is over.
  if (spawnSync('chrt', ['--fifo', '--pid', '1', String(process.pid)], { stdio: 'ignore' }).status === 0) return
  try {
    setPriority(-10)
  } catch {
    // Only the superuser may; `ownDelayMsMax` tells what it cost.
  }
}

process.on('message', (message: WorkerRequest) => {
  answer(message)
    .catch((error: Error): WorkerReply => ({ kind: 'failed', message: error.message }))
    .then((reply) => process.send?.(reply))
})
// The parent is gone: nobody is left to answer.
process.on('disconnect', () => process.exit(0))
