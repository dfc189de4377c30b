import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { stopOnSignals } from '#src/cli/signals.ts'
import type { ShutdownOption } from '#src/config/value-types.ts'

/** What signals do to a server that ends, or cannot. */
function process(onSigterm: ShutdownOption[] = ['default'], onSigint: ShutdownOption[] = ['default'], canEnd = true) {
  const signals = new EventEmitter()
  const happened: string[] = []
  const heardWhileSaving: number[] = []
  stopOnSignals(
    {
      shutdown: (saving, isForced) => {
        happened.push(`shutdown ${saving}${isForced ? ' force' : ''}`)
        heardWhileSaving.push(signals.listenerCount('SIGINT'))
        return canEnd
      },
    },
    { shutdownOnSigterm: onSigterm, shutdownOnSigint: onSigint },
    { info: () => {}, warn: (message) => happened.push(message) },
    signals,
    (exitCode) => happened.push(`exit ${exitCode}`),
  )
  const after = (...names: string[]) => {
    for (const name of names) assert.ok(signals.emit(name), `${name} ends the process`)
    return happened
  }
  return { after, heardWhileSaving }
}

test('SIGTERM and SIGINT end the server as their directives say', () => {
  assert.deepEqual(process().after('SIGTERM'), ['shutdown default'])
  assert.deepEqual(process(['save', 'force'], ['nosave']).after('SIGTERM'), ['shutdown save force'])
  assert.deepEqual(process(['save', 'force'], ['nosave']).after('SIGINT'), ['shutdown nosave'])
})

test('a second Ctrl-C exits at once; a second SIGTERM changes nothing', () => {
  const insisted = ['You insist... exiting now.', 'exit 1']
  assert.deepEqual(process().after('SIGINT', 'SIGINT'), ['shutdown default', ...insisted])
  assert.deepEqual(process().after('SIGTERM', 'SIGINT'), ['shutdown default', ...insisted])
  assert.doesNotMatch(process().after('SIGINT', 'SIGTERM').join(), /exit/)
})

test('while the snapshot is written, in one go, the system acts on Ctrl-C', () => {
  const stopped = process()
  stopped.after('SIGINT')
  assert.deepEqual(stopped.heardWhileSaving, [0])
})

test('a server whose data cannot be saved goes on, and each signal tries again', () => {
  const happened = process(['default'], ['default'], false).after('SIGINT', 'SIGINT')
  assert.equal(happened.filter((line) => line === 'shutdown default').length, 2)
  assert.equal(happened.filter((line) => line.includes('SHUTDOWN NOSAVE')).length, 2)
  assert.ok(!happened.includes('exit 1'))
})

test('the terminal that goes away does not end it', () => {
  assert.deepEqual(process().after('SIGHUP'), [])
})
