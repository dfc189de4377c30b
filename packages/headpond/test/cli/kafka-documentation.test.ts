/** docs/kafka.md and the README show what really comes: their sessions with `headpond topic` and `headpond group` are run. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createServer } from '#src/index.ts'
import { runKafkaCli } from './kafka-run.ts'

const COMMAND = /^\$ headpond ((?:topic|group) .*)$/gm

for (const name of ['docs/kafka.md', 'README.md']) {
  test(`${name} shows what the commands print`, async () => {
    const path = fileURLToPath(new URL(`../../../../${name}`, import.meta.url)) // seen from the compiled file
    let commandCount = 0
    for (const [, session] of readFileSync(path, 'utf8').matchAll(/^```console\n(.*?)^```$/gms)) {
      if (!/^\$ headpond (topic|group) /.test(session)) continue
      await using server = await createServer()
      let shown = ''
      for (const [, line] of session.matchAll(COMMAND)) {
        commandCount++
        const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain)
        const { output, errors, exitCode } = await runKafkaCli(server, words)
        assert.equal(exitCode, 0, line)
        // A terminal shows both; notes come last.
        shown += `$ headpond ${line}\n${output}${errors}`
      }
      assert.equal(shown, session)
    }
    assert.ok(commandCount >= 3, `${commandCount} commands`)
  })
}
