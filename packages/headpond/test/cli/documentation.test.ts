/** docs/cli.md shows what really comes: its sessions (```console) are run, one after the other, against a fresh server. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createServer } from '#src/index.ts'
import { runShell } from './shell-run.ts'

/** Seen from the compiled file. */
const DOCUMENT = fileURLToPath(new URL('../../../../docs/cli.md', import.meta.url))
const COMMAND = /^\$ headpond cli (.*)$/

test('docs/cli.md shows what the client prints', async () => {
  await using server = await createServer()
  let commandCount = 0
  for (const [, session] of readFileSync(DOCUMENT, 'utf8').matchAll(/^```console\n(.*?)^```$/gms)) {
    let shown = ''
    for (const [, line] of session.matchAll(new RegExp(COMMAND, 'gm'))) {
      commandCount++
      const args = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain)
      const { output } = await runShell(['-p', String(server.port), ...args], { env: { FAKETTY: '1' } })
      shown += `$ headpond cli ${line}\n${output}`
    }
    // Keys come in the order of a hash table with a secret of its own.
    assert.deepEqual(ordered(shown), ordered(session))
  }
  assert.ok(commandCount > 10, `${commandCount} commands`)
})

function ordered(session: string): string[] {
  return session.split('\n').sort()
}
