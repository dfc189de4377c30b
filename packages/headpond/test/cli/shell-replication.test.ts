/** What the client takes from a server as a replica does: a snapshot in a file, and the writes after it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { runShell } from './shell-run.ts'

const MARK = '0123456789abcdef0123456789abcdef01234567'
/** Holds what could be taken for the mark, and all bytes there are. */
const SNAPSHOT = Buffer.concat([
  Buffer.from(`REDIS0010${MARK.slice(0, 39)}`),
  Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
])
const SIZED = Buffer.concat([Buffer.from(`\n\n$${SNAPSHOT.length}\r\n`), SNAPSHOT])
const MARKED = Buffer.concat([Buffer.from(`\n$EOF:${MARK}\r\n`), SNAPSHOT, Buffer.from(MARK)])
const WRITES = Buffer.from('*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$3\r\n\xff"\n\r\n', 'latin1')

let directory: string

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'headpond-cli-'))
})

after(() => rmSync(directory, { recursive: true, force: true }))

/** A server that grants what REPLCONF asks for, and answers SYNC with these pieces, each alone on its way. */
async function replicated(
  pieces: readonly Uint8Array[],
  use: (port: string, requests: () => string) => Promise<void>,
  refusal = '',
): Promise<void> {
  let requests = ''
  const listener = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      const request = bytes.toString('latin1')
      requests += request
      if (request.includes('SYNC')) void sendPieces(socket, pieces)
      else if (refusal !== '' && request.includes(refusal)) socket.write('-ERR Unrecognized REPLCONF option\r\n')
      else if (!request.includes('ACK')) socket.write('+OK\r\n')
    })
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  try {
    await use(String((listener.address() as AddressInfo).port), () => requests)
  } finally {
    listener.close()
  }
}

async function sendPieces(socket: Socket, pieces: readonly Uint8Array[]): Promise<void> {
  for (const piece of pieces) {
    await new Promise((resolve) => socket.write(piece, resolve))
    await new Promise(setImmediate)
  }
  socket.end()
}

function cutAt(bytes: Buffer, at: number): Buffer[] {
  return [bytes.subarray(0, at), bytes.subarray(at)]
}

test('--rdb writes the snapshot, however it is sent and cut', async () => {
  const path = join(directory, 'copy.rdb')
  for (const [answer, end] of [
    [SIZED, 'success.\n'],
    [MARKED, `success after ${SNAPSHOT.length} bytes\n`],
  ] as const) {
    const wholeAndBytes = [[answer], Array.from(answer, (byte) => Uint8Array.of(byte))]
    const cuts = Array.from({ length: 100 }, (_, at) => cutAt(answer, Math.floor((at * answer.length) / 100)))
    for (const pieces of [...wholeAndBytes, ...cuts]) {
      await replicated(pieces, async (port, requests) => {
        const { output, errors, exitCode } = await runShell(['-p', port, '--rdb', path])
        assert.deepEqual([output, exitCode], ['', 0], errors)
        assert.match(errors, /^sending REPLCONF capa eof\nsending REPLCONF rdb-only 1\nSYNC sent to master, writing /)
        assert.ok(errors.endsWith(end), errors)
        assert.deepEqual(readFileSync(path), SNAPSHOT)
        assert.match(requests(), /REPLCONF\r\n\$8\r\nrdb-only\r\n.*SYNC\r\n$/s)
      })
    }
  }
})

test('--rdb - writes to standard output', () =>
  replicated([MARKED], async (port) => {
    assert.equal((await runShell(['-p', port, '--rdb', '-'])).output, SNAPSHOT.toString('latin1'))
  }))

test('a snapshot that cannot be had is a failure', async () => {
  const fetch = async (pieces: readonly Uint8Array[], args: readonly string[], refusal?: string) => {
    let ending = { errors: '', exitCode: null as number | null }
    await replicated(pieces, async (port) => void (ending = await runShell(['-p', port, ...args])), refusal)
    assert.equal(ending.exitCode, 1)
    return ending.errors.trimEnd().split('\n').at(-1)
  }
  const path = join(directory, 'failed.rdb')
  assert.equal(
    await fetch([Buffer.from("-ERR unknown command 'SYNC'\r\n")], ['--rdb', path]),
    "SYNC with master failed: -ERR unknown command 'SYNC'",
  )
  for (const answer of [SIZED, MARKED]) {
    assert.match(
      (await fetch([answer.subarray(0, -1)], ['--rdb', path])) ?? '',
      /^Error reading RDB payload while SYNCing: /,
    )
  }
  assert.match((await fetch([], ['--rdb', path])) ?? '', /^Error reading bulk length while SYNCing: /)
  assert.equal(
    await fetch([SIZED], ['--rdb', join(directory, 'none', 'copy.rdb')]),
    `Error opening '${join(directory, 'none', 'copy.rdb')}': No such file or directory`,
  )
  assert.equal(
    await fetch([SIZED], ['--functions-rdb', path], 'rdb-filter-only'),
    'Failed requesting functions only RDB from server, aborting',
  )
  assert.equal(
    await fetch([SIZED], ['--functions-rdb', path, '--rdb', path]),
    'Option --functions-rdb and --rdb are mutually exclusive.',
  )
})

test('--replica and SYNC show the writes behind a snapshot', async () => {
  for (const answer of [SIZED, MARKED]) {
    const all = Buffer.concat([answer, WRITES])
    for (const pieces of [[all], cutAt(all, answer.length), cutAt(all, all.length - 5)]) {
      await replicated(pieces, async (port, requests) => {
        const { output, errors, exitCode } = await runShell(['-p', port, '--replica'])
        assert.equal(output, '"SELECT","0"\n"SET","a","\\xff\\"\\n"\n')
        assert.match(errors, /Logging commands from master\.\nError: Server closed the connection\n$/)
        assert.equal(exitCode, 1)
        assert.match(requests(), /SYNC\r\n(REPLCONF ACK 0\r\n)*$/)
      })
    }
  }
  await replicated([SIZED, WRITES], async (port) => {
    const { output } = await runShell(['-p', port, 'SYNC'])
    assert.match(output, /^Entering replica output mode\.\.\. .*\n"SELECT","0"\n"SET",/)
  })
})
