import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ReplicationStream, ReplicationStreamError } from '#src/resp/replication-stream.ts'
import { encodeCommand } from '../raw-client.ts'

const START = 5000

type Command = readonly Buffer[]

/** What a server says at a stretch, and what of it is passed on. */
interface Step {
  readonly sent: readonly Command[]
  readonly passed: readonly Command[]
}

const words = (...texts: string[]): Command => texts.map((text) => Buffer.from(text))

const args = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 4 })
const command = args.map((all): Command => [Buffer.from('SET'), ...all.map((bytes) => Buffer.from(bytes))])
const transaction = fc
  .array(command, { maxLength: 4 })
  .map((commands): readonly Command[] => [words('multi'), ...commands, words('EXEC')])

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: command.map((one): Step => ({ sent: [one], passed: [one] })) },
  { weight: 1, arbitrary: transaction.map((all): Step => ({ sent: all, passed: all })) },
  { weight: 1, arbitrary: fc.constant<Step>({ sent: [words('PING')], passed: [] }) },
  { weight: 1, arbitrary: fc.constant<Step>({ sent: [words('REPLCONF', 'GETACK', '*')], passed: [] }) },
)

const bytesOf = (commands: readonly Command[]) => Buffer.concat(commands.map((one) => encodeCommand(one)))

test('whatever the pieces: all commands, in order, transactions whole, and where they end', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }),
      (steps, sizes) => {
        const sent = bytesOf(steps.flatMap((each) => each.sent))
        const passed = bytesOf(steps.flatMap((each) => each.passed))
        // Where one may go on.
        const ends = new Set([START])
        let end = START
        for (const each of steps) {
          // Each step but those of transactions is one command.
          end += bytesOf(each.sent).length
          ends.add(end)
        }
        const stream = new ReplicationStream(START)
        const got: Buffer[] = []
        let count = 0
        let asked = 0
        for (let at = 0, index = 0; at < sent.length; index++) {
          const size = sizes[index % sizes.length]
          const commands = stream.push(sent.subarray(at, at + size))
          at += size
          got.push(commands.bytes)
          count += commands.commandCount
          if (commands.asksForAcknowledgement) asked++
          assert.equal(commands.endOffset, stream.offset)
          assert.ok(ends.has(commands.endOffset))
        }
        assert.ok(Buffer.concat(got).equals(passed))
        assert.equal(count, steps.flatMap((each) => each.passed).length)
        assert.equal(stream.offset, START + sent.length)
        assert.equal(asked > 0, sent.includes('GETACK'))
      },
    ),
  )
})

test('a command may be as large as it likes', () => {
  const stream = new ReplicationStream(0)
  const large = encodeCommand(['SET', 'key', Buffer.alloc(3_000_000, 'x')])
  const sent = Buffer.concat([large, encodeCommand(['DEL', 'key'])])
  let passedBytes = 0
  for (let at = 0; at < sent.length; at += 65_536)
    passedBytes += stream.push(sent.subarray(at, at + 65_536)).bytes.length
  assert.equal(passedBytes, sent.length)
})

test('what is no command is refused', () => {
  for (const text of ['hello\r\n', '*-1\r\n', '*0\r\n', '*1\r\n+OK\r\n', '*1\r\n$3\r\nSETxx', '#TS:1\r\n', '\r\n']) {
    assert.throws(() => new ReplicationStream(0).push(Buffer.from(text)), ReplicationStreamError, JSON.stringify(text))
  }
})
