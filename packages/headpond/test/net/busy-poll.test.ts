import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BusyPoll } from '#src/net/busy-poll.ts'

const POLL_MS = 0.045

/** An event loop whose turns are run by hand, each a hundredth of a millisecond long. */
function eventLoop() {
  let nowMs = 1000
  let due: (() => void)[] = []
  const poll = new BusyPoll(
    () => nowMs,
    (callback) => due.push(callback),
  )
  return {
    poll,
    /** Something is read, and its turn ends. */
    read(pollMs = POLL_MS) {
      poll.inputArrived(pollMs)
      this.turn()
    },
    turn() {
      nowMs += 0.01
      const callbacks = due
      due = []
      for (const callback of callbacks) callback()
    },
    get isAwake() {
      return due.length > 0
    },
    /** @returns the turns that it took */
    untilAsleep() {
      let count = 0
      while (this.isAwake) {
        this.turn()
        count++
        assert.ok(count < 1000, 'it never sleeps')
      }
      return count
    },
  }
}

test('it stays awake for as long as it was told to, from the end of the turn that read something', () => {
  const loop = eventLoop()
  loop.read()
  assert.equal(loop.untilAsleep(), 5)
  assert.equal(loop.isAwake, false)
})

test('each input begins the time anew', () => {
  const loop = eventLoop()
  for (let count = 0; count < 100; count++) {
    loop.read()
    for (let turn = 0; turn < 3; turn++) loop.turn()
    assert.ok(loop.isAwake, `asleep after ${count} inputs`)
  }
  assert.equal(loop.untilAsleep(), 2)
})

test('several inputs in one turn are one', () => {
  const loop = eventLoop()
  for (let count = 0; count < 10; count++) loop.poll.inputArrived(POLL_MS)
  assert.equal(loop.untilAsleep(), 6)
})

test('with no time to stay awake it sleeps at once, also when that is set meanwhile', () => {
  const loop = eventLoop()
  loop.read(0)
  assert.equal(loop.isAwake, false)
  loop.read()
  assert.ok(loop.isAwake)
  loop.read(0)
  loop.turn()
  assert.equal(loop.isAwake, false)
})

test('who comes too seldom is waited for ever less often', () => {
  const loop = eventLoop()
  let awakeCount = 0
  for (let count = 0; count < 10_000; count++) {
    loop.read()
    if (loop.isAwake) awakeCount++
    loop.untilAsleep()
  }
  // After 1, 2, 4 ... 256 inputs, and then each 256th.
  assert.ok(awakeCount >= 40 && awakeCount <= 50, `stayed awake ${awakeCount} times`)
})

test('one that comes in time makes it stay awake behind each again', () => {
  const loop = eventLoop()
  for (let count = 0; count < 1000; count++) {
    loop.read()
    loop.untilAsleep()
  }
  let skippedCount = 0
  while (!loop.isAwake) {
    loop.read()
    skippedCount++
    assert.ok(skippedCount <= 256, 'it does not try again')
  }
  loop.turn()
  loop.read() // in time
  loop.untilAsleep()
  loop.read() // skipped, since nothing came
  assert.equal(loop.isAwake, false)
  loop.read()
  assert.ok(loop.isAwake)
})
