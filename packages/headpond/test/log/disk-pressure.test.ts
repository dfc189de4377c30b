import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DiskPressure } from '#src/log/disk-pressure.ts'

const SMALL_BYTES = 1000
const LARGE_BYTES = 256 * 1024

test('a quick write puts nothing beside the event loop', () => {
  const pressure = new DiskPressure()
  pressure.wrote(1000, 1003.9, SMALL_BYTES)
  assert.equal(pressure.isHigh(1003.9, SMALL_BYTES), false)
})

test('one slow write does so for a quarter of a second', () => {
  const pressure = new DiskPressure()
  pressure.wrote(1000, 1004, SMALL_BYTES)
  assert.equal(pressure.isHigh(1253, SMALL_BYTES), true)
  assert.equal(pressure.isHigh(1254, SMALL_BYTES), false)
})

test('slow writes that come again do so for twice as long each time, ten seconds at most', () => {
  const pressure = new DiskPressure()
  let nowMs = 1000
  for (const asideMs of [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]) {
    pressure.wrote(nowMs, nowMs + 20, SMALL_BYTES)
    assert.equal(pressure.isHigh(nowMs + 20 + asideMs - 1, SMALL_BYTES), true, `${asideMs} ms`)
    nowMs += 20 + asideMs
    assert.equal(pressure.isHigh(nowMs, SMALL_BYTES), false, `${asideMs} ms`)
  }
})

test('after quick writes for as long as it was high, a slow one counts as the first', () => {
  const pressure = new DiskPressure()
  pressure.wrote(1000, 1010, SMALL_BYTES) // until 1260
  pressure.wrote(1260, 1270, SMALL_BYTES) // until 1770
  pressure.wrote(1770, 1771, SMALL_BYTES)
  pressure.wrote(2270, 2280, SMALL_BYTES)
  assert.equal(pressure.isHigh(2529, SMALL_BYTES), true)
  assert.equal(pressure.isHigh(2530, SMALL_BYTES), false)
})

test('what has more than a megabyte goes aside however quick the disk is', () => {
  const pressure = new DiskPressure()
  pressure.wrote(1000, 1000.1, LARGE_BYTES)
  assert.equal(pressure.isHigh(1001, 2 ** 20), false)
  assert.equal(pressure.isHigh(1001, 2 ** 20 + 1), true)
})

test('large writes go aside after eight in a row at less than half a megabyte in a millisecond, small ones do not', () => {
  const pressure = new DiskPressure()
  const write = (startedAtMs: number, tookMs: number) => pressure.wrote(startedAtMs, startedAtMs + tookMs, LARGE_BYTES)
  for (let count = 0; count < 7; count++) write(1000 + count, 0.9)
  assert.equal(pressure.isHigh(1008, LARGE_BYTES), false)
  // One that was quick begins the row anew.
  write(1008, 0.1)
  for (let count = 0; count < 8; count++) {
    assert.equal(pressure.isHigh(1010 + count, LARGE_BYTES), false, `${count} slow writes`)
    write(1010 + count, 0.9)
  }
  assert.equal(pressure.isHigh(1018, LARGE_BYTES), true)
  assert.equal(pressure.isHigh(1018, 128 * 1024), false)
})

test('while they go aside one is tried each tenth of a second, and they come back when it is quick', () => {
  const pressure = new DiskPressure()
  for (let count = 0; count < 8; count++) pressure.wrote(1000, 1001, LARGE_BYTES)
  assert.equal(pressure.isHigh(1100, LARGE_BYTES), true)
  assert.equal(pressure.isHigh(1101, LARGE_BYTES), false)
  pressure.wrote(1101, 1102, LARGE_BYTES)
  assert.equal(pressure.isHigh(1102, LARGE_BYTES), true)
  pressure.wrote(1202, 1202.1, LARGE_BYTES)
  assert.equal(pressure.isHigh(1203, LARGE_BYTES), false)
})

test('small writes say nothing of the speed', () => {
  const pressure = new DiskPressure()
  for (let count = 0; count < 20; count++) pressure.wrote(1000, 1001, SMALL_BYTES)
  assert.equal(pressure.isHigh(1002, LARGE_BYTES), false)
})
