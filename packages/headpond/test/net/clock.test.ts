import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Clock } from '#src/net/clock.ts'

test('what is scheduled happens in the order of its time when the clock is moved', () => {
  const clock = new Clock()
  const happened: string[] = []
  clock.schedule(30_000, () => happened.push('30 s'))
  clock.schedule(10_000, () => happened.push('10 s'))
  clock.schedule(10_000, () => happened.push('10 s, later'))
  clock.schedule(61_000, () => happened.push('61 s'))
  clock.advance(60_000)
  assert.deepEqual(happened, ['10 s', '10 s, later', '30 s'])
  clock.stop()
})

test('each call sees its own moment, and may schedule another that falls due on the same way', () => {
  const clock = new Clock()
  const startMs = clock.nowMs()
  const momentsMs: number[] = []
  const again = () => {
    momentsMs.push(Math.round((clock.nowMs() - startMs) / 1000))
    if (momentsMs.length < 5) clock.schedule(10_000, again)
  }
  clock.schedule(10_000, again)
  clock.advance(35_000)
  assert.deepEqual(momentsMs, [10, 20, 30])
  assert.equal(Math.round((clock.nowMs() - startMs) / 1000), 35)
  clock.stop()
})

test('a cancelled call does not happen', () => {
  const clock = new Clock()
  let happened = false
  const call = clock.schedule(1000, () => {
    happened = true
  })
  call.cancel()
  clock.advance(5000)
  assert.equal(happened, false)
  clock.stop()
})

test('without being moved, time passes as it does', async () => {
  const clock = new Clock()
  await new Promise<void>((resolve) => {
    // A timer of the clock keeps no process alive; this one does, until it happens.
    const keepAlive = setInterval(() => {}, 1000)
    clock.schedule(5, () => {
      clearInterval(keepAlive)
      resolve()
    })
  })
  clock.stop()
})
