// What Node alone can do: a server that reads and answers in Node's cheapest way, the one that Headpond's own sockets use, and does
// nothing in between. It takes each read for one request, so it stands beside the others where they are asked one at a time.
// What Headpond lacks against it is the price of its own work; what it lacks against memcached, no server on Node can have.

import { createServer } from 'node:net'
import { acceptRaw } from 'headpond/src/net/raw-socket.ts'

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

const server = createServer()
const argument = (flag: string) => process.argv[process.argv.indexOf(flag) + 1]
server.listen(Number(argument('-p')), argument('-l'), () => {
  const isPossible = acceptRaw(server, (socket) => {
    socket.owner = { drained() {}, ended: () => socket.destroy(), closed() {} }
    socket.readInto(buffer, (sizeBytes) => {
      socket.write(answerOf(sizeBytes))
      return true
    })
    socket.resume()
  })
  if (!isPossible) throw new Error('this runtime has no sockets as Headpond uses them')
})
process.on('SIGTERM', () => process.exit(0))
