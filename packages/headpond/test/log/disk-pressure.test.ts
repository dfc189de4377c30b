import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DiskPressure } from '#src/log/disk-pressure.ts'

test('a quick write puts nothing beside the event loop', () => {
  const pressure = new DiskPressure()
  pressure.wrote(1000, 1003.9)
  assert.equal(pressure.isHigh(1003.9), false)
})

test('one slow write does so for a quarter of a second', () => {
  const pressure = new DiskPressure()
  pressure.wrote(1000, 1004)
  assert.equal(pressure.isHigh(1253), true)
  assert.equal(pressure.isHigh(1254), false)
})

test('slow writes that come again do so for twice as long each time, ten seconds at most', () => {
  const pressure = new DiskPressure()
  let nowMs = 1000
  for (const asideMs of [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]) {
    pressure.wrote(nowMs, nowMs + 20)
    assert.equal(pressure.isHigh(nowMs + 20 + asideMs - 1), true, `${asideMs} ms`)
    nowMs += 20 + asideMs
    assert.equal(pressure.isHigh(nowMs), false, `${asideMs} ms`)
  }
})

test('after quick writes for as long as it was high, a slow one counts as the first', () => {
  const pressure = new DiskPressure()
  pressure.wrote(1000, 1010) // until 1260
  pressure.wrote(1260, 1270) // until 1770
  pressure.wrote(1770, 1771)
  pressure.wrote(2270, 2280)
  assert.equal(pressure.isHigh(2529), true)
  assert.equal(pressure.isHigh(2530), false)
})
