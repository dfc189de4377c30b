/** The one command: an embedded server, the endpoint, a mailer and a mail server. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ServiceProcess } from 'headpond-examples-shared'
import { EMAIL } from './stage.ts'

test('everything at once; what was sent is known after a kill', async (t) => {
  const DATA_DIR = mkdtempSync(join(tmpdir(), 'email-main-'))
  const start = () =>
    ServiceProcess.start(
      new URL('../main.js', import.meta.url),
      { DATA_DIR, PORT: '0', REDIS_URL: '', KAFKA_BROKERS: '', SMTP_URL: '' },
      { isQuiet: true },
    )
  let main = await start()
  t.after(async () => {
    if (!main.hasEnded) await main.end('SIGTERM')
    rmSync(DATA_DIR, { recursive: true, force: true })
  })
  const ask = async (path: string, body?: unknown) => {
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
    const response = await fetch(`${main.url}${path}`, body === undefined ? {} : init)
    return (await response.json()) as { id: string; status: string }
  }
  const { id, status } = await ask('/emails', EMAIL)
  assert.equal(status, 'queued')
  while ((await ask(`/emails/${id}`)).status !== 'sent') await new Promise((resolve) => setTimeout(resolve, 20))
  // The append-only file is synced once a second, and a kill loses nothing that was written.
  await main.end('SIGKILL')
  main = await start()
  assert.equal((await ask(`/emails/${id}`)).status, 'sent')
  assert.equal(await main.end('SIGTERM'), 0)
})
