import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
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

test('nothing happens before its whole delay has passed, also when it is scheduled at the end of a millisecond', async () => {
  const clock = new Clock()
  const keepAlive = setInterval(() => {}, 1000)
  const delaysMs: number[] = []
  for (let call = 0; call < 100; call++) {
    // Anywhere within a millisecond.
    const beginsAtMs = performance.now() + (call % 10) / 10
    while (performance.now() < beginsAtMs);
    const scheduledAtMs = performance.now()
    await new Promise<void>((resolve) => clock.schedule(2, resolve))
    delaysMs.push(performance.now() - scheduledAtMs)
  }
  clearInterval(keepAlive)
  // The two clocks of the system may drift by so much.
  assert.ok(Math.min(...delaysMs) >= 2 - 0.05, `the shortest delay was ${Math.min(...delaysMs)} ms of 2`)
  clock.stop()
})

test('what is scheduled after the clock was moved waits for no timer of before', async () => {
  const clock = new Clock()
  clock.schedule(3_600_000, () => {})
  clock.advance(24 * 3_600_000)
  clock.schedule(3_600_000, () => {})
  clock.advance(1_800_000)
  await new Promise<void>((resolve) => {
    const keepAlive = setInterval(() => {}, 1000)
    clock.schedule(5, () => {
      clearInterval(keepAlive)
      resolve()
    })
  })
  clock.stop()
})

test('thousands of calls, most of them cancelled: the others happen in the order of their time', () => {
  const seeded = fc.array(fc.record({ delayMs: fc.nat(5000), isCancelled: fc.boolean() }), { maxLength: 400 })
  fc.assert(
    fc.property(seeded, (calls) => {
      const clock = new Clock()
      clock.pause()
      const happened: number[] = []
      const scheduled = calls.map(({ delayMs }, index) => clock.schedule(delayMs, () => happened.push(index)))
      for (const [index, { isCancelled }] of calls.entries()) {
        if (!isCancelled) continue
        scheduled[index].cancel()
        scheduled[index].cancel()
      }
      clock.advance(5000)
      const expected = [...calls.keys()].filter((index) => !calls[index].isCancelled)
      expected.sort((first, second) => calls[first].delayMs - calls[second].delayMs || first - second)
      assert.deepEqual(happened, expected)
      clock.stop()
    }),
  )
})

test('a call that happens may cancel another one that is due at the same moment', () => {
  const clock = new Clock()
  clock.pause()
  const happened: string[] = []
  clock.schedule(1000, () => {
    happened.push('first')
    second.cancel()
  })
  const second = clock.schedule(1000, () => happened.push('second'))
  clock.advance(1000)
  assert.deepEqual(happened, ['first'])
  clock.stop()
})

test('time does not run on by itself while it is moved', () => {
  const clock = new Clock()
  const seenMs: number[] = []
  clock.schedule(1000, () => {
    const dueMs = clock.nowMs()
    const endMs = performance.now() + 5
    while (performance.now() < endMs);
    seenMs.push(clock.nowMs() - dueMs)
    clock.schedule(1000, () => seenMs.push(clock.nowMs() - dueMs))
  })
  clock.advance(2000)
  assert.deepEqual(seenMs, [0, 1000])
  clock.stop()
})
