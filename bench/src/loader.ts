// Fills a server as fast as it takes it. Keys of strings (`load`): raw RESP in buffers that are made once, of which only the keys'
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

const commandsPerBatch = 200
const batchBytesMax = 64 * 1024
const batchesUnderWay = 2
const newline = '\n'.charCodeAt(0)
const firstBytesOfReply = new Set([...'+:$'].map((type) => type.charCodeAt(0)))

/** Sends commands of any kind over one connection, each of which must answer by a single string or number. */
export function loadCommands(port: number, commands: Iterable<readonly string[]>): Promise<void> {
  const iterator = commands[Symbol.iterator]()
  let isOver = false
  let sentCount = 0
  let repliedCount = 0
  /** For each batch under way, how many commands were sent with its last. */
  const batchEnds: number[] = []

  const nextBatch = (): string => {
    let batch = ''
    for (let count = 0; count < commandsPerBatch && batch.length < batchBytesMax; count++) {
      const next = iterator.next()
      if (next.done) {
        isOver = true
        break
      }
      batch += encodeCommand(next.value)
      sentCount++
    }
    return batch
  }

  return new Promise((resolve, reject) => {
    const socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
    const pump = () => {
      while (batchEnds.length > 0 && repliedCount >= batchEnds[0]) batchEnds.shift()
      while (!isOver && batchEnds.length < batchesUnderWay) {
        const batch = nextBatch()
        if (batch === '') break
        batchEnds.push(sentCount)
        socket.write(batch)
      }
      if (!isOver || repliedCount < sentCount) return
      socket.destroy()
      resolve()
    }

    let atLineStart = true
    socket.on('connect', pump)
    socket.on('data', (chunk) => {
      for (let i = 0; i < chunk.length; i++) {
        if (atLineStart && chunk[i] === minus) {
          socket.destroy(new Error(`a command was refused: ${chunk.subarray(i).toString('latin1').split('\r\n')[0]}`))
          return
        }
        if (atLineStart && firstBytesOfReply.has(chunk[i])) repliedCount++
        atLineStart = chunk[i] === newline
      }
      pump()
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the server closed a loading connection')))
  })
}
