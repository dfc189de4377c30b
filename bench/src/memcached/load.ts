// One process of load: connections that each send a batch, wait for its last answer, and send the next. Requests are made
// before the run and answers have known lengths, so that the generator costs as little as Node allows.

import { createConnection, type Socket } from 'node:net'

export interface LoadRequest {
  readonly port: number
  readonly operation: 'get' | 'set'
  readonly pipeline: number
  readonly connectionCount: number
  readonly keyCount: number
  readonly valueBytes: number
  readonly seconds: number
}

export interface LoadResult {
  readonly commandCount: number
  readonly seconds: number
  /** Of the time from sending a batch to its last answer, in milliseconds. */
  readonly p99Ms: number
}

const KEY_BYTES = 16
/** Requests made before the run: so many that what they ask for is not all in the processor's cache. */
const REQUESTS_BYTES = 32 * 2 ** 20
const BATCH_COUNT_MAX = 16_384
const WARMUP_SHARE = 0.2
const LATENCIES_MAX = 1_000_000

export function keyOf(index: number): string {
  return `key:${String(index).padStart(KEY_BYTES - 4, '0')}`
}

function requestOf({ operation, valueBytes }: LoadRequest, key: string): string {
  return operation === 'get' ? `get ${key}\r\n` : `set ${key} 0 0 ${valueBytes}\r\n${'x'.repeat(valueBytes)}\r\n`
}

function answerBytes({ operation, valueBytes }: LoadRequest): number {
  if (operation === 'set') return 'STORED\r\n'.length
  return `VALUE ${keyOf(0)} 0 ${valueBytes}\r\n`.length + valueBytes + '\r\nEND\r\n'.length
}

export async function generateLoad(request: LoadRequest): Promise<LoadResult> {
  const { pipeline, keyCount, connectionCount, seconds } = request
  const batchCount = Math.min(
    BATCH_COUNT_MAX,
    Math.ceil(REQUESTS_BYTES / (requestOf(request, keyOf(0)).length * pipeline)),
  )
  const batches = Array.from({ length: batchCount }, () =>
    Buffer.from(
      Array.from({ length: pipeline }, () => requestOf(request, keyOf(Math.floor(Math.random() * keyCount)))).join(''),
    ),
  )
  const expectedBytes = answerBytes(request) * pipeline
  const buffer = Buffer.alloc(65536)
  const latencies = new Float64Array(LATENCIES_MAX)
  let latencyCount = 0
  let commandCount = 0
  let isMeasuring = false
  let isOver = false
  let failure: Error | null = null
  let next = 0
  const sockets = await Promise.all(
    Array.from({ length: connectionCount }, () => {
      let missingBytes = 0
      let sentAtMs = 0
      const send = () => {
        missingBytes = expectedBytes
        sentAtMs = performance.now()
        socket.write(batches[next++ % batchCount])
      }
      const socket: Socket = createConnection({
        host: '127.0.0.1',
        port: request.port,
        noDelay: true,
        onread: {
          buffer,
          callback: (sizeBytes) => {
            missingBytes -= sizeBytes
            if (missingBytes > 0) return true
            if (missingBytes < 0)
              failure ??= new Error(`an answer that was not expected: ${buffer.toString('latin1', 0, 80)}`)
            if (isMeasuring) {
              commandCount += pipeline
              if (latencyCount < LATENCIES_MAX) latencies[latencyCount++] = performance.now() - sentAtMs
            }
            if (!isOver && failure === null) send()
            return true
          },
        },
      })
      return new Promise<Socket>((resolve, reject) => {
        socket.once('error', reject)
        socket.once('connect', () => {
          send()
          resolve(socket)
        })
      })
    }),
  )
  await sleep(seconds * WARMUP_SHARE)
  isMeasuring = true
  const startedAtMs = performance.now()
  await sleep(seconds)
  const measuredSeconds = (performance.now() - startedAtMs) / 1000
  isOver = true
  for (const socket of sockets) socket.destroy()
  if (failure !== null) throw failure
  const sorted = latencies.subarray(0, latencyCount).sort()
  return { commandCount, seconds: measuredSeconds, p99Ms: sorted[Math.floor(latencyCount * 0.99)] }
}

function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000))
}

if (process.send !== undefined) {
  process.once('message', (request: LoadRequest) => {
    generateLoad(request).then(
      (result) => process.send!({ result }, () => process.disconnect()),
      (error: Error) => process.send!({ failure: error.message }, () => process.disconnect()),
    )
  })
}
