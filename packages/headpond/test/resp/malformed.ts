/** Requests, good and bad, for everything that reads the request side of RESP. */
import { encodeCommand } from '../raw-client.ts'
import type { SeededRandom } from '../seeded-random.ts'

/** Streams of requests: valid ones, edges of the protocol, and each kind of violation. Every one that ever failed stays. */
export const SAMPLES: readonly Buffer[] = [
  // Valid.
  encodeCommand(['PING']),
  encodeCommand(['SET', 'f:key', 'value']),
  encodeCommand(['SET', 'f:key', '']),
  encodeCommand(['SET', '', 'empty key']),
  encodeCommand(['SET', 'f:\r\n*3\r\n$3', Buffer.from([0, 1, 13, 10, 36, 42, 255])]),
  encodeCommand(['MSET', ...Array.from({ length: 40 }, (_, index) => `f:${index}`)]),
  encodeCommand(['ECHO', 'x'.repeat(300)]),
  Buffer.concat([encodeCommand(['SET', 'f:1', '1']), encodeCommand(['GET', 'f:1']), encodeCommand(['GET', 'f:none'])]),
  // Inline, and a change of style between two requests.
  'PING\r\n',
  'PING\n',
  'SET f:inline "a b\\x00\\r\\n" \r\n',
  "SET f:inline 'it\\'s'\r\n",
  '\r\n\r\n\n  \t \r\nPING\r\n',
  'PING\r\n*1\r\n$4\r\nPING\r\nPING\n',
  // Empty requests.
  '*0\r\n*-1\r\n*-7\r\nPING\r\n',
  // Sizes and counts that are none.
  '*\r\n',
  '*x\r\n',
  '*1x\r\n$4\r\nPING\r\n',
  '* 1\r\n$4\r\nPING\r\n',
  '*+1\r\n$4\r\nPING\r\n',
  '*01\r\n$4\r\nPING\r\n',
  '*1.0\r\n$4\r\nPING\r\n',
  '*2147483647\r\n$4\r\nPING\r\n',
  '*2147483648\r\n',
  '*4294967297\r\n$4\r\nPING\r\n',
  '*9223372036854775807\r\n',
  '*18446744073709551617\r\n',
  '*99999999999999999999999999999999\r\n',
  '*1\r\n$\r\n',
  '*1\r\n$x\r\n',
  '*1\r\n$-1\r\n',
  '*1\r\n$-0\r\n',
  '*1\r\n$04\r\nPING\r\n',
  '*1\r\n$4x\r\nPING\r\n',
  '*1\r\n$536870912\r\nabc',
  '*1\r\n$536870913\r\n',
  '*1\r\n$4294967300\r\nPING\r\n',
  '*1\r\n$9223372036854775807\r\n',
  // Other bytes where a header belongs.
  '*1\r\nPING\r\n',
  '*1\r\n:4\r\nPING\r\n',
  '*1\r\n*1\r\n$4\r\nPING\r\n',
  '*1\r\n\r\n',
  '*2\r\n$3\r\nGET\r\n\xff\r\n',
  // Sizes that are not the argument's. What ends it is not looked at, as in Redis.
  '*1\r\n$4\r\nPINGxxPING\r\n',
  '*3\r\n$3\r\nSET\r\n$3\r\nf:1\r\n$3\r\nabcdef\r\n',
  '*3\r\n$3\r\nSET\r\n$3\r\nf:1\r\n$9\r\nabcdef\r\n',
  // Quotes.
  'SET f:1 "abc\r\nPING\r\n',
  'SET f:1 "abc"d\r\n',
  "SET f:1 'abc\r\n",
  '"\r\n',
  '"" ""\r\n',
  // Lines without an end.
  `*${'1'.repeat(70_000)}`,
  `*1\r\n$${'1'.repeat(70_000)}`,
  'x'.repeat(70_000),
  // Other protocols.
  'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n',
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  'set f:1 0 0 1\r\nx\r\n',
].map((sample) => (typeof sample === 'string' ? Buffer.from(sample, 'latin1') : sample))

const TOKENS: readonly Buffer[] = [
  ...[
    '\r\n',
    '\r',
    '\n',
    '\0',
    ' ',
    '*',
    '$',
    '"',
    "'",
    '\\',
    '\\x',
    '-',
    '-1',
    '0',
    '1',
    '9',
    '$0\r\n\r\n',
    '*0\r\n',
    '*1\r\n',
  ],
  ...['$1\r\n', '*3\r\n', '2147483647', '2147483648', '-2147483649', '9223372036854775807', '99999999999999999999'],
  ...[
    '*2147483647\r\n',
    '$536870912\r\n',
    '$-1\r\n',
    '\xff',
    'PING',
    'GET',
    'SET',
    'f:1',
    'PING\r\n',
    '%',
    '~',
    '>',
    ':1\r\n',
    '+',
  ],
].map((token) => Buffer.from(token, 'latin1'))

/** A sample with a few bytes changed, added, doubled or taken away; or mere noise. */
export function malformed(random: SeededRandom): Buffer {
  if (random.once(8)) return noise(random)
  let bytes = random.pick(SAMPLES)
  if (bytes.length > 1000 && !random.once(50)) bytes = bytes.subarray(0, 200)
  for (let changes = random.below(4); changes >= 0; changes--) bytes = mutate(bytes, random)
  return bytes
}

function noise(random: SeededRandom): Buffer {
  if (random.once(2)) return random.bytes(random.below(64))
  return Buffer.concat(Array.from({ length: random.below(16) }, () => random.pick(TOKENS)))
}

function mutate(bytes: Buffer, random: SeededRandom): Buffer {
  const at = random.below(bytes.length + 1)
  const end = Math.min(bytes.length, at + 1 + random.below(8))
  switch (random.below(6)) {
    case 0: {
      const copy = Buffer.from(bytes)
      if (at < copy.length) copy[at] = random.below(256)
      return copy
    }
    case 1:
      return Buffer.concat([bytes.subarray(0, at), random.pick(TOKENS), bytes.subarray(at)])
    case 2:
      return Buffer.concat([bytes.subarray(0, at), random.pick(TOKENS), bytes.subarray(end)])
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)])
    case 4:
      return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)])
    default:
      return Buffer.concat([bytes.subarray(0, at), random.pick(SAMPLES).subarray(0, 200), bytes.subarray(at)])
  }
}
