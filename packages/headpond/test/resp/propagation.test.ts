import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Config } from '#src/config/config.ts'
import { quoteBytes } from '#src/config/quoting.ts'
import { CommandParser } from '#src/persistence/aof/command-parser.ts'
import { Request } from '#src/resp/request.ts'
import { Server } from '#src/server/server.ts'
import { RawClient } from '../raw-client.ts'

/** A server, and what it propagates: a line for each command. */
async function startRecorded(): Promise<{ server: Server; lines: string[]; client: RawClient }> {
  const config = Config.load({ options: { ephemeral: true, port: 'auto', bind: ['127.0.0.1'] } })
  const server = new Server({ config, log: { info() {}, warn() {}, error() {} }, firstArenaBytes: 2 ** 24 })
  const lines: string[] = []
  server.resp.propagation.attach({
    append(database, bytes, start, end) {
      const request = new Request()
      const copy = Buffer.from(bytes.subarray(start, end))
      assert.equal(new CommandParser().parse(copy, 0, copy.length, request), copy.length, quoteBytes(copy))
      lines.push(`${database} ${request.toArray().join(' ')}`)
    },
  })
  await server.start()
  return { server, lines, client: await RawClient.connect(server.port) }
}

async function ask(client: RawClient, bytes: string, replyCount: number): Promise<void> {
  client.sendBytes(Buffer.from(bytes, 'latin1'))
  await client.waitFor(replyCount, 5000)
  client.take()
}

test('commands are fed however they came: in RESP, as lines, with careless line ends, in pieces', async () => {
  const { server, lines, client } = await startRecorded()
  try {
    await ask(client, '*3\r\n$3\r\nset\r\n$1\r\na\r\n$1\r\n1\r\nSET b "2 \\n3"\r\nincr c\n', 3)
    // The parser takes any two bytes for a line end; a file must have the right ones.
    await ask(client, '*3\r\n$3\r\nSETxx$1\r\nd\r\n$1\r\n4yy*3\r?$3\r\nSET\r\n$1\r\ne\r\n$1\r\n5\r\n', 2)
    // What looks like the beginning of a request is the value of the one before.
    await ask(client, '*3\r\n$3\r\nSET\r\n$1\r\nf\r\n$8\r\n*3\r\n$3\r\n\r\nSET g h\r\n', 2)
    for (const piece of ['*3\r\n$3\r\nSE', 'T\r\n$1\r\ni\r', '\n$1\r\n6']) {
      client.sendBytes(Buffer.from(piece))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await ask(client, '\r\n', 1)
    assert.deepEqual(lines, [
      '0 set a 1',
      '0 SET b 2 \n3',
      '0 incr c',
      '0 SET d 4',
      '0 SET e 5',
      '0 SET f *3\r\n$3\r\n',
      '0 SET g h',
      '0 SET i 6',
    ])
  } finally {
    client.close()
    await server.close()
  }
})

test('a transaction is fed between MULTI and EXEC when it changed more than one thing', async () => {
  const { server, lines, client } = await startRecorded()
  try {
    await ask(client, 'MULTI\r\nSET a 1\r\nGET a\r\nSELECT 1\r\nSET b 2\r\nEXEC\r\n', 6)
    await ask(client, 'MULTI\r\nSET a 1\r\nGET a\r\nEXEC\r\n', 4)
    await ask(client, 'MULTI\r\nGET a\r\nDEL nothing\r\nEXEC\r\n', 4)
    assert.deepEqual(lines, ['0 MULTI', '0 SET a 1', '1 SET b 2', '1 EXEC', '1 SET a 1'])
  } finally {
    client.close()
    await server.close()
  }
})

test('what expires is fed as a deletion: before the command that found it, and by itself', async () => {
  const { server, lines, client } = await startRecorded()
  try {
    server.store.activeExpiry.isEnabled = false
    await ask(client, 'SET a 1 PXAT 99999999999999\r\nPEXPIREAT a 99999999999000\r\n', 2)
    await ask(client, 'SET b 1 PX 1000\r\nSET c 1 PX 1000\r\nHSET h f 1 g 2\r\nHPEXPIRE h 1000 FIELDS 1 f\r\n', 4)
    lines.length = 0
    server.clock.advance(1001)
    await ask(client, 'INCR b\r\nGET c\r\nHGET h f\r\n', 3)
    assert.deepEqual(lines, ['0 MULTI', '0 DEL b', '0 INCR b', '0 EXEC', '0 DEL c', '0 HDEL h f'])
    await ask(client, 'CONFIG SET lazyfree-lazy-expire yes\r\nSET d 1 PX 500\r\nHPEXPIRE h 500 FIELDS 1 g\r\n', 3)
    lines.length = 0
    server.store.activeExpiry.isEnabled = true
    server.advance(501)
    assert.deepEqual(lines, ['0 UNLINK d', '0 HDEL h g'])
    await ask(client, 'EXISTS h\r\n', 1)
    assert.equal(lines.length, 2)
  } finally {
    client.close()
    await server.close()
  }
})

test('what SCAN and RANDOMKEY find to be expired does not belong together, unless they stand in a transaction', async () => {
  const { server, lines, client } = await startRecorded()
  try {
    server.store.activeExpiry.isEnabled = false
    for (const [commands, replyCount, isUnit] of [
      ['SCAN 0\r\n', 1, false],
      ['RANDOMKEY\r\n', 1, false],
      ['MULTI\r\nSCAN 0\r\nEXEC\r\n', 3, true],
    ] as const) {
      await ask(client, 'SET x 1 PX 1\r\nSET y 1 PX 1\r\n', 2)
      lines.length = 0
      server.clock.advance(2)
      await ask(client, commands, replyCount)
      if (isUnit) assert.deepEqual([lines.shift(), lines.pop()], ['0 MULTI', '0 EXEC'])
      assert.deepEqual(lines.sort(), ['0 DEL x', '0 DEL y'])
    }
  } finally {
    client.close()
    await server.close()
  }
})

test('a conditional SET is fed without GET and with the moment it expires at', async () => {
  const { server, lines, client } = await startRecorded()
  try {
    const nowMs = server.clock.nowMs()
    const commands = [
      'SET a get NX GET',
      'SET a 1 IFEQ other GET',
      'SET a get IFEQ get GET',
      'SET a 1 GET IFEQ get',
      'SET a 2 IFEQ 1',
      'SET a 3 IFEQ 1',
      'SET a 4 IFEQ 2 GET PX 5000',
    ]
    await ask(client, commands.map((command) => `${command}\r\n`).join(''), commands.length)
    const [, expireAtMs] = /^0 SET a 4 PXAT (\d+)$/.exec(lines.pop() ?? '') ?? []
    assert.ok(Number(expireAtMs) >= nowMs + 5000 && Number(expireAtMs) <= server.clock.nowMs() + 5000)
    assert.deepEqual(lines, ['0 SET a get NX', '0 SET a get IFEQ get', '0 SET a 1 IFEQ get', '0 SET a 2 IFEQ 1'])
  } finally {
    client.close()
    await server.close()
  }
})

test('fields of hashes are fed with the moment they expire at', async () => {
  const { server, lines, client } = await startRecorded()
  try {
    const nowMs = server.clock.nowMs()
    const commands = [
      'HSET h a 1 b 2 c 3 d 4',
      `HPEXPIREAT h ${nowMs + 90_000} FIELDS 2 a missing`,
      `HEXPIREAT h ${Math.floor(nowMs / 1000) + 100} NX FIELDS 2 a b`,
      'HPEXPIREAT h 1 FIELDS 2 c missing',
      'HPERSIST h FIELDS 2 a d',
      `HGETEX h PXAT ${nowMs + 80_000} FIELDS 1 d`,
      'HGETEX h PERSIST FIELDS 2 d b',
      'HGETEX h FIELDS 1 d',
      `HSETEX h FXX PXAT ${nowMs + 70_000} FIELDS 1 a 5`,
      'HSETEX h PXAT 1 FIELDS 2 a 5 e 6',
      'HGETDEL h FIELDS 2 b missing',
    ]
    await ask(client, commands.map((command) => `${command}\r\n`).join(''), commands.length)
    assert.deepEqual(lines, [
      '0 HSET h a 1 b 2 c 3 d 4',
      `0 HPEXPIREAT h ${nowMs + 90_000} FIELDS 1 a`,
      `0 HPEXPIREAT h ${(Math.floor(nowMs / 1000) + 100) * 1000} FIELDS 1 b`,
      '0 HDEL h c',
      '0 HPERSIST h FIELDS 2 a d',
      `0 HPEXPIREAT h ${nowMs + 80_000} FIELDS 1 d`,
      '0 HPERSIST h FIELDS 2 d b',
      `0 HSETEX h PXAT ${nowMs + 70_000} FIELDS 1 a 5`,
      '0 HDEL h a e',
      '0 HDEL h b',
    ])
  } finally {
    client.close()
    await server.close()
  }
})

test('an approximate trimming is fed as it came out, and can be repeated with its limit', async () => {
  const { server, lines, client } = await startRecorded()
  try {
    await ask(client, 'CONFIG SET stream-node-max-entries 2\r\n', 1)
    for (let index = 1; index <= 10; index++) await ask(client, `XADD s ${index}-0 f v\r\n`, 1)
    lines.length = 0
    await ask(client, 'XADD s MAXLEN ~ 3 LIMIT 4 11-* f v\r\nXTRIM s MINID ~ 8-0\r\nXTRIM s MAXLEN ~ 100\r\n', 3)
    assert.deepEqual(lines, ['0 XADD s MAXLEN = 7 LIMIT 4 11-0 f v', '0 XTRIM s MINID = 7-0'])
  } finally {
    client.close()
    await server.close()
  }
})
