// What Node alone can do: a server that reads and answers in Node's cheapest way, and does nothing in between. It takes each read
// for one request, so it stands beside the others where they are asked one at a time. What it lacks against memcached,
// no server on Node can have.

import { createServer, Socket } from 'node:net'

const SET = 's'.charCodeAt(0)
const READ_BYTES = 16384
const STORED = Buffer.from('STORED\r\n')
const buffer = Buffer.alloc(READ_BYTES)
/** The answer to each get: the item that came last. */
let item = Buffer.from('END\r\n')
let setBytes = 0

function answerOf(sizeBytes: number): Buffer {
  if (buffer[0] !== SET) return item
  if (sizeBytes !== setBytes) {
    setBytes = sizeBytes
    const [line, value] = buffer.toString('latin1', 0, sizeBytes).split('\r\n', 2)
    item = Buffer.from(`VALUE ${line.split(' ')[1]} 0 ${value.length}\r\n${value}\r\nEND\r\n`)
  }
  return STORED
}

const server = createServer({ noDelay: true, pauseOnConnect: true }, (accepted) => {
  const internals = accepted as unknown as { _handle: unknown }
  const callback = (sizeBytes: number) => {
    socket.write(answerOf(sizeBytes))
    return true
  }
  const options = { handle: internals._handle, onread: { buffer, callback } }
  const socket: Socket = new Socket(options as ConstructorParameters<typeof Socket>[0])
  internals._handle = null
  socket.on('error', () => {})
  socket.resume()
})
const argument = (flag: string) => process.argv[process.argv.indexOf(flag) + 1]
server.listen(Number(argument('-p')), argument('-l'))
process.on('SIGTERM', () => process.exit(0))
