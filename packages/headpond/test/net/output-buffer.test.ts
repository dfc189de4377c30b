import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OutputBuffer } from '#src/net/output-buffer.ts'

/** Encodes so many bytes, as the encoders do. */
function encode(out: OutputBuffer, sizeBytes: number, byte: number): void {
  out.makeRoom(sizeBytes)
  out.u8.fill(byte, out.at, out.at + sizeBytes)
  out.at += sizeBytes
}

test('memory that one large reply needed is not kept', () => {
  const out = new OutputBuffer()
  const usualBytes = out.u8.length
  const sent: Buffer[] = []
  out.attach({
    write(bytes) {
      sent.push(Buffer.from(bytes))
      return true
    },
  })
  encode(out, 10, 1)
  encode(out, 10_000_000, 2)
  assert.equal(out.u8.length, 10_000_000)
  out.flush()
  assert.equal(out.u8.length, usualBytes)
  encode(out, 10, 3)
  out.flush()
  assert.deepEqual(
    Buffer.concat(sent),
    Buffer.concat([Buffer.alloc(10, 1), Buffer.alloc(10_000_000, 2), Buffer.alloc(10, 3)]),
  )
})

test('what the sink still needs is not written over', () => {
  const out = new OutputBuffer()
  const sent: Uint8Array[] = []
  out.attach({
    write(bytes) {
      sent.push(bytes)
      return false
    },
  })
  for (let byte = 0; byte < 200; byte++) {
    encode(out, 3000, byte)
    out.flush()
  }
  assert.ok(sent.every((bytes, byte) => bytes.length === 3000 && bytes.every((each) => each === byte)))
})
