/** The one command: an embedded server and three services, which outlive being killed all together. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ServiceProcess } from 'headpond-examples-shared'
import type { Overview } from '../monitor/leaderboard.ts'

test('everything at once, killed, and started again: nothing is lost', async (t) => {
  const DATA_DIR = mkdtempSync(join(tmpdir(), 'jackpot-main-'))
  const ports = { PROCESSOR_PORT: '0', HISTORY_PORT: '0', MONITOR_PORT: '0' }
  const start = (winsPerMinute: string) =>
    ServiceProcess.start(
      new URL('../main.js', import.meta.url),
      { DATA_DIR, ...ports, WINS_PER_MINUTE: winsPerMinute, REDIS_URL: '', KAFKA_BROKERS: '' },
      { isQuiet: true },
    )
  let main = await start('1200')
  t.after(async () => {
    if (!main.hasEnded) await main.end('SIGTERM')
    rmSync(DATA_DIR, { recursive: true, force: true })
  })
  const winCount = async () => {
    const response = await fetch(`${main.url}/leaderboard`)
    return ((await response.json()) as Overview).winCount
  }
  while ((await winCount()) < 20) await new Promise((resolve) => setTimeout(resolve, 50))
  const before = await winCount()
  await main.end('SIGKILL')

  main = await start('0')
  // An append-only file with everysec may lack the end; the topic does not, and the monitor's position is as old as its counts.
  for (let count = 0; count < 600 && (await winCount()) < before; count++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  assert.ok((await winCount()) >= before, `what was counted is there again: ${before}`)
  assert.equal(await main.end('SIGTERM'), 0)
})
