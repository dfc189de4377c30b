// A process that asks for one key again and again, and how long each answer takes: what a user of the cache notices of the
// log's work. It asks a thousand times a second, as somebody does who has other work too.

import { connect } from 'node:net'

export interface Probe {
  readonly port: number
  readonly seconds: number
}

export interface ProbeResult {
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

const KEY = 'probe'
const SET = `*3\r\n$3\r\nSET\r\n$5\r\n${KEY}\r\n$20\r\n${'x'.repeat(20)}\r\n`
const GET = Buffer.from(`*2\r\n$3\r\nGET\r\n$5\r\n${KEY}\r\n`)
const GET_REPLY_BYTES = '$20\r\n'.length + 20 + 2
const PAUSE_MS = 1
const WARMUP_COUNT = 500

async function probe({ port, seconds }: Probe): Promise<ProbeResult> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  let arrived = (_sizeBytes: number) => {}
  socket.on('data', (chunk) => arrived(chunk.length))
  const answered = (sizeBytes: number) =>
    new Promise<void>((resolve, reject) => {
      let receivedBytes = 0
      arrived = (arrivedBytes) => {
        receivedBytes += arrivedBytes
        if (receivedBytes >= sizeBytes) resolve()
      }
      socket.once('error', reject)
    })
  const ask = async (request: Buffer | string, replyBytes: number) => {
    const askedAtMs = performance.now()
    socket.write(request)
    await answered(replyBytes)
    socket.removeAllListeners('error')
    return performance.now() - askedAtMs
  }
  await ask(SET, '+OK\r\n'.length)
  for (let count = 0; count < WARMUP_COUNT; count++) await ask(GET, GET_REPLY_BYTES)
  const times: number[] = []
  const endsAtMs = performance.now() + seconds * 1000
  while (performance.now() < endsAtMs) {
    times.push(await ask(GET, GET_REPLY_BYTES))
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
  socket.destroy()
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))]
  return { count: times.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: times[times.length - 1] }
}

/** Takes a processor for itself, and does nothing with it. */
function burn(seconds: number): void {
  const endsAtMs = performance.now() + seconds * 1000
  while (performance.now() < endsAtMs);
}

process.once('message', async (work: Probe | { readonly burnSeconds: number }) => {
  let reply: unknown
  try {
    if ('burnSeconds' in work) burn(work.burnSeconds)
    reply = { result: 'burnSeconds' in work ? null : await probe(work) }
  } catch (error) {
    reply = { failure: (error as Error).message }
  }
  process.send!(reply, () => process.disconnect())
})
