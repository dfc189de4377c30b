import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { Config } from '#src/config/config.ts'
import { Request } from '#src/resp/request.ts'
import { durationMs } from '#src/server/duration.ts'
import { Server } from '#src/server/server.ts'
import { RawClient, RawDecoder, type RawReply } from './raw-client.ts'
import {
  type Conversation,
  conversationOf,
  describeDifferences,
  listTranscripts,
  parseTranscript,
  pathOf,
  play,
  readTranscript,
  type Stage,
} from './transcript.ts'

const isUpdate = process.env['UPDATE'] !== undefined

function startServer(): Server {
  const config = Config.load({
    options: { port: 'auto', bind: ['127.0.0.1'], enableDebugCommand: 'yes', ephemeral: true },
  })
  const log = { info() {}, warn() {}, error() {} }
  return new Server({ config, log, firstArenaBytes: 2 ** 24 })
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** A client in the server's process, whose replies are bytes all the same. */
class LocalConversation implements Conversation {
  readonly #server: Server
  readonly #decoder = new RawDecoder()
  readonly #client: ReturnType<Server['resp']['openLocal']>
  #replies: RawReply[] = []
  isClosed = false

  constructor(server: Server) {
    this.#server = server
    this.#client = server.resp.openLocal({
      write: (bytes) => {
        this.#replies.push(...this.#decoder.push(Buffer.from(bytes)))
        return true
      },
    })
  }

  send(args: readonly Uint8Array[]): void {
    this.#server.resp.run(this.#client, Request.of(args))
    if (this.#client.closesAfterReply) this.close()
  }

  /** A command that waits is answered in a later turn of the event loop, by another client or by the clock. */
  async waitFor(count: number): Promise<void> {
    for (let turns = 0; turns < 3 && this.#replies.length < count; turns++) await turn()
  }

  take(): RawReply[] {
    const replies = this.#replies
    this.#replies = []
    return replies
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#server.resp.closed(this.#client)
  }
}

function inProcess(server: Server): Stage {
  return {
    kind: 'process',
    connect: async () => new LocalConversation(server),
    settle: async () => void (await turn()),
    advance: (duration) => server.advance(durationMs(duration)),
  }
}

function overSocket(server: Server): Stage {
  return {
    kind: 'socket',
    connect: async () => conversationOf(await RawClient.connect(server.port)),
    // The way there, the way back, and a push that leaves at the end of a turn.
    settle: async () => {
      for (let turns = 0; turns < 4; turns++) await turn()
    },
    advance: (duration) => server.advance(durationMs(duration)),
  }
}

for (const name of listTranscripts()) {
  for (const [place, stageOf] of [
    ['in process', inProcess],
    ['over a socket', overSocket],
  ] as const) {
    // Parsed for each run, since the first one may have updated the file.
    test(`${name} ${place}`, async (t) => {
      const transcript = readTranscript(name)
      if (place === 'in process' && transcript.needsSocket) return t.skip('it needs connections')
      const updates = isUpdate && (place === 'in process' || transcript.needsSocket)
      const server = startServer()
      try {
        await server.start()
        const { differences, text } = await play(transcript, stageOf(server), updates)
        if (updates) writeFileSync(pathOf(name), text)
        else assert.ok(differences.length === 0, `\n${describeDifferences(differences, 'got')}\n`)
      } finally {
        await server.close()
      }
    })
  }
}

test('a difference is shown with file, line, command, expectation and reply', async () => {
  const server = startServer()
  try {
    const transcript = parseTranscript('example.txt', '# why\n> PING\n+PONG\n\n> PING hello\n$ "goodbye"\n> NOSUCH\n')
    const { differences, exchangeCount, text } = await play(transcript, inProcess(server))
    assert.equal(exchangeCount, 3)
    assert.equal(
      describeDifferences(differences, 'got').replaceAll(pathOf(''), ''),
      [
        'example.txt:5',
        '  > PING hello',
        '  expected:',
        '    $ "goodbye"',
        '  got:',
        '    $ "hello"',
        '',
        'example.txt:7',
        '  > NOSUCH',
        '  expected:',
        '    (nothing)',
        '  got:',
        "    -ERR unknown command 'NOSUCH', with args beginning with:\\x20",
      ].join('\n'),
    )
    assert.match(text, /^# why\n> PING\n\+PONG\n\n> PING hello\n\$ "hello"\n> NOSUCH\n-ERR unknown/)
  } finally {
    await server.close()
  }
})

test('what is no transcript is refused with its line', () => {
  assert.throws(() => parseTranscript('x.txt', '> GET a\n_\n\n+OK\n'), /x\.txt:4: neither a command nor the reply/)
  assert.throws(() => parseTranscript('x.txt', '> GET "a\n'), /x\.txt:1: unbalanced quotes/)
  assert.throws(() => parseTranscript('x.txt', '@sometimes\n'), /x\.txt:1: unknown mark/)
})
