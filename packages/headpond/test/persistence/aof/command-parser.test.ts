import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommandParser, parsedAof } from '#src/persistence/aof/command-parser.ts'
import { Request } from '#src/resp/request.ts'
import { chooseSeed, SeededRandom } from '../../seeded-random.ts'

const SAMPLE = Buffer.from(
  '#TS:1700000000\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$0\r\n\r\n$5\r\n\r\n*$#\r\n*1\r\n$4\r\nEXEC\r\n',
)

/** What is found, up to where it ends or breaks. */
function read(bytes: Uint8Array): { commands: string[]; at: number; state: number } {
  const parser = new CommandParser()
  const request = new Request()
  const commands: string[] = []
  for (let at = 0; ; ) {
    const next = parser.parse(bytes, at, bytes.length, request)
    if (next < 0) return { commands, at, state: next }
    assert.ok(next > at && next <= bytes.length)
    if (request.count === 0) commands.push(`#${Buffer.from(request.chunk.subarray(request.start(0), request.end(0)))}`)
    else commands.push(request.toArray().join(' '))
    at = next
  }
}

const ALL = ['#TS:1700000000', 'SELECT 0', 'SET  \r\n*$#', 'EXEC']

test('commands and annotations are read, cut anywhere', () => {
  assert.deepEqual(read(SAMPLE), { commands: ALL, at: SAMPLE.length, state: parsedAof.INCOMPLETE })
  for (let size = 0; size < SAMPLE.length; size++) {
    const { commands, at, state } = read(SAMPLE.subarray(0, size))
    assert.equal(state, parsedAof.INCOMPLETE, `${size} bytes`)
    assert.deepEqual(commands, ALL.slice(0, commands.length))
    assert.ok(at <= size)
  }
})

test('damaged bytes and noise are commands, or the end, or broken: nothing else', () => {
  const random = new SeededRandom(chooseSeed())
  for (let run = 0; run < 3000; run++) {
    const bytes = run % 3 === 0 ? random.bytes(random.below(200)) : Buffer.from(SAMPLE)
    if (run % 3 !== 0) {
      for (let count = 1 + random.below(4); count > 0; count--) bytes[random.below(bytes.length)] = random.below(256)
    }
    read(bytes)
  }
})

test('where it breaks, and why', () => {
  const cases: [string, RegExp, number][] = [
    ['*1\r\n$4\r\nPING\r\nSET', /neither a command/, 14],
    ['*0\r\n', /without a number of arguments/, 0],
    ['*x\r\n', /without a number of arguments/, 0],
    ['*1\r\n+PING\r\n', /an argument without a size/, 4],
    ['*1\r\n$-1\r\n', /an argument without a size/, 4],
    ['*1\r\n$3\r\nPING\r\n', /not as long/, 8],
    [`*${'1'.repeat(2000)}`, /a line without an end/, 0],
  ]
  for (const [text, problem, at] of cases) {
    const parser = new CommandParser()
    const bytes = Buffer.from(text)
    let next = 0
    let start = 0
    while (next >= 0) {
      next = parser.parse(bytes, start, bytes.length, new Request())
      if (next >= 0) start = next
    }
    assert.equal(next, parsedAof.BROKEN, text)
    assert.match(parser.problem, problem)
    assert.equal(parser.problemAt, at)
  }
})
