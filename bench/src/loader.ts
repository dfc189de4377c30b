// Fills a server with keys as fast as it takes them: raw RESP in buffers that are made once, of which only the keys'
// digits change. The window bounds what is under way, the same for both servers, so that a probe beside the loader
// measures the server and not a queue.
//
//   | *3 $3 SET $16 key: | 000000000042 | $20 vvvv... |   one command; `batchCount` of them, all of one length, in a buffer

import { createConnection } from 'node:net'
import { encodeCommand } from './client.ts'

export interface LoadPlan {
  port: number
  keyCount: number
  valueBytes: number
  /** What comes before the 12 digits of a key; "key:" gives 16 bytes, and redis-benchmark's own names. */
  prefix?: string
  /** The value, when it is not to be `valueBytes` letters. */
  value?: string
  /** Further arguments of SET, such as `EX 100`. */
  setOptions?: readonly string[]
  /** All commands write key 0: the same work without growth. */
  sameKey?: boolean
  connectionCount?: number
  batchCount?: number
  /** Batches under way on a connection. */
  windowCount?: number
}

const digitCount = 12
const digits = '0'.repeat(digitCount)
const okBytes = '+OK\r\n'.length
const minus = '-'.charCodeAt(0)

/** The time it took, from the first command to the last reply. Rejects on any error reply. */
export async function load(plan: LoadPlan): Promise<{ elapsedMs: number }> {
  const startedAtMs = performance.now()
  const connectionCount = plan.connectionCount ?? 4
  const share = Math.ceil(plan.keyCount / connectionCount)
  const slices: Promise<void>[] = []
  for (let first = 0; first < plan.keyCount; first += share) {
    slices.push(loadSlice(plan, first, Math.min(first + share, plan.keyCount)))
  }
  await Promise.all(slices)
  return { elapsedMs: performance.now() - startedAtMs }
}

function loadSlice(plan: LoadPlan, first: number, end: number): Promise<void> {
  const batchCount = plan.batchCount ?? 200
  const windowCount = plan.windowCount ?? 2
  const key = (plan.prefix ?? 'key:') + digits
  const value = plan.value ?? 'v'.repeat(plan.valueBytes)
  const command = Buffer.from(encodeCommand(['SET', key, value, ...(plan.setOptions ?? [])]), 'latin1')
  const digitsAt = command.indexOf(key) + key.length - digitCount
  // A buffer is written again only when its replies have come: until then the socket may still hold it.
  const buffers = Array.from({ length: windowCount }, () => Buffer.alloc(command.length * batchCount, command))

  return new Promise((resolve, reject) => {
    const socket = createConnection({ port: plan.port, host: '127.0.0.1', noDelay: true })
    let next = first
    let sentCount = 0
    let repliedBytes = 0
    let repliedCount = 0

    const send = () => {
      const count = Math.min(batchCount, end - next)
      const buffer = buffers[sentCount++ % windowCount]
      if (!plan.sameKey) writeKeys(buffer, next, count, command.length, digitsAt)
      next += count
      socket.write(count === batchCount ? buffer : buffer.subarray(0, count * command.length))
    }

    socket.on('connect', () => {
      for (let i = 0; i < windowCount && next < end; i++) send()
    })
    socket.on('data', (chunk) => {
      if (chunk.includes(minus)) {
        socket.destroy(new Error(`a SET was refused: ${chunk.subarray(chunk.indexOf(minus)).toString('latin1')}`))
        return
      }
      repliedBytes += chunk.length
      if (repliedBytes === (end - first) * okBytes) {
        socket.destroy()
        resolve()
        return
      }
      while (next < end && repliedBytes >= (repliedCount + 1) * batchCount * okBytes) {
        repliedCount++
        send()
      }
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the server closed a loading connection')))
  })
}

// hot: once per key. The numbers in a buffer only grow, so leading zeros stay as they are.
function writeKeys(buffer: Buffer, first: number, count: number, strideBytes: number, digitsAt: number): void {
  for (let i = 0; i < count; i++) {
    let rest = first + i
    let at = i * strideBytes + digitsAt + digitCount - 1
    while (rest > 0) {
      const tenth = (rest / 10) | 0
      buffer[at--] = 48 + rest - tenth * 10
      rest = tenth
    }
  }
}
