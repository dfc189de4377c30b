import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LuaHost, LuaVm, outcome, type Verdict, verdict } from '#src/scripting/lua-vm.ts'

/** A state whose host says the given verdicts in turn, then lets everything go on. */
function open(verdicts: Verdict[]): { vm: LuaVm; run: (source: string) => string; interruptions: () => number } {
  let interruptionCount = 0
  const host: LuaHost = {
    call: () => 0,
    mayCall: () => null,
    interrupt: () => {
      interruptionCount++
      return verdicts.shift() ?? verdict.GO_ON
    },
    isLogged: () => false,
    log: () => {},
    setProtocol: () => {},
    setReplication: () => {},
    register: () => null,
  }
  const vm = new LuaVm(host, { version: '7.0.15', forScripts: true })
  const run = (source: string): string => {
    const reference = vm.compile(Buffer.from(source))
    if (typeof reference === 'string') return reference
    let result = vm.run(reference, 0, 0, 2)
    while (result === outcome.SUSPENDED) result = vm.resume()
    if (result === outcome.FAILED) return `failed: ${vm.failure().message}`
    return vm.memory.toString('latin1', vm.replyStart, vm.replyEnd)
  }
  return { vm, run, interruptions: () => interruptionCount }
}

const LONG = 'local n = 0 for i = 1, 3e5 do n = n + 1 end return n'

test('a script asks now and then whether it may go on, is suspended and resumed', () => {
  const { run, interruptions } = open([verdict.SUSPEND, verdict.SUSPEND])
  assert.equal(run(LONG), ':300000\r\n')
  assert.ok(interruptions() >= 3, `${interruptions()}`)
  const before = interruptions()
  assert.equal(run('local a = 1\nlocal b = 2\nreturn a + b'), ':3\r\n')
  assert.equal(interruptions(), before)
})

test('a script that is to end does so at its next line, and one that caught that leaves nothing behind', () => {
  for (const [how, text] of [
    [verdict.KILLED_BY_USER, 'Script killed by user with SCRIPT KILL...'],
    [verdict.KILLED_BY_LIMIT, 'Script killed: it ran too long where it cannot be interrupted...'],
  ] as const) {
    const { run, interruptions } = open([how])
    assert.equal(run(LONG), `failed: ERR ${text}`)
    const caught = open([how])
    const size = 'ERR '.length + text.length
    assert.equal(caught.run(`return {pcall(function() ${LONG} end)}\n`), `*2\r\n$-1\r\n$${size}\r\nERR ${text}\r\n`)
    const asked = caught.interruptions()
    assert.equal(caught.run('local a = 1\nlocal b = 2\nreturn a + b'), ':3\r\n')
    assert.equal(caught.interruptions(), asked)
    assert.ok(interruptions() > 0)
  }
})
